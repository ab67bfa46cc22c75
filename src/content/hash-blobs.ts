import { defined, isFault } from "#base";
import { type Digest, Digester, digestAlgorithm, digestAlgorithms, isDigest } from "#image";
import { scanTree } from "#layer";
import type { BlobStore } from "./blob-store.ts";

export interface HashedBlob {
  /** By its name. */
  readonly digest: Digest;
  /** By its content; absent when the disk does not give that back. */
  readonly actual: Digest | undefined;
  readonly size: number;
}

/** Small, since hashing it here holds up everyone else: 0.2 ms. */
const hashChunk = 256 << 10;

/**
 * Reads all blobs and hashes them, in a worker. A place of the disk that cannot be read ends that;
 * the rest is then read one blob at a time, to know which blobs it hit.
 */
export async function* hashBlobs(
  blobs: BlobStore,
  signal: AbortSignal | undefined,
): AsyncGenerator<HashedBlob, void> {
  const seen = new Set<Digest>();
  try {
    for (const digests of digestAlgorithms) {
      const request = { directory: blobs.directory(digests), mode: "tree", digests } as const;
      for await (const batch of scanTree(request, defined({ signal }))) {
        for (const { path, size, digest: actual } of batch) {
          const digest = `${digests}:${path}`;
          if (!isDigest(digest) || actual === undefined) continue;
          seen.add(digest);
          yield { digest, actual, size };
        }
      }
    }
  } catch (error) {
    if (!isFault(error, "data_loss")) throw error;
  }
  for (const digest of await blobs.list()) {
    if (seen.has(digest) || !blobs.has(digest)) continue;
    const size = blobs.size(digest);
    yield { digest, actual: await hashOne(blobs, digest, signal), size };
  }
}

async function hashOne(
  blobs: BlobStore,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<Digest | undefined> {
  const hash = new Digester(digestAlgorithm(digest));
  try {
    await using file = await blobs.open(digest);
    const buffer = Buffer.allocUnsafe(hashChunk);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, hashChunk, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
    }
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === "EIO") return undefined;
    throw error;
  }
  return hash.digest();
}
