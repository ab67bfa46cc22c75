/**
 * engine: containers, execs, images and events; the work of a Docker daemon without
 * its HTTP. `contract.ts` is the promise, `createEngine` the one way in.
 *
 * A container is a row in the database, a snapshot, a directory, and while it runs a
 * monitor process that outlives this one. The row makes it exist: create writes it
 * last, remove deletes it first, and `reconcile` sweeps leftovers without a row.
 * Files are named after verbs (create, start, kill, remove, exit, attach, exec);
 * `parts.ts` lists the parts that they share. Not here: HTTP, Docker's JSON, command lines.
 */

export type {
  Annotation,
  AttestationOptions,
  BuildContext,
  BuildEvent,
  Builder,
  BuildOutcome,
  BuildRequest,
  BuiltImage,
  CacheExport,
  CacheImport,
  CacheOption,
  CacheReader,
  CacheRecord,
  CacheRepository,
  CacheToWrite,
  CacheWriter,
  EnteredSandbox,
  EnteredStep,
  GivenContext,
  ImageLayout,
  KeptDirectories,
  KeptDirectory,
  OutputRequest,
  PruneOptions,
  PruneResult,
  SandboxProcess,
  StepSandbox,
} from "#build";
export {
  checkOutputs,
  hasAttestations,
  parseCacheExport,
  parseCacheImport,
  readAnnotations,
  readAttestations,
  StepFault,
} from "#build";
export type * from "./backups/backup-contract.ts";
export { readFrames } from "./containers/demultiplex.ts";
export { startRefused } from "./containers/start-failure.ts";
export type * from "./contract.ts";
export { crashPoints } from "./crash-point.ts";
export { createEngine, type EngineDependencies } from "./create-engine.ts";
export type * from "./files/file-contract.ts";
export { booleanFilter, parseMoment } from "./filters.ts";
export type * from "./images/explain-contract.ts";
export type * from "./images/image-contract.ts";
export type * from "./networks/network-contract.ts";
export { type ContainerDefaults, defaultSettings, type EngineSettings } from "./settings.ts";
export type * from "./transfer/registry-contract.ts";
export type * from "./volumes/volume-contract.ts";
