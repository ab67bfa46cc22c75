/**
 * wire: the messages between a client and an engine, as types and pure functions.
 *
 * The Docker Engine API, versions 1.24 to 1.51, and thimble's own API beside it
 * (/thimble/v1/). Answers are interfaces; requests are zod schemas, and their types are
 * inferred from them. No I/O and no policy: `api` decides the meaning of a field.
 *
 * Importing this module costs a CLI nothing: only types and small functions are here,
 * and the schemas (zod takes some milliseconds to load) come through `loadSchemas`.
 */

export { API_VERSION, compareApiVersions, MIN_API_VERSION } from "./api-version.ts";
export type {
  BackupCreateBody,
  BackupListBody,
  BackupPruneBody,
  BackupRestoreBody,
  BucketBody,
} from "./backup.ts";
export type * from "./backup-types.ts";
export type { BuildBody, ContextEntry } from "./build.ts";
export type * from "./build-types.ts";
export type * from "./container-types.ts";
export { DetachFilter, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";
export type { ExecCreateBody, ExecStartBody } from "./exec-create.ts";
export type * from "./explain-types.ts";
export { parseFilters, renderFilters, type WireFilters } from "./filters.ts";
export type { ImageMakeQuery } from "./image-make.ts";
export type * from "./image-types.ts";
export { wireLimits } from "./limits.ts";
export {
  MULTIPLEXED_STREAM,
  PLAN_TYPE,
  RAW_STREAM,
  TAR_TYPE,
} from "./media-types.ts";
export type { NetworkCreateBody } from "./network-create.ts";
export type * from "./network-types.ts";
export {
  decodePathStat,
  encodePathStat,
  goFileMode,
  goModes,
  hasGoMode,
  PATH_STAT_HEADER,
  type PathStat,
} from "./path-stat.ts";
export { progressBar } from "./progress-bar.ts";
export {
  credentialsOf,
  decodeRegistryAuth,
  decodeRegistryConfig,
  encodeRegistryAuth,
} from "./registry-auth.ts";
export type * from "./registry-types.ts";
export { RUN_ID_HEADER, RUN_PATH, RUN_WARNINGS_HEADER, type RunEnd } from "./run.ts";
export { encodeFrame, type Frame, FrameDecoder, type StreamName } from "./stdcopy.ts";
export type * from "./system-types.ts";
export type { VolumeCreateBody } from "./volume-create.ts";
export type * from "./volume-types.ts";

export type Schemas = typeof import("./schemas.ts");

/** The schemas of request bodies. */
export function loadSchemas(): Promise<Schemas> {
  return import("./schemas.ts");
}
