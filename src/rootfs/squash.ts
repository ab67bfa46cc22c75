import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { defined, Fault } from "#base";
import type { Content, StoredImage } from "#content";
import type { HistoryEntry, ImageConfig, Reference } from "#image";
import { mergeLayers, packBlob, scanTree } from "#layer";
import type { Snapshotter } from "#snapshot";
import type { Report } from "./progress.ts";
import { crashPoint } from "./squash-crash-point.ts";

export interface SquashOptions {
  /** Held by the caller, so that its layers stay. */
  readonly image: StoredImage;
  /** How many layers at the bottom stay as they are. */
  readonly keep: number;
  readonly reference?: Reference | undefined;
  /**
   * Nanoseconds since the epoch (SOURCE_DATE_EPOCH): the time of creation, and the latest
   * that a file of the merged layer may have. Absent: the image's own time, and no
   * file's time changes; so the same image always gives the same result.
   */
  readonly created?: bigint | undefined;
  /** An existing directory of the caller's, on the data root's file system. */
  readonly workDir: string;
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

/**
 * Makes an image whose layers above `keep` are one: files that later layers replaced or deleted are
 * gone, and files of the kept layers that they deleted stay deleted. The settings stay; the history
 * tells the steps that were merged, and the merge. A failure leaves no image.
 */
export async function squash(
  { content, snapshots }: { readonly content: Content; readonly snapshots: Snapshotter },
  options: SquashOptions,
): Promise<StoredImage> {
  const { image, keep, reference, workDir, report, signal } = options;
  const merged = image.layers.slice(keep);
  if (merged.length < 2) {
    const found = merged.length === 0 ? "no layer" : "only one layer";
    const where = keep === 0 ? "" : ` above the first ${keep} of its ${image.layers.length}`;
    throw new Fault("invalid", `there is nothing to merge: the image has ${found}${where}`);
  }
  const target = join(workDir, "layer");
  await mkdir(target, { mode: 0o755 });
  const run = defined({ signal });
  report?.({ id: "layer", status: `Merging ${merged.length} layers` });
  const layers = merged.map(({ chainId }) => snapshots.directory(chainId)).toReversed();
  await mergeLayers({ layers, target, keepWhiteouts: keep > 0 }, run);
  crashPoint("squash:merged");
  const created = options.created ?? timeOf(image.config);
  const latest = options.created ?? (await latestFile(target, created, run));
  const blobPath = join(workDir, "blob");
  const packed = await packBlob(
    {
      directory: target,
      mode: keep > 0 ? "upper" : "tree",
      includeRoot: true,
      latest,
      blob: { path: blobPath, compression: content.compression },
    },
    { ...run, onProgress: (current) => report?.({ id: "layer", status: "Packing", current }) },
  );
  crashPoint("squash:packed");
  await rm(target, { recursive: true });
  report?.({ id: "image", status: "Storing the image" });
  const { rootfs: _, history: __, created: ___, ...config } = image.config;
  return await content.composeImage({
    layers: [
      ...image.layers.slice(0, keep).map((existing) => ({ existing })),
      { blobPath, packed },
    ],
    config,
    history: squashedHistory(image, keep, created),
    reference,
    created,
    signal,
  });
}

/** Nanoseconds since the epoch; 0 when the image does not say. */
function timeOf({ created }: ImageConfig): bigint {
  const time = created === undefined ? Number.NaN : Date.parse(created);
  return Number.isNaN(time) || time < 0 ? 0n : BigInt(time) * 1_000_000n;
}

/**
 * No time that an archive gave is later. A directory that no archive names has the time
 * at which it was unpacked here, which must not get into a layer.
 */
async function latestFile(
  directory: string,
  least: bigint,
  run: { readonly signal?: AbortSignal },
): Promise<bigint> {
  let latest = least;
  for await (const batch of scanTree({ directory, mode: "layer" }, run)) {
    for (const { type, mtime, whiteout } of batch) {
      if (type !== "directory" && !whiteout && mtime > latest) latest = mtime;
    }
  }
  return latest;
}

/**
 * The steps of the merged layers stay in the history, as steps without a layer; the last step is
 * the merge.
 */
function squashedHistory(image: StoredImage, keep: number, created: bigint): HistoryEntry[] {
  const count = image.layers.length - keep;
  let layer = 0;
  const steps = (image.config.history ?? []).map((entry): HistoryEntry => {
    if (entry.empty_layer === true) return entry;
    layer++;
    return layer > keep ? { ...entry, empty_layer: true } : entry;
  });
  const merge: HistoryEntry = {
    created: new Date(Number(created / 1_000_000n)).toISOString(),
    created_by: `thimble squash${keep > 0 ? ` --from ${keep}` : ""}`,
    comment: `${count} layers of ${image.id} merged into one`,
  };
  return [...steps, merge];
}
