import { defined, Fault, isFault, Joined, KeyedLock } from "#base";
import {
  type ChainId,
  chainIds,
  type Descriptor,
  type DiffId,
  type Digest,
  digestAlgorithm,
  type ImageConfig,
  type Manifest,
  requireDigest,
} from "#image";
import { type PackResult, settleImplied } from "#layer";
import type { Snapshotter } from "#snapshot";
import type { BlobStore } from "./blob-store.ts";
import { crashPoint } from "./crash-point.ts";
import type {
  BlobSource,
  Draft,
  LayerProgress,
  LayerReceiver,
  ReceiveRun,
} from "./layer-receiver.ts";
import type { Lease } from "./lease.ts";

export interface LayersOptions {
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly lease: Lease;
  /** For layers whose blobs are not here. */
  readonly source?: BlobSource | undefined;
  /** Blobs that this engine has packed. */
  readonly trusted?: ReadonlySet<Digest> | undefined;
  readonly onLayer?: ((layer: Descriptor, progress: LayerProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One layer of an image, with its place in the stack. */
export interface LayerPlace {
  readonly chain: ChainId;
  readonly parent: ChainId | undefined;
  readonly layer: Descriptor;
  readonly diffId: DiffId;
}

type Run = ReceiveRun & Required<Pick<ReceiveRun, "source">>;

/** A directory with a layer's files. */
type Filled = Pick<Draft, "key" | "directory" | "size" | "implied">;

/** Layers as snapshots, each stack of layers once for all images that share it. */
export class LayerStore {
  readonly #blobs: BlobStore;
  readonly #snapshots: Snapshotter;
  readonly #receiver: LayerReceiver;
  readonly #drafts = new Joined<ChainId, Draft, LayerProgress>();
  readonly #locks = new KeyedLock();

  constructor(parts: {
    readonly blobs: BlobStore;
    readonly snapshots: Snapshotter;
    readonly receiver: LayerReceiver;
  }) {
    this.#blobs = parts.blobs;
    this.#snapshots = parts.snapshots;
    this.#receiver = parts.receiver;
  }

  /**
   * Sees to it that all layers of an image are here, as blobs and unpacked. They come
   * and are unpacked side by side, and take their places from the lowest up. When one
   * fails the others stop. Gives the bytes of the files of all.
   */
  async ensure(options: LayersOptions): Promise<number> {
    const { lease, source, onLayer } = options;
    const steps = stepsOf(options.manifest, options.config);
    for (const { chain, layer } of steps) {
      lease.holdLayer(chain);
      lease.holdBlob(layer.digest);
    }
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    let below = Promise.resolve();
    const work = steps.map((step) => {
      const report = (progress: LayerProgress) => onLayer?.(step.layer, progress);
      const isTrusted = options.trusted?.has(step.layer.digest);
      below = this.#ensureLayer(step, below, { source, report, signal, isTrusted });
      return below;
    });
    try {
      await Promise.all(work);
    } catch (error) {
      stop.abort();
      await Promise.allSettled(work);
      throw error;
    }
    return steps.reduce((sum, { chain }) => sum + (this.#snapshots.stat(chain)?.size ?? 0), 0);
  }

  /**
   * A layer of a stranger over others that are here. It is unpacked even where layer and blob are here
   * already: nobody has said yet that one is the other. Hold both before.
   */
  async take(
    step: LayerPlace,
    { source, signal = new AbortController().signal }: Pick<LayersOptions, "source" | "signal">,
  ): Promise<void> {
    await using draft = await this.#receive(step, { source, signal, report: () => undefined });
    await this.#locks.run(step.chain, () => this.#commit(step, draft));
  }

  /** Unpacks a file whose diff id is not known yet as a stack of one. */
  async unpackFirst(
    file: { readonly path: string; readonly size: number },
    options: Pick<LayersOptions, "lease" | "signal"> & {
      readonly onProgress?: (bytes: number) => void;
    },
  ): Promise<{ readonly diffId: DiffId; readonly size: number }> {
    const { lease, onProgress, signal = new AbortController().signal } = options;
    const report = ({ current }: LayerProgress) => onProgress?.(current ?? 0);
    await using draft = await this.#receiver.unpackFile(file.path, file.size, { report, signal });
    const chain = draft.diffId as unknown as ChainId;
    lease.holdLayer(chain);
    await this.#locks.run(chain, () => this.#commit({ chain, parent: undefined }, draft));
    return { diffId: draft.diffId, size: draft.size };
  }

  /**
   * Takes in a layer that `pack` packs and unpacks, into the directory that it is given, in
   * one pass. It lies above the layers of `below`, lowest first.
   */
  async takePacked<P extends Pick<PackResult, "diffId" | "size" | "implied">>(
    { below, lease }: { readonly below: readonly DiffId[]; readonly lease: Lease },
    pack: (target: string) => Promise<P>,
  ): Promise<P> {
    await using space = await this.#receiver.space();
    const { key, directory } = space;
    const packed = await pack(directory);
    const [chain, parent] = chainIds([...below, packed.diffId]).toReversed();
    if (chain === undefined) throw new Fault("internal", "a layer has no place in the stack");
    lease.holdLayer(chain);
    const draft = { key, directory, size: packed.size, implied: packed.implied };
    await this.#locks.run(chain, () => this.#commit({ chain, parent }, draft));
    return packed;
  }

  /** The layer unpacked from its blob once more, with the attributes that it has in its place. */
  async draft(step: LayerPlace, signal = new AbortController().signal): Promise<Draft> {
    const known = { source: undefined, report: () => undefined, isTrusted: true };
    const draft = await this.#receive(step, { ...known, signal });
    try {
      await this.#settle(step, draft);
    } catch (error) {
      await draft[Symbol.asyncDispose]();
      throw error;
    }
    return draft;
  }

  /** Gives a layer whose files were lost or damaged those of its blob, in its old place. */
  async restore(step: LayerPlace, signal?: AbortSignal): Promise<void> {
    await using draft = await this.draft(step, signal);
    await this.#locks.run(step.chain, async () => {
      if (this.#snapshots.stat(step.chain)) await this.#snapshots.replace(step.chain, draft.key);
      else await this.#commit(step, draft);
    });
  }

  async #ensureLayer(step: LayerPlace, below: Promise<void>, run: Run): Promise<void> {
    const { chain, layer } = step;
    if (this.#snapshots.stat(chain)) {
      if (this.#blobs.has(layer.digest)) run.report({ phase: "exists" });
      else await this.#fetchBlob(layer, run);
      return await below;
    }
    run.report({ phase: "waiting" });
    const { report, signal } = run;
    await this.#drafts.share(
      chain,
      {
        start: (stop, tell) => this.#receive(step, { ...run, report: tell, signal: stop }),
        onReport: report,
        signal,
      },
      async (draft) => {
        await below;
        report({ phase: "extracting", current: layer.size, total: layer.size });
        await this.#locks.run(chain, () => this.#commit(step, draft));
      },
    );
    // Another image may have brought the layer in, from another blob.
    if (!this.#blobs.has(layer.digest)) await this.#receiver.fetch(layer, run);
    report({ phase: "complete" });
  }

  async #fetchBlob(layer: Descriptor, run: Run): Promise<void> {
    run.report({ phase: "waiting" });
    await this.#receiver.fetch(layer, run);
    run.report({ phase: "complete" });
  }

  async #receive({ layer, diffId }: LayerPlace, run: Run): Promise<Draft> {
    const draft = await this.#receiver
      .receive(layer, { ...run, diffAlgorithm: digestAlgorithm(diffId) })
      .catch((error: unknown) => {
        throw aboutLayer(layer, error);
      });
    try {
      requireDigest(`the content of layer ${layer.digest}`, diffId, draft.diffId);
    } catch (error) {
      await draft[Symbol.asyncDispose]();
      throw error;
    }
    return draft;
  }

  async #commit(step: Pick<LayerPlace, "chain" | "parent">, draft: Filled): Promise<void> {
    const { chain, parent } = step;
    if (this.#snapshots.stat(chain)) return;
    await this.#settle(step, draft);
    crashPoint("unpack:settled");
    try {
      await this.#snapshots.commit(chain, draft.key, { size: draft.size, parent });
    } catch (error) {
      if (!isFault(error, "exists")) throw error;
    }
    crashPoint("unpack:committed");
  }

  async #settle({ parent }: Pick<LayerPlace, "parent">, draft: Filled): Promise<void> {
    const lowers = parent === undefined ? [] : this.#snapshots.layers(parent);
    await settleImplied({ target: draft.directory, implied: draft.implied, lowers });
  }
}

/** A failure to unpack says of which layer, and a full disk what to do, unless it does already. */
function aboutLayer({ digest }: Descriptor, error: unknown): unknown {
  const isClear = !(error instanceof Fault) || error.code === "canceled";
  if (isClear || error.message.includes(digest)) return error;
  const { about = digest, errno } = error;
  const detail = { about, cause: error, ...defined({ errno }) };
  const isFull = errno === "ENOSPC" && !error.message.includes("make room");
  const advice = isFull ? "; make room where the engine keeps its data" : "";
  return new Fault(error.code, `layer ${digest}: ${error.message}${advice}`, detail);
}

/** Lowest first. `invalid` when manifest and configuration do not tell of the same layers. */
export function stepsOf(manifest: Manifest, config: ImageConfig): LayerPlace[] {
  const diffIds = config.rootfs.diff_ids;
  if (manifest.layers.length !== diffIds.length) {
    throw new Fault(
      "invalid",
      `the image's manifest has ${manifest.layers.length} layers, its configuration ${diffIds.length}`,
    );
  }
  const chains = chainIds(diffIds);
  return chains.map((chain, index) => ({
    chain,
    parent: chains[index - 1],
    layer: manifest.layers[index] as Descriptor,
    diffId: diffIds[index] as DiffId,
  }));
}
