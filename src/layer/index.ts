/**
 * layer: between archives and directories, in both directions.
 *
 * Unpacks layers (OCI whiteouts become overlayfs's), packs trees and the upper
 * directories of overlays, compresses, hashes. The work is synchronous system calls
 * in two workers (layer-worker.ts); this side moves paths and chunks. It knows no
 * images, keeps no state and never follows a name out of the directory it was given.
 * The workers start with the first job and stay; idle ones do not hold the process.
 */

export type { ChunkMessage, ChunkRequest, KnownSegment, SpooledBlob } from "./chunk-job.ts";
export {
  chunkTree,
  createBackupKey,
  keepBlob,
  openBackupKey,
  unchunkTree,
} from "./chunks.ts";
export { compress } from "./compress.ts";
export {
  type Compression,
  decompress,
  detectCompression,
  type ExpansionLimits,
  isCompressed,
  noExpansionLimits,
} from "./compression.ts";
export { type CompressionChoice, parseCompression } from "./compression-choice.ts";
export type {
  ExplodedMember,
  PackBlobRequest,
  PackResult,
  ReceiveResult,
  StoreResult,
  UnpackResult,
} from "./job.ts";
export {
  copyFiles,
  diffLayer,
  digestFiles,
  explodeArchive,
  type LayerOptions,
  matchTree,
  mergeLayers,
  packBlob,
  packTree,
  type ReceiveOptions,
  receiveLayer,
  recompressBlob,
  type StreamOptions,
  scanTree,
  settleImplied,
  storeStream,
  unpackTree,
} from "./layers.ts";
export type { MergeResult } from "./merge.ts";
export type { PackOptions } from "./pack.ts";
export { type ScannedEntry, TreeScanner } from "./scan.ts";
export type { Selection } from "./selection.ts";
