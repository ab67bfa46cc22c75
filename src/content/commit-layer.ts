import { defined, Fault, isFault } from "#base";
import { type ChainId, chainIds, type ImageConfig, type Reference } from "#image";
import { crashPoint } from "./crash-point.ts";
import { type CreationParts, packLayer, storeConfig } from "./create-image.ts";
import type { BlobSource } from "./layer-receiver.ts";
import type { Lease } from "./lease.ts";
import type { StoredImage, StoredLayer } from "./stored-image.ts";

/** The changes of one step over the layers below it. */
export interface CommitOptions {
  /**
   * The key of an active snapshot over `below`, no longer mounted or written to. Its directory
   * becomes the layer, so that no file is copied; the key is gone afterwards, and stays after a
   * Fault.
   */
  readonly key: string;
  /** Lowest first. */
  readonly below: readonly StoredLayer[];
  /** Nanoseconds since the epoch: files that are later get this time, in the blob and on the disk. */
  readonly latest?: bigint | undefined;
  /** Holds the layer and its blob. */
  readonly lease: Lease;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Packs the changes of a step and gives them their place as a layer. A crash leaves at most what the
 * next start collects.
 */
export async function commitLayer(
  parts: CreationParts,
  { key, below, latest, lease, signal }: CommitOptions,
): Promise<StoredLayer> {
  const { snapshots } = parts;
  const directory = snapshots.directory(key);
  const source = { directory, touch: true, ...defined({ latest }) };
  const { diffId, size, blob } = await packLayer(parts, source, { lease, signal });
  const parent = below.at(-1)?.chainId;
  const chainId = chainOver(parent, diffId);
  lease.holdLayer(chainId);
  try {
    await snapshots.commit(chainId, key, { size, parent });
  } catch (error) {
    // The same changes were made here before.
    if (!isFault(error, "exists")) throw error;
    await snapshots.remove(key);
  }
  crashPoint("layer:committed");
  return { diffId, chainId, blob, size };
}

/** A layer by its blob, to be put over others. */
export interface PlaceOptions {
  readonly layer: Pick<StoredLayer, "diffId" | "blob">;
  /** Lowest first. */
  readonly below: readonly StoredLayer[];
  /** A stranger who has the blob, if it is not here: limits and digests are checked. */
  readonly source?: BlobSource | undefined;
  readonly lease: Lease;
  readonly signal?: AbortSignal | undefined;
}

/** Unpacks the blob of a layer over others, unless the layer is there; `not_found` without its blob. */
export async function placeLayer(
  { snapshots, blobs, layers }: CreationParts,
  { layer, below, source, lease, signal }: PlaceOptions,
): Promise<StoredLayer> {
  const { diffId, blob } = layer;
  const parent = below.at(-1)?.chainId;
  const chainId = chainOver(parent, diffId);
  lease.holdBlob(blob.digest);
  lease.holdLayer(chainId);
  const place = { chain: chainId, parent, layer: blob, diffId };
  if (source) await layers.take(place, { source, signal });
  if (!blobs.has(blob.digest)) {
    throw new Fault("not_found", `there is no blob ${blob.digest}`, { about: blob.digest });
  }
  if (!snapshots.stat(chainId)) {
    await layers.restore(place, signal);
  }
  return { diffId, chainId, blob, size: snapshots.stat(chainId)?.size ?? 0 };
}

/** An image whose layers are here. */
export interface BuiltOptions {
  /** Lowest first; as many as the configuration has diff ids. */
  readonly layers: readonly StoredLayer[];
  readonly config: ImageConfig;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Holds the layers. */
  readonly lease: Lease;
  readonly signal?: AbortSignal | undefined;
}

/** Stores an image and names it, in one durable step. */
export async function storeBuilt(
  parts: CreationParts,
  { layers, lease, ...image }: BuiltOptions & { readonly references: readonly Reference[] },
): Promise<StoredImage> {
  return await storeConfig(parts, lease, {
    ...image,
    layers: layers.map(({ blob }) => blob),
    trusted: new Set(layers.map(({ blob }) => blob.digest)),
  });
}

function chainOver(parent: ChainId | undefined, diffId: StoredLayer["diffId"]): ChainId {
  // A chain id stands in the place of the diff ids that it was made of.
  const below = parent === undefined ? [] : [parent as unknown as StoredLayer["diffId"]];
  return chainIds([...below, diffId]).at(-1) as ChainId;
}
