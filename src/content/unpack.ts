import { randomUUID } from "node:crypto";
import { Fault, faultOf, isFault, KeyedLock, type Log } from "#base";
import {
  type ChainId,
  chainIds,
  type Descriptor,
  type DiffId,
  type ImageConfig,
  type Manifest,
  requireDigest,
} from "#image";
import { applyLayer } from "#layer";
import type { Snapshotter } from "#snapshot";
import type { BlobStore } from "./blob-store.ts";
import type { Lease } from "./lease.ts";

export interface UnpackOptions {
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly lease: Lease;
  readonly onProgress?: (layer: Descriptor, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const draftPrefix = "unpack-";

/** Turns layers into snapshots, each stack of layers once for all images that share it. */
export class Unpacker {
  readonly #blobs: BlobStore;
  readonly #snapshots: Snapshotter;
  readonly #log: Log;
  readonly #locks = new KeyedLock();

  constructor(parts: {
    readonly blobs: BlobStore;
    readonly snapshots: Snapshotter;
    readonly log: Log;
  }) {
    this.#blobs = parts.blobs;
    this.#snapshots = parts.snapshots;
    this.#log = parts.log;
  }

  /** Removes what a crash left half unpacked; at the start only. */
  async settle(): Promise<void> {
    for (const key of await this.#snapshots.activeKeys()) {
      if (key.startsWith(draftPrefix)) await this.#snapshots.remove(key);
    }
  }

  /** Unpacks what is not there yet, lowest first; gives the bytes of the files of all layers. */
  async unpack(options: UnpackOptions): Promise<number> {
    const { manifest, config, lease } = options;
    const diffIds = config.rootfs.diff_ids;
    if (manifest.layers.length !== diffIds.length) {
      throw new Fault(
        "invalid",
        `the image's manifest has ${manifest.layers.length} layers, its configuration ${diffIds.length}`,
      );
    }
    let size = 0;
    let parent: ChainId | undefined;
    for (const [index, chain] of chainIds(diffIds).entries()) {
      lease.holdLayer(chain);
      const layer = manifest.layers[index] as Descriptor;
      const step = { chain, parent, layer, diffId: diffIds[index] as DiffId };
      await this.#locks.run(chain, () => this.#unpackLayer(step, options));
      size += this.#snapshots.stat(chain)?.size ?? 0;
      parent = chain;
    }
    return size;
  }

  /** Unpacks a blob whose diff id is not known yet as a stack of one; gives its diff id. */
  async unpackFirst(
    path: string,
    options: Pick<UnpackOptions, "lease" | "signal"> & {
      readonly onProgress?: (bytes: number) => void;
    },
  ): Promise<{ readonly diffId: DiffId; readonly size: number }> {
    const { lease, onProgress, signal } = options;
    await using draft = await this.#draft(undefined);
    const applied = await applyLayer({
      source: { path },
      target: this.#snapshots.directory(draft.key),
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
    });
    const chain: ChainId = applied.diffId as unknown as ChainId;
    lease.holdLayer(chain);
    await this.#locks.run(chain, () => this.#commit(chain, draft.key, applied.size));
    return applied;
  }

  async #unpackLayer(
    {
      chain,
      parent,
      layer,
      diffId,
    }: {
      readonly chain: ChainId;
      readonly parent: ChainId | undefined;
      readonly layer: Descriptor;
      readonly diffId: DiffId;
    },
    { onProgress, signal }: UnpackOptions,
  ): Promise<void> {
    if (this.#snapshots.stat(chain)) return;
    await using draft = await this.#draft(parent);
    const applied = await applyLayer({
      source: { path: this.#blobs.path(layer.digest) },
      target: this.#snapshots.directory(draft.key),
      lowers: parent === undefined ? [] : this.#snapshots.layers(parent),
      onProgress: (bytes) => onProgress?.(layer, bytes),
      ...(signal && { signal }),
    });
    requireDigest(`the content of layer ${layer.digest}`, diffId, applied.diffId);
    await this.#commit(chain, draft.key, applied.size);
  }

  async #commit(chain: ChainId, key: string, size: number): Promise<void> {
    try {
      await this.#snapshots.commit(chain, key, { size });
    } catch (error) {
      if (!isFault(error, "exists")) throw error;
    }
  }

  /** A snapshot to unpack into, gone unless it was committed. */
  async #draft(parent: ChainId | undefined): Promise<AsyncDisposable & { readonly key: string }> {
    const key = draftPrefix + randomUUID();
    await this.#snapshots.prepare(key, parent);
    return {
      key,
      [Symbol.asyncDispose]: async () => {
        if (!this.#snapshots.stat(key)) return;
        try {
          await this.#snapshots.remove(key);
        } catch (error) {
          this.#log.warn("cannot remove a half unpacked layer", {
            key,
            error: faultOf(error).message,
          });
        }
      },
    };
  }
}
