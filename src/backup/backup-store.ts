import type { BlobRef } from "#chunk";
import type { Digest } from "#image";

/**
 * A place that keeps blobs by digest, and manifests by tag. It is opened for one operation, whose
 * signal ends all its calls. A blob or manifest is there whole or not at all, also after a crash.
 * Faults name the place.
 */
export interface BackupStore extends AsyncDisposable {
  /** Whether it has the blob. */
  has(digest: Digest): Promise<boolean>;
  /** Stores a file as a blob unless it has it: false then. */
  put(ref: BlobRef, path: string): Promise<boolean>;
  /** The bytes of a blob; whether they are what the digest says is for the caller to check. */
  read(ref: BlobRef): AsyncIterable<Uint8Array>;
  /** The manifest of a tag; undefined when there is none. */
  manifest(tag: string): Promise<Uint8Array | undefined>;
  /** Makes a backup exist: its blobs are there. */
  putManifest(tag: string, bytes: Uint8Array): Promise<void>;
  /** All tags, those of other things too. */
  tags(): AsyncIterable<string>;
  /** Removes a tag and its manifest. */
  remove(tag: string): Promise<void>;
  /**
   * Deletes the blobs that nothing refers to, and gives their bytes; undefined where the place does
   * it itself. `blobsOf` reads the digests that a manifest refers to.
   */
  collect(blobsOf: (manifest: Uint8Array) => readonly Digest[]): Promise<number | undefined>;
}
