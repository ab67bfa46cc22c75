import { createReadStream, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { defined, formatTime } from "#base";
import type { Descriptor, DiffId, Digest, HistoryEntry, ImageConfig, Reference } from "#image";
import { type PackResult, type StoreResult, storeStream } from "#layer";
import { layerTypeOf } from "./archive-files.ts";
import { type CreationParts, maxArchive, storeConfig } from "./create-image.ts";
import type { Lease } from "./lease.ts";
import type { StoredImage, StoredLayer } from "./stored-image.ts";

/**
 * A layer of a new image: one of an image that is here, or a file (plain, gzip or zstd)
 * on the data root's file system, which is taken over. What `packBlob` told of the file
 * saves reading it twice.
 */
export type ComposedLayer =
  | { readonly existing: StoredLayer }
  | {
      readonly blobPath: string;
      readonly packed?: Pick<PackResult, "digest" | "blobSize" | "diffId"> | undefined;
    };

/** An image to put together from layers. */
export interface ComposeOptions {
  /** Lowest first. */
  readonly layers: readonly ComposedLayer[];
  /** The configuration to begin with, such as the base's; its layers, history and time are replaced. */
  readonly config: Omit<ImageConfig, "rootfs" | "history" | "created">;
  readonly history: readonly HistoryEntry[];
  readonly reference?: Reference | undefined;
  /** Nanoseconds since the epoch; absent: now. */
  readonly created?: bigint | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Stores an image of given layers, unpacked. */
export async function composeImage(
  parts: CreationParts,
  options: ComposeOptions,
): Promise<StoredImage> {
  const { config, history, reference, created, signal } = options;
  await using lease = parts.collector.lease();
  await using workspace = await parts.blobs.workspace();
  const layers: Descriptor[] = [];
  const diffIds: DiffId[] = [];
  const trusted = new Set<Digest>();
  for (const [index, layer] of options.layers.entries()) {
    const path = join(workspace.path, String(index));
    const { blob, diffId } =
      "existing" in layer ? layer.existing : await takeLayer(parts, layer, { path, lease, signal });
    lease.holdBlob(blob.digest);
    layers.push(blob);
    diffIds.push(diffId);
    if ("packed" in layer) trusted.add(blob.digest);
  }
  const text = formatTime(created ?? parts.clock.now());
  const whole: ImageConfig = {
    ...config,
    ...{ created: text, history, rootfs: { type: "layers", diff_ids: diffIds } },
  };
  const references = reference ? [reference] : [];
  return await storeConfig(parts, lease, { config: whole, layers, references, trusted, signal });
}

async function takeLayer(
  parts: CreationParts,
  { blobPath, packed }: Extract<ComposedLayer, { readonly blobPath: string }>,
  run: { readonly path: string; readonly lease: Lease; readonly signal: AbortSignal | undefined },
): Promise<Pick<StoredLayer, "blob" | "diffId">> {
  const { path, lease, signal } = run;
  let file: StoreResult;
  if (packed) {
    renameSync(blobPath, path);
    file = { digest: packed.digest, size: packed.blobSize };
  } else {
    const source = createReadStream(blobPath, { highWaterMark: 1 << 20 });
    file = await storeStream(source, { path, limit: maxArchive }, defined({ signal }));
  }
  const diffId =
    packed?.diffId ??
    (await parts.layers.unpackFirst({ path, size: file.size }, { lease, signal })).diffId;
  lease.holdBlob(file.digest);
  const mediaType = layerTypeOf(path);
  await parts.blobs.adopt(path, file.digest);
  if (!packed) rmSync(blobPath, { force: true });
  return { blob: { mediaType, ...file }, diffId };
}
