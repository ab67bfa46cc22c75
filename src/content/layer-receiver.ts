import { join } from "node:path";
import { Fault, Joined, Scope, Slots } from "#base";
import type { Descriptor, DiffId } from "#image";
import { type DigestAlgorithm, digestAlgorithm, requireDigest } from "#image";
import { noExpansionLimits, receiveLayer, storeStream } from "#layer";
import { noTarLimits } from "#tar";
import type { BlobStore } from "./blob-store.ts";
import { crashPoint } from "./crash-point.ts";
import type { DraftSpace, Drafts } from "./draft.ts";
import type { Collector } from "./lease.ts";

/** Where missing blobs come from; a repository of a registry fits. */
export interface BlobSource {
  /** The bytes of a blob, once per call and in order; its reader checks the digest. */
  blob(
    descriptor: Descriptor,
    options: { readonly signal?: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  /** The reader owns the chunks and may transfer them; otherwise they are copied. */
  readonly givesChunks?: boolean;
}

export type LayerPhase =
  | "waiting"
  | "downloading"
  | "verifying"
  | "downloaded"
  | "extracting"
  | "complete"
  | "exists";

/** How far one layer has come. */
export interface LayerProgress {
  readonly phase: LayerPhase;
  /** Bytes of the blob done so far. */
  readonly current?: number;
  readonly total?: number;
}

/** An unpacked layer that has no place in a stack yet. */
export interface Draft extends AsyncDisposable {
  readonly key: string;
  readonly directory: string;
  readonly diffId: DiffId;
  /** Bytes of its files. */
  readonly size: number;
  /** For `settleImplied`. */
  readonly implied: readonly string[];
}

export interface ReceiveRun {
  /** Absent: the blob must be here. */
  readonly source?: BlobSource | undefined;
  readonly report: (progress: LayerProgress) => void;
  readonly signal: AbortSignal;
  /** The algorithm of the diff id. Default sha256. */
  readonly diffAlgorithm?: DigestAlgorithm | undefined;
  /** This engine has packed the blob, or unpacked it before; limits are for blobs of strangers. */
  readonly isTrusted?: boolean | undefined;
}

interface Download extends AsyncDisposable {
  /** The layer that was unpacked on the way, for the first caller who takes it. */
  take(): Draft | undefined;
}

/** Downloads at once, over all pulls: as many as Docker does. */
const maxDownloads = 3;
const reportEvery = 256 << 10;

/**
 * Gets layers in: from a source, hashed and unpacked while they arrive, or from their
 * blob when that is here. A blob is fetched once however many ask for it.
 */
export class LayerReceiver {
  readonly #blobs: BlobStore;
  readonly #drafts: Drafts;
  readonly #collector: Collector;
  readonly #downloads = new Joined<string, Download, LayerProgress>();
  readonly #slots = new Slots(maxDownloads);

  constructor(parts: {
    readonly blobs: BlobStore;
    readonly drafts: Drafts;
    readonly collector: Collector;
  }) {
    this.#blobs = parts.blobs;
    this.#drafts = parts.drafts;
    this.#collector = parts.collector;
  }

  limitDownloads(count: number): void {
    this.#slots.resize(count);
  }

  /** The layer unpacked, its blob in place. Hold the blob before. */
  async receive(layer: Descriptor, run: ReceiveRun): Promise<Draft> {
    const draft = await this.#fetch(layer, run, true);
    return draft ?? (await this.#unpack({ path: this.#blobs.path(layer.digest) }, layer.size, run));
  }

  /** The blob alone. Hold it before. */
  async fetch(layer: Descriptor, run: ReceiveRun): Promise<void> {
    await this.#fetch(layer, run, false);
  }

  /** Unpacks a file that is not a blob yet. */
  async unpackFile(path: string, size: number, run: ReceiveRun): Promise<Draft> {
    return await this.#unpack({ path }, size, run);
  }

  async #fetch(layer: Descriptor, run: ReceiveRun, unpack: boolean): Promise<Draft | undefined> {
    if (this.#blobs.has(layer.digest)) return undefined;
    const { source, report, signal, diffAlgorithm = "sha256" } = run;
    if (!source) {
      throw new Fault(
        "data_loss",
        `the blob of layer ${layer.digest} is missing; pull or load the image again`,
        {
          about: layer.digest,
        },
      );
    }
    return await this.#downloads.share(
      // A draft that was hashed by another algorithm is of no use.
      `${layer.digest} ${diffAlgorithm}`,
      {
        start: (stop, tell) =>
          this.#download(layer, { source, report: tell, signal: stop, diffAlgorithm }, unpack),
        onReport: report,
        signal,
      },
      async (download) => (unpack ? download.take() : undefined),
    );
  }

  async #download(
    layer: Descriptor,
    run: ReceiveRun & { readonly source: BlobSource },
    unpack: boolean,
  ): Promise<Download> {
    // The caller holds the blob too, but may have given up by the time that it is stored.
    await using lease = this.#collector.lease();
    lease.holdBlob(layer.digest);
    await using workspace = await this.#blobs.workspace();
    await using scope = new Scope();
    const path = join(workspace.path, "blob");
    let draft: Draft | undefined;
    {
      using _slot = await this.#slots.take(run.signal);
      if (unpack) draft = await this.#receiveStream(layer, path, run, scope);
      else await storeLayer(layer, path, run);
    }
    run.report({ phase: "verifying" });
    crashPoint("pull:blob-received");
    await this.#blobs.adopt(path, layer.digest);
    crashPoint("pull:blob-adopted");
    run.report({ phase: "downloaded" });
    return handedOver(draft, scope.release());
  }

  /** In one pass: kept, hashed and unpacked. */
  async #receiveStream(
    layer: Descriptor,
    path: string,
    run: ReceiveRun & { readonly source: BlobSource },
    scope: Scope,
  ): Promise<Draft> {
    const space = scope.use(await this.#drafts.make());
    const { digest, size } = layer;
    const stream = counted(layer, run);
    const blob = { path, digest, size };
    const target = space.directory;
    const received = await receiveLayer({
      ...{ source: { stream, isGiven: run.source.givesChunks }, blob, target },
      signal: run.signal,
      diffAlgorithm: run.diffAlgorithm,
    });
    return draftOf(space, received);
  }

  /** A place to unpack into by other means. */
  async space(): Promise<DraftSpace> {
    return await this.#drafts.make();
  }

  async #unpack(
    source: { readonly path: string },
    total: number,
    { report, signal, diffAlgorithm, isTrusted }: ReceiveRun,
  ): Promise<Draft> {
    await using scope = new Scope();
    const space = scope.use(await this.#drafts.make());
    crashPoint("unpack:draft-made");
    const onProgress = (current: number) => report({ phase: "extracting", current, total });
    const target = space.directory;
    const limits = isTrusted ? { limits: noTarLimits, expansion: noExpansionLimits } : {};
    const run = { onProgress, signal, diffAlgorithm, ...limits };
    const received = await receiveLayer({ source, target, ...run });
    crashPoint("unpack:applied");
    const owner = scope.release();
    return { ...draftOf(space, received), [Symbol.asyncDispose]: () => owner.disposeAsync() };
  }
}

function draftOf(
  space: DraftSpace,
  received: { readonly diffId: DiffId; readonly size: number; readonly implied: readonly string[] },
): Draft {
  const { key, directory } = space;
  const { diffId, size, implied } = received;
  const dispose = () => space[Symbol.asyncDispose]();
  return { key, directory, diffId, size, implied, [Symbol.asyncDispose]: dispose };
}

/** The first who takes the draft owns it; without anyone it goes with the download. */
function handedOver(draft: Draft | undefined, owner: AsyncDisposableStack): Download {
  let left = draft;
  return {
    take: () => {
      const taken = left;
      left = undefined;
      return taken;
    },
    [Symbol.asyncDispose]: async () => {
      if (left || !draft) await owner.disposeAsync();
    },
  };
}

async function storeLayer(
  layer: Descriptor,
  path: string,
  run: ReceiveRun & { readonly source: BlobSource },
): Promise<void> {
  const request = { path, limit: layer.size, algorithm: digestAlgorithm(layer.digest) };
  const stored = await storeStream(counted(layer, run), request, {
    signal: run.signal,
    isGiven: run.source.givesChunks,
  });
  requireDigest(`the blob of layer ${layer.digest}`, layer.digest, stored.digest);
}

/** The bytes of a layer as they come, told of now and then. */
async function* counted(
  layer: Descriptor,
  { source, report, signal }: ReceiveRun & { readonly source: BlobSource },
): AsyncGenerator<Uint8Array, void> {
  const total = layer.size;
  let current = 0;
  let told = 0;
  report({ phase: "downloading", current, total });
  for await (const chunk of source.blob(layer, { signal })) {
    // The reader of the chunk may take its bytes away.
    current += chunk.byteLength;
    yield chunk;
    if (current - told < reportEvery && current !== total) continue;
    told = current;
    report({ phase: "downloading", current, total });
  }
}
