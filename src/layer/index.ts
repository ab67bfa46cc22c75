/**
 * layer: between archives and directories, in both directions.
 *
 * Unpacks layers (OCI whiteouts become overlayfs's), packs trees and the upper
 * directories of overlays, compresses, hashes. The work is synchronous system calls
 * in two workers (layer-worker.ts); this side moves paths and chunks. It knows no
 * images, keeps no state and never follows a name out of the directory it was given.
 * The workers start with the first job and stay; idle ones do not hold the process.
 */

export {
  type Compression,
  compress,
  decompress,
  detectCompression,
  type ExpansionLimits,
} from "./compression.ts";
export type { ApplyResult, ExplodedMember, PackRequest, PackResult, StoreResult } from "./job.ts";
export {
  type ApplyOptions,
  applyLayer,
  diffLayer,
  explodeArchive,
  type LayerOptions,
  packBlob,
  packTree,
  type StreamOptions,
  storeStream,
} from "./layers.ts";
export type { PackOptions } from "./pack.ts";
