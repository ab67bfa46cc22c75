/** BuildKit's api/services/control/control.proto and api/types/worker.proto. */

import {
  bool,
  bytes,
  field,
  int32,
  int64,
  map,
  message,
  optional,
  repeated,
  string,
} from "./message.ts";
import { service } from "./service.ts";
import { Definition, Platform, Range, SourceInfo, Status, Timestamp } from "./solver-messages.ts";

const BuildkitVersion = message({
  package: field(1, string),
  version: field(2, string),
  revision: field(3, string),
});

const GcPolicy = message({
  all: field(1, bool),
  keepDuration: field(2, int64),
  reservedSpace: field(3, int64),
  filters: repeated(4, string),
  maxUsedSpace: field(5, int64),
  minFreeSpace: field(6, int64),
});

export const WorkerRecord = message({
  id: field(1, string),
  labels: map(2, string),
  platforms: repeated(3, Platform),
  gcPolicy: repeated(4, GcPolicy),
  buildkitVersion: optional(5, BuildkitVersion),
});

const UsageRecord = message({
  id: field(1, string),
  mutable: field(2, bool),
  inUse: field(3, bool),
  size: field(4, int64),
  createdAt: optional(6, Timestamp),
  lastUsedAt: optional(7, Timestamp),
  usageCount: field(8, int64),
  description: field(9, string),
  recordType: field(10, string),
  shared: field(11, bool),
  parents: repeated(12, string),
});

const CacheOptionsEntry = message({ type: field(1, string), attrs: map(2, string) });

const CacheOptions = message({
  exports: repeated(4, CacheOptionsEntry),
  imports: repeated(5, CacheOptionsEntry),
});

const Exporter = message({ type: field(1, string), attrs: map(2, string) });

export const SolveRequest = message({
  ref: field(1, string),
  definition: optional(2, Definition),
  exporter: field(3, string),
  exporterAttrs: map(4, string),
  session: field(5, string),
  frontend: field(6, string),
  frontendAttrs: map(7, string),
  cache: optional(8, CacheOptions),
  entitlements: repeated(9, string),
  frontendInputs: map(10, Definition),
  internal: field(11, bool),
  exporters: repeated(13, Exporter),
  enableSessionExporter: field(14, bool),
});

const SolveResponse = message({ exporterResponse: map(1, string) });

const ProgressGroup = message({
  id: field(1, string),
  name: field(2, string),
  weak: field(3, bool),
});

const Vertex = message({
  digest: field(1, string),
  inputs: repeated(2, string),
  name: field(3, string),
  cached: field(4, bool),
  started: optional(5, Timestamp),
  completed: optional(6, Timestamp),
  error: field(7, string),
  progressGroup: optional(8, ProgressGroup),
});

const VertexStatus = message({
  id: field(1, string),
  vertex: field(2, string),
  name: field(3, string),
  current: field(4, int64),
  total: field(5, int64),
  timestamp: optional(6, Timestamp),
  started: optional(7, Timestamp),
  completed: optional(8, Timestamp),
});

const VertexLog = message({
  vertex: field(1, string),
  timestamp: optional(2, Timestamp),
  stream: field(3, int64),
  msg: field(4, bytes),
});

const VertexWarning = message({
  vertex: field(1, string),
  level: field(2, int64),
  short: field(3, bytes),
  detail: repeated(4, bytes),
  url: field(5, string),
  info: optional(6, SourceInfo),
  ranges: repeated(7, Range),
});

export const StatusResponse = message({
  vertexes: repeated(1, Vertex),
  statuses: repeated(2, VertexStatus),
  logs: repeated(3, VertexLog),
  warnings: repeated(4, VertexWarning),
});

/** A piece of a stream; the same in all of BuildKit's services. */
export const BytesMessage = message({ data: field(1, bytes) });

const Descriptor = message({
  mediaType: field(1, string),
  digest: field(2, string),
  size: field(3, int64),
  annotations: map(5, string),
});

const BuildHistoryRecord = message({
  ref: field(1, string),
  frontend: field(2, string),
  frontendAttrs: map(3, string),
  exporters: repeated(4, Exporter),
  error: optional(5, Status),
  createdAt: optional(6, Timestamp),
  completedAt: optional(7, Timestamp),
  logs: optional(8, Descriptor),
  exporterResponse: map(9, string),
  generation: field(12, int32),
  pinned: field(14, bool),
  numCachedSteps: field(15, int32),
  numTotalSteps: field(16, int32),
  numCompletedSteps: field(17, int32),
  numWarnings: field(19, int32),
});

const BuildHistoryEvent = message({
  type: field(1, int32),
  record: optional(2, BuildHistoryRecord),
});

const nothing = message({});
const control = service("moby.buildkit.v1.Control");

export const Control = {
  diskUsage: control(
    "DiskUsage",
    message({ filter: repeated(1, string), ageLimit: field(2, int64) }),
    message({ record: repeated(1, UsageRecord) }),
  ),
  prune: control(
    "Prune",
    message({
      filter: repeated(1, string),
      all: field(2, bool),
      keepDuration: field(3, int64),
      reservedSpace: field(4, int64),
      maxUsedSpace: field(5, int64),
      minFreeSpace: field(6, int64),
    }),
    UsageRecord,
    "responses",
  ),
  solve: control("Solve", SolveRequest, SolveResponse),
  status: control("Status", message({ ref: field(1, string) }), StatusResponse, "responses"),
  session: control("Session", BytesMessage, BytesMessage, "both"),
  listWorkers: control(
    "ListWorkers",
    message({ filter: repeated(1, string) }),
    message({ record: repeated(1, WorkerRecord) }),
  ),
  info: control("Info", nothing, message({ buildkitVersion: optional(1, BuildkitVersion) })),
  listenBuildHistory: control(
    "ListenBuildHistory",
    message({
      activeOnly: field(1, bool),
      ref: field(2, string),
      earlyExit: field(3, bool),
      filter: repeated(4, string),
      limit: field(5, int32),
    }),
    BuildHistoryEvent,
    "responses",
  ),
  updateBuildHistory: control(
    "UpdateBuildHistory",
    message({
      ref: field(1, string),
      pinned: field(2, bool),
      delete: field(3, bool),
      finalize: field(4, bool),
    }),
    nothing,
  ),
} as const;
