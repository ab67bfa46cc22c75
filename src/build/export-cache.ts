import { inParallel } from "#base";
import type { Content, Lease } from "#content";
import { changed } from "#content";
import type { Descriptor } from "#image";
import { type CacheLayer, encodeCache, type StepResult } from "./cache-manifest.ts";
import type { CacheContent } from "./cache-option.ts";
import type { CacheWriter } from "./cache-place.ts";
import type { BuildOutcome } from "./contract.ts";
import { type Piece, shown, type Telling } from "./internal-vertex.ts";

/** So many blobs are sent at once. */
const maxUploads = 4;

/** A cache to write. */
export interface CacheExportRequest extends Telling {
  readonly content: CacheContent;
  readonly writer: CacheWriter;
  /** Holds the blobs. */
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

/**
 * Writes the steps of a build where others find them: blobs, then the document of the keys, then the
 * manifest. Gives the manifest's descriptor.
 */
export async function exportCache(
  parts: { readonly content: Content },
  { images }: Pick<BuildOutcome, "images">,
  request: CacheExportRequest,
): Promise<Descriptor> {
  const { content, writer, lease, signal } = request;
  const steps = images.flatMap((image) => image.steps);
  const chosen = steps.filter(({ isOfImage }) => isOfImage || content.mode === "max");
  for (const { blob } of chosen.flatMap(({ layers }) => layers)) lease.holdBlob(blob.digest);
  return await shown(request, `exporting cache to ${writer.kind}`, async (piece) => {
    const packed = await piece("preparing build cache for export", () =>
      new Packing(parts.content, request).pack(chosen),
    );
    const { blobs, config, configBytes, manifest, manifestBytes } = encodeCache(packed, content);
    await sendBlobs(blobs, { parts, piece, request });
    const bytes = [configBytes];
    await piece(`writing config ${config.digest}`, () =>
      writer.putBlob(config, (offset) => rest(bytes, offset), signal),
    );
    await piece(`writing cache image manifest ${manifest.digest}`, () =>
      writer.putManifest(manifestBytes, manifest, signal),
    );
    return manifest;
  });
}

async function sendBlobs(
  blobs: readonly Descriptor[],
  {
    parts,
    piece,
    request,
  }: {
    readonly parts: { readonly content: Content };
    readonly piece: Piece;
    readonly request: CacheExportRequest;
  },
): Promise<void> {
  await inParallel(blobs, maxUploads, async (blob, failed) => {
    const signal = AbortSignal.any([request.signal, failed]);
    signal.throwIfAborted();
    const content = (offset: number) => parts.content.read(blob.digest, { offset });
    await piece(`writing layer ${blob.digest}`, () =>
      request.writer.putBlob(blob, content, signal),
    );
  });
}

async function* rest(bytes: readonly Buffer[], offset: number): AsyncGenerator<Uint8Array, void> {
  for (const each of bytes) yield each.subarray(offset);
}

/** Gives the layers of steps the compression that was asked for. */
class Packing {
  readonly #content: Content;
  readonly #request: CacheExportRequest;
  readonly #packed = new Map<string, Promise<CacheLayer>>();

  constructor(content: Content, request: CacheExportRequest) {
    this.#content = content;
    this.#request = request;
  }

  async pack(steps: readonly StepResult[]): Promise<readonly StepResult[]> {
    const made = new Set(
      steps.flatMap(({ layers, hasLayer }) => (hasLayer ? [layers.at(-1)?.blob.digest] : [])),
    );
    const packed: StepResult[] = [];
    for (const step of steps) {
      const layers: CacheLayer[] = [];
      for (const layer of step.layers) {
        layers.push(await this.#pack(layer, made.has(layer.blob.digest)));
      }
      packed.push({ ...step, layers });
    }
    return packed;
  }

  #pack(layer: CacheLayer, isMade: boolean): Promise<CacheLayer> {
    let packed = this.#packed.get(layer.blob.digest);
    packed ??= this.#recompress(layer, isMade);
    this.#packed.set(layer.blob.digest, packed);
    return packed;
  }

  async #recompress(layer: CacheLayer, isMade: boolean): Promise<CacheLayer> {
    const { content, lease, signal } = this.#request;
    const asked = isMade || content.isForced ? content.compression : undefined;
    const blob = await this.#content.recompressLayer(layer, {
      choose: (_, before) => {
        if (asked)
          return before === asked.format && !asked.level ? undefined : changed(before, asked);
        return before === "none" ? this.#content.compression : undefined;
      },
      ...{ lease, signal },
    });
    return { diffId: layer.diffId, blob };
  }
}
