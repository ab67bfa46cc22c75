import { faultOf, type Log } from "#base";
import type { ChainId, Digest } from "#image";
import type { Snapshotter } from "#snapshot";
import type { BlobStore } from "./blob-store.ts";
import { crashPoint } from "./crash-point.ts";
import type { ImageTable } from "./image-table.ts";
import type { PinTable } from "./pin-table.ts";
import type { SourceTable } from "./source-table.ts";

/**
 * Holds blobs and layers that nothing keeps yet, while one is being made. Take it before looking
 * whether something is stored. Its release removes whatever no image, pin or other lease needs, so
 * that an operation that fails leaves nothing behind. It does not survive the process.
 */
export interface Lease extends AsyncDisposable {
  /** Keeps the blob, whether or not it is stored already, until the release. */
  holdBlob(digest: Digest): void;
  /** Keeps the unpacked layer, whether or not it is stored already, until the release. */
  holdLayer(chain: ChainId): void;
}

/**
 * Removes blobs and layers that nothing needs. Leases live in memory: after a crash `collectAll`
 * finds what they held.
 */
export class Collector {
  readonly #blobs: BlobStore;
  /** Whatever keeps blobs and layers for good. */
  readonly #keepers: readonly (ImageTable | PinTable)[];
  readonly #snapshots: Snapshotter;
  readonly #sources: SourceTable;
  readonly #log: Log;
  readonly #held = new Map<string, number>();

  constructor(parts: {
    readonly blobs: BlobStore;
    readonly keepers: readonly (ImageTable | PinTable)[];
    readonly snapshots: Snapshotter;
    readonly sources: SourceTable;
    readonly log: Log;
  }) {
    this.#blobs = parts.blobs;
    this.#keepers = parts.keepers;
    this.#snapshots = parts.snapshots;
    this.#sources = parts.sources;
    this.#log = parts.log;
  }

  lease(): Lease {
    const blobs = new Set<Digest>();
    const layers = new Set<ChainId>();
    return {
      holdBlob: (digest) => {
        if (blobs.has(digest)) return;
        blobs.add(digest);
        this.#hold(blobKey(digest), 1);
      },
      holdLayer: (chain) => {
        if (layers.has(chain)) return;
        layers.add(chain);
        this.#hold(layerKey(chain), 1);
      },
      [Symbol.asyncDispose]: async () => {
        for (const digest of blobs) this.#hold(blobKey(digest), -1);
        for (const chain of layers) this.#hold(layerKey(chain), -1);
        const [ownBlobs, ownLayers] = [[...blobs], [...layers]];
        blobs.clear();
        layers.clear();
        this.collectBlobs(ownBlobs);
        await this.collectLayers(ownLayers);
      },
    };
  }

  isHeld(what: { readonly blob: Digest } | { readonly layer: ChainId }): boolean {
    return this.#held.has("blob" in what ? blobKey(what.blob) : layerKey(what.layer));
  }

  /** Whether an image or a pin keeps the blob. */
  needsBlob(digest: Digest): boolean {
    return this.#keepers.some((keeper) => keeper.needsBlob(digest));
  }

  /** Whether an image or a pin keeps the unpacked layer. */
  needsLayer(chain: string): boolean {
    return this.#keepers.some((keeper) => keeper.needsLayer(chain));
  }

  /** Removes those of the blobs that nothing needs; gives the bytes set free. */
  collectBlobs(digests: readonly Digest[]): number {
    let bytes = 0;
    const removed: Digest[] = [];
    for (const digest of digests) {
      // Nothing else runs between this look and the removal.
      if (this.#held.has(blobKey(digest)) || this.needsBlob(digest)) continue;
      if (!this.#blobs.has(digest)) continue;
      bytes += this.#blobs.size(digest);
      this.#blobs.delete(digest);
      removed.push(digest);
      crashPoint("gc:blob-deleted");
    }
    this.#forgetSources(removed);
    return bytes;
  }

  /** A full disk must not prevent the removals that make room. */
  #forgetSources(digests: readonly Digest[]): void {
    try {
      this.#sources.forget(digests);
    } catch (error) {
      this.#log.debug("where blobs were from is not forgotten", { error: faultOf(error).message });
    }
  }

  /** Removes those of the layers that nothing needs and nothing is built upon; gives them. */
  async collectLayers(chains: readonly ChainId[]): Promise<ChainId[]> {
    const parents = new Map<ChainId, ChainId | undefined>();
    for (const chain of chains) {
      const info = this.#snapshots.stat(chain);
      if (info?.kind === "committed") parents.set(chain, info.parent);
    }
    return await this.#collectLayers(parents);
  }

  async collectAll(): Promise<void> {
    const blobs = await this.#blobs.list();
    const needed = new Set(this.#keepers.flatMap((keeper) => [...keeper.neededBlobs()]));
    this.collectBlobs(blobs.filter((digest) => !needed.has(digest)));
    const isNeeded = (digest: Digest) => needed.has(digest) || this.#held.has(blobKey(digest));
    this.#sources.forgetNeedless(isNeeded);
    const layers = new Set(this.#keepers.flatMap((keeper) => [...keeper.neededLayers()]));
    const orphans = new Map<ChainId, ChainId | undefined>();
    for (const { name, kind, parent } of this.#snapshots.list()) {
      const chain = name as ChainId;
      if (kind === "committed" && !layers.has(chain)) orphans.set(chain, parent);
    }
    await this.#collectLayers(orphans);
  }

  async #collectLayers(parents: ReadonlyMap<ChainId, ChainId | undefined>): Promise<ChainId[]> {
    const removed: ChainId[] = [];
    for (const chain of childrenFirst(parents)) {
      if (this.#held.has(layerKey(chain)) || this.needsLayer(chain)) continue;
      try {
        await this.#snapshots.remove(chain);
        removed.push(chain);
      } catch (error) {
        // A container stands on it; its removal lets `collectAll` take the layer.
        this.#log.debug("a layer stays", { chain, error: faultOf(error).message });
      }
      crashPoint("gc:layer-deleted");
    }
    return removed;
  }

  #hold(key: string, by: number): void {
    const count = (this.#held.get(key) ?? 0) + by;
    if (count > 0) this.#held.set(key, count);
    else this.#held.delete(key);
  }
}

const blobKey = (digest: Digest) => `blob ${digest}`;
const layerKey = (chain: ChainId) => `layer ${chain}`;

/** Children before their parents. */
function childrenFirst(parents: ReadonlyMap<ChainId, ChainId | undefined>): ChainId[] {
  const depths = new Map<ChainId, number>();
  const depth = (chain: ChainId): number => {
    const path: ChainId[] = [];
    let at: ChainId | undefined = chain;
    for (; at !== undefined && parents.has(at) && !depths.has(at); at = parents.get(at))
      path.push(at);
    let height = at === undefined ? 0 : (depths.get(at) ?? 0);
    for (const each of path.reverse()) depths.set(each, ++height);
    return depths.get(chain) ?? 0;
  };
  return [...parents.keys()].sort((a, b) => depth(b) - depth(a));
}
