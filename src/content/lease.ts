import { faultOf, type Log } from "#base";
import type { ChainId, Digest } from "#image";
import type { Snapshotter } from "#snapshot";
import type { BlobStore } from "./blob-store.ts";
import type { ImageTable } from "./image-table.ts";

/**
 * Holds blobs and layers that no image needs yet, while one is being made. Take it
 * before looking whether something is there. When it is released, what no image and
 * no other lease needs is removed: an operation that fails leaves nothing behind.
 */
export interface Lease extends AsyncDisposable {
  holdBlob(digest: Digest): void;
  holdLayer(chain: ChainId): void;
}

/** Removes what nothing needs. Leases live in memory: after a crash `collectAll` finds what they held. */
export class Collector {
  readonly #blobs: BlobStore;
  readonly #images: ImageTable;
  readonly #snapshots: Snapshotter;
  readonly #log: Log;
  readonly #held = new Map<string, number>();

  constructor(parts: {
    readonly blobs: BlobStore;
    readonly images: ImageTable;
    readonly snapshots: Snapshotter;
    readonly log: Log;
  }) {
    this.#blobs = parts.blobs;
    this.#images = parts.images;
    this.#snapshots = parts.snapshots;
    this.#log = parts.log;
  }

  lease(): Lease {
    const blobs = new Set<Digest>();
    const layers: ChainId[] = [];
    return {
      holdBlob: (digest) => {
        if (blobs.has(digest)) return;
        blobs.add(digest);
        this.#hold(blobKey(digest), 1);
      },
      holdLayer: (chain) => {
        layers.push(chain);
        this.#hold(layerKey(chain), 1);
      },
      [Symbol.asyncDispose]: async () => {
        for (const digest of blobs) this.#hold(blobKey(digest), -1);
        for (const chain of layers) this.#hold(layerKey(chain), -1);
        this.collectBlobs([...blobs]);
        await this.collectLayers(layers.toReversed());
        blobs.clear();
        layers.length = 0;
      },
    };
  }

  /** Removes those of the blobs that nothing needs; gives the bytes set free. */
  collectBlobs(digests: readonly Digest[]): number {
    let bytes = 0;
    for (const digest of digests) {
      if (this.#held.has(blobKey(digest)) || this.#images.needsBlob(digest)) continue;
      if (!this.#blobs.has(digest)) continue;
      bytes += this.#blobs.size(digest);
      this.#blobs.delete(digest);
    }
    return bytes;
  }

  /** Removes those of the layers, uppermost first, that nothing needs and nothing is built upon; gives them. */
  async collectLayers(chains: readonly ChainId[]): Promise<ChainId[]> {
    const removed: ChainId[] = [];
    for (const chain of chains) {
      if (this.#held.has(layerKey(chain)) || this.#images.needsLayer(chain)) continue;
      if (this.#snapshots.stat(chain)?.kind !== "committed") continue;
      try {
        await this.#snapshots.remove(chain);
        removed.push(chain);
      } catch (error) {
        // A container stands on it; its removal lets `collectAll` take the layer.
        this.#log.debug("a layer stays", { chain, error: faultOf(error).message });
      }
    }
    return removed;
  }

  async collectAll(): Promise<void> {
    this.collectBlobs(this.#blobs.list());
    const committed = this.#snapshots.list().filter(({ kind }) => kind === "committed");
    // A child is always newer than what it is built upon.
    await this.collectLayers(committed.map(({ name }) => name as ChainId).toReversed());
  }

  #hold(key: string, by: number): void {
    const count = (this.#held.get(key) ?? 0) + by;
    if (count > 0) this.#held.set(key, count);
    else this.#held.delete(key);
  }
}

const blobKey = (digest: Digest) => `blob ${digest}`;
const layerKey = (chain: ChainId) => `layer ${chain}`;
