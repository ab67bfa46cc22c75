/**
 * build: Dockerfiles to images.
 *
 * A Dockerfile becomes a plan: a graph of operations and the configuration of the image, as pure
 * data (plan.ts). The key of an operation comes from content (key.ts), so that a cached result is
 * found whatever made it. The files of clients are kept between builds (context-store.ts).
 *
 * Words: an operation is one step, its result a stack of layers; a source is what COPY and mounts
 * take files from; a context is a directory that a client sent; a named context stands for a stage
 * or an image.
 */

export { type Annotation, readAnnotations } from "./annotations.ts";
export type { ArtifactOptions } from "./artifact.ts";
export {
  type AttestationOptions,
  billOfMaterials,
  hasAttestations,
  readAttestations,
} from "./attestations.ts";
export type * from "./build-event.ts";
export { type BuilderParts, type FindOptions, type ImageProvider, openBuilder } from "./builder.ts";
export {
  type CacheContent,
  type CacheExport,
  type CacheImport,
  type CacheOption,
  type CacheRepository,
  parseCacheExport,
  parseCacheImport,
} from "./cache-option.ts";
export type { CacheReader, CacheWriter } from "./cache-place.ts";
export type * from "./contract.ts";
export { buildCrashPoints } from "./crash-point.ts";
export type { EnteredSandbox, EnteredStep } from "./entered-step.ts";
export type * from "./kept-directories.ts";
export type { WantedImage } from "./named-context.ts";
export { checkOutputs, type OutputRequest } from "./output-check.ts";
export { StepFault } from "./step-fault.ts";
export type * from "./step-runner.ts";
