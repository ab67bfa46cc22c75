import type { BlobSource } from "#content";
import type { Descriptor, Digest } from "#image";

/**
 * Where the cache of other builds lies, such as a repository of a registry. It belongs to a stranger:
 * who reads it checks what it gives.
 */
export interface CacheReader extends BlobSource {
  /** For people: "registry.example/web:cache". */
  readonly name: string;
  /**
   * A manifest or index, of at most 4 MiB: the one of a digest, which it has, or else that which the name
   * stands for.
   */
  manifest(digest: Digest | undefined, signal: AbortSignal): Promise<Uint8Array>;
}

/** Where a cache is written: blobs first, in any order, then the manifest that names them. */
export interface CacheWriter {
  /** For people. */
  readonly kind: "registry" | "client directory";
  /** Brings a blob there, unless it is; `content` gives the bytes from an offset on. */
  putBlob(
    blob: Pick<Descriptor, "digest" | "size">,
    content: (offset: number) => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Also puts the name of the cache upon it. */
  putManifest(bytes: Uint8Array, manifest: Descriptor, signal: AbortSignal): Promise<void>;
}
