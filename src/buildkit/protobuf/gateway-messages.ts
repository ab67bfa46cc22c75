/** BuildKit's frontend/gateway/pb/gateway.proto and util/apicaps/pb/caps.proto. */

import { WorkerRecord } from "./control-messages.ts";
import { ExecMessage, NewContainerRequest } from "./exec-messages.ts";
import { Stat } from "./file-messages.ts";
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
import { Definition, Platform, Range, SourceInfo, SourceOp, Status } from "./solver-messages.ts";

const Ref = message({ id: field(1, string), def: optional(2, Definition) });

const Result = message({
  refDeprecated: field(1, string),
  ref: optional(3, Ref),
  refs: optional(4, message({ refs: map(1, Ref) })),
  metadata: map(10, bytes),
});

const SolveRequest = message({
  definition: optional(1, Definition),
  frontend: field(2, string),
  frontendOpt: map(3, string),
  allowResultReturn: field(5, bool),
  allowResultArrayRef: field(6, bool),
  final: field(10, bool),
  cacheImports: repeated(12, message({ type: field(1, string), attrs: map(2, string) })),
  frontendInputs: map(13, Definition),
  evaluate: field(14, bool),
});

const ApiCapability = message({ id: field(1, string), enabled: field(2, bool) });

const nothing = message({});
const bridge = service("moby.buildkit.v1.frontend.LLBBridge");

export const Gateway = {
  ping: bridge(
    "Ping",
    nothing,
    message({
      frontendApiCaps: repeated(1, ApiCapability),
      llbCaps: repeated(2, ApiCapability),
      workers: repeated(3, WorkerRecord),
    }),
  ),
  solve: bridge(
    "Solve",
    SolveRequest,
    message({ ref: field(1, string), result: optional(3, Result) }),
  ),
  evaluate: bridge("Evaluate", message({ ref: field(1, string) }), nothing),
  return: bridge(
    "Return",
    message({ result: optional(1, Result), error: optional(2, Status) }),
    nothing,
  ),
  inputs: bridge("Inputs", nothing, message({ definitions: map(1, Definition) })),
  resolveImageConfig: bridge(
    "ResolveImageConfig",
    message({
      ref: field(1, string),
      platform: optional(2, Platform),
      resolveMode: field(3, string),
      logName: field(4, string),
      resolverType: field(5, int32),
      sessionId: field(6, string),
      storeId: field(7, string),
    }),
    message({ digest: field(1, string), config: field(2, bytes), ref: field(3, string) }),
  ),
  resolveSourceMeta: bridge(
    "ResolveSourceMeta",
    message({
      source: optional(1, SourceOp),
      platform: optional(2, Platform),
      logName: field(3, string),
      resolveMode: field(4, string),
    }),
    message({
      source: optional(1, SourceOp),
      image: optional(2, message({ digest: field(1, string), config: field(2, bytes) })),
    }),
  ),
  readFile: bridge(
    "ReadFile",
    message({
      ref: field(1, string),
      filePath: field(2, string),
      range: optional(3, message({ offset: field(1, int64), length: field(2, int64) })),
    }),
    message({ data: field(1, bytes) }),
  ),
  readDir: bridge(
    "ReadDir",
    message({ ref: field(1, string), dirPath: field(2, string), includePattern: field(3, string) }),
    message({ entries: repeated(1, Stat) }),
  ),
  statFile: bridge(
    "StatFile",
    message({ ref: field(1, string), path: field(2, string) }),
    message({ stat: optional(1, Stat) }),
  ),
  newContainer: bridge("NewContainer", NewContainerRequest, nothing),
  releaseContainer: bridge("ReleaseContainer", message({ containerId: field(1, string) }), nothing),
  execProcess: bridge("ExecProcess", ExecMessage, ExecMessage, "both"),
  warn: bridge(
    "Warn",
    message({
      digest: field(1, string),
      level: field(2, int64),
      short: field(3, bytes),
      detail: repeated(4, bytes),
      url: field(5, string),
      info: optional(6, SourceInfo),
      ranges: repeated(7, Range),
    }),
    nothing,
  ),
} as const;
