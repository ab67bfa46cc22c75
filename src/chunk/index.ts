/**
 * chunk: streams as chunks that are cut by their content, so that two versions of a stream
 * share what they have in common.
 *
 * Pure: bytes in, bytes out. `StreamWriter` gives packs (chunks that are new, compressed in
 * frames) and segments (parts of the stream's index: chunks in order, and where each is);
 * `StreamReader` puts the stream together and checks each chunk. With a `BackupKey` all of
 * them are age files. It reads what strangers wrote, so that everything has a limit.
 */

export { maxAverage, minAverage } from "./chunker.ts";
export { PackUses } from "./pack-uses.ts";
export {
  type BackupKey,
  createKey,
  type KeyHolders,
  type KeyOpener,
  maxKeyFile,
  openKey,
  unseal,
} from "./seal.ts";
export { type BlobRef, decodeSegment, type Segment, segmentLimits } from "./segment.ts";
export { StreamReader } from "./stream-reader.ts";
export {
  type NewBlob,
  type SegmentRef,
  StreamWriter,
  type WriterOptions,
  type WrittenStream,
} from "./stream-writer.ts";
