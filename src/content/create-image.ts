import { join } from "node:path";
import { type Clock, defined, Fault, formatTime, isFault } from "#base";
import {
  applyChanges,
  type ChainId,
  type DiffId,
  type Digest,
  encodeDocument,
  type HistoryEntry,
  hostPlatform,
  type ImageConfig,
  type ImageDefaults,
  type Manifest,
  maxLayers,
  mediaTypes,
  type Platform,
  type Reference,
  sha256,
} from "#image";
import {
  type CompressionChoice,
  type PackBlobRequest,
  type PackResult,
  packBlob,
  storeStream,
} from "#layer";
import type { Snapshotter } from "#snapshot";
import { layerMediaType, layerTypeOf } from "./archive-files.ts";
import { crashPoint } from "./crash-point.ts";
import type { Lease } from "./lease.ts";
import { type ContentParts, storeImage } from "./load.ts";
import type { StoredImage, StoredLayer } from "./stored-image.ts";

export interface CreationParts extends ContentParts {
  readonly snapshots: Snapshotter;
  readonly clock: Clock;
  /** For the layers that are made here. */
  readonly compression: CompressionChoice;
}

/** The settings of an image beside its files. */
export interface ImportOptions {
  readonly reference?: Reference | undefined;
  /** For the history; "Imported from -" when absent. */
  readonly message?: string | undefined;
  /** Instructions for the configuration, as `applyChanges` takes them. */
  readonly changes?: readonly string[];
  readonly platform?: Platform | undefined;
  /** Nanoseconds since the epoch (SOURCE_DATE_EPOCH); absent: now. */
  readonly created?: bigint | undefined;
  /** Bytes of the archive unpacked so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export const maxArchive = 2 ** 40;

/** Makes an image of one layer from the tar of a root file system (plain, gzip or zstd). */
export async function importTree(
  parts: CreationParts,
  archive: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<StoredImage> {
  const defaults = applyChanges({}, options.changes ?? []);
  await using lease = parts.collector.lease();
  await using workspace = await parts.blobs.workspace();
  const path = join(workspace.path, "layer");
  const { onProgress, signal } = options;
  const blob = await storeStream(archive, { path, limit: maxArchive }, defined({ signal }));
  const run = { lease, signal, ...defined({ onProgress }) };
  const { diffId } = await parts.layers.unpackFirst({ path, size: blob.size }, run);
  const mediaType = layerTypeOf(path);
  lease.holdBlob(blob.digest);
  await parts.blobs.adopt(path, blob.digest);
  const comment = options.message ?? "Imported from -";
  return await storeNew(parts, lease, {
    layers: [{ mediaType, digest: blob.digest, size: blob.size }],
    diffIds: [diffId],
    defaults,
    history: [{ comment }],
    reference: options.reference,
    platform: options.platform,
    created: options.created,
  });
}

/** A directory that becomes an image. */
export interface TreeOptions {
  /**
   * The root file system. It becomes the image's layer by a rename and is gone from
   * here, whether that succeeds or the same layer was there already; after a Fault
   * it may still be there.
   */
  readonly directory: string;
  readonly config: ImageDefaults;
  readonly reference?: Reference | undefined;
  readonly history?: Pick<HistoryEntry, "created_by" | "comment">;
  /**
   * Nanoseconds since the epoch: the time of creation, and the latest that a file may
   * have (SOURCE_DATE_EPOCH). With it the same tree gives the same image. Absent: now.
   */
  readonly created?: bigint | undefined;
  /** Bytes packed so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * zstd at level 1. Measured for 105 MB of libraries and 82 MB of small files, packed,
 * hashed and synced: 0.40 and 0.50 s, against 0.48 and 0.98 s uncompressed (there is
 * more to write) and 3 to 5 s with gzip, at 38 % of the size. Docker reads it since
 * version 23, Podman since 3, containerd since 1.5.
 */
export const defaultCompression: CompressionChoice = { format: "zstd", level: 1 };

/** Makes an image of one layer from a directory without unpacking anything again. */
export async function createImageFromTree(
  parts: CreationParts,
  options: TreeOptions,
): Promise<StoredImage> {
  const { directory, created, onProgress, signal } = options;
  await using lease = parts.collector.lease();
  await using workspace = await parts.blobs.workspace();
  const path = join(workspace.path, "layer");
  const clamp = created === undefined ? {} : { latest: created, touch: true };
  const packed = await packBlob(
    {
      ...clamp,
      directory,
      mode: "tree",
      includeRoot: true,
      blob: { path, compression: parts.compression },
    },
    defined({ onProgress, signal }),
  );
  lease.holdBlob(packed.digest);
  const chain = packed.diffId as unknown as ChainId;
  lease.holdLayer(chain);
  await parts.blobs.adopt(path, packed.digest);
  await adoptTree(parts, chain, { directory, size: packed.size });
  return await storeNew(parts, lease, {
    layers: [
      {
        mediaType: layerMediaType(parts.compression.format),
        digest: packed.digest,
        size: packed.blobSize,
      },
    ],
    diffIds: [packed.diffId],
    defaults: options.config,
    history: [options.history ?? {}],
    reference: options.reference,
    created,
    trusted: new Set([packed.digest]),
  });
}

/** A tree elsewhere, or of a layer that is here already, is left to be unpacked from the blob. */
async function adoptTree(
  { snapshots }: CreationParts,
  chain: ChainId,
  content: { readonly directory: string; readonly size: number },
): Promise<void> {
  try {
    await snapshots.adopt(chain, undefined, content);
  } catch (error) {
    const isElsewhere = isFault(error) && error.errno === "EXDEV";
    if (!isElsewhere && !isFault(error, "exists")) throw error;
  }
}

/** The changes of a container that become an image. */
export interface UpperOptions extends Omit<TreeOptions, "directory"> {
  /** The upper directory of a container's snapshot; it stays as it is. */
  readonly upper: string;
  readonly base: StoredImage | undefined;
  readonly author?: string | undefined;
  /** Paths ("etc/hosts") in it that the engine wrote, not the container. */
  readonly exclude?: readonly string[];
}

/** Makes an image of a base and the changes of a container (`docker commit`). */
export async function createImageFromUpper(
  parts: CreationParts,
  { upper, base, created, exclude = [], ...options }: UpperOptions,
): Promise<StoredImage> {
  const { signal } = options;
  await using lease = parts.collector.lease();
  for (const { blob, chainId } of base?.layers ?? []) {
    lease.holdBlob(blob.digest);
    lease.holdLayer(chainId);
  }
  const pack = (source: Omit<LayerSource, "latest">) =>
    packLayer(parts, { ...source, ...defined({ latest: created }) }, { lease, signal });
  const layers: Pick<StoredLayer, "blob" | "diffId">[] = [];
  const trusted = new Set<Digest>();
  for (const layer of base?.layers ?? []) {
    // The image may have been removed since, and its blobs with it; a container keeps its layers.
    const isHere = parts.blobs.has(layer.blob.digest);
    const directory = parts.snapshots.directory(layer.chainId);
    const held = isHere ? layer : await pack({ directory });
    layers.push(held);
    if (!isHere) trusted.add(held.blob.digest);
  }
  const below = layers.map(({ diffId }) => diffId);
  const top = { directory: upper, exclude };
  // Layers that were packed anew are not unpacked yet: nothing can be put upon them.
  const made =
    trusted.size > 0
      ? await pack(top)
      : await parts.layers.takePacked({ below, lease }, (target) => pack({ ...top, target }));
  layers.push(made);
  trusted.add(made.blob.digest);
  return await storeNew(parts, lease, {
    layers: layers.map(({ blob }) => blob),
    diffIds: layers.map(({ diffId }) => diffId),
    defaults: options.config,
    history: [...(base?.config.history ?? []), options.history ?? {}],
    reference: options.reference,
    created,
    author: options.author,
    platform: base?.config,
    trusted,
    parent: base?.id,
  });
}

type LayerSource = Pick<PackBlobRequest, "directory" | "exclude" | "latest" | "touch" | "target">;

/**
 * The directory of a layer, or of a container's changes, as a blob that the lease holds and that is
 * in its place.
 */
export async function packLayer(
  { blobs, compression }: CreationParts,
  source: LayerSource,
  { lease, signal }: { readonly lease: Lease; readonly signal: AbortSignal | undefined },
): Promise<Pick<StoredLayer, "blob"> & PackResult> {
  await using workspace = await blobs.workspace();
  const path = join(workspace.path, "layer");
  const packed = await packBlob(
    { ...source, mode: "upper", includeRoot: false, blob: { path, compression } },
    defined({ signal }),
  );
  const { digest, blobSize: size } = packed;
  lease.holdBlob(digest);
  crashPoint("commit:packed");
  await blobs.adopt(path, digest);
  crashPoint("commit:blob-adopted");
  return { ...packed, blob: { mediaType: layerMediaType(compression.format), digest, size } };
}

interface NewImage {
  readonly layers: Manifest["layers"];
  readonly diffIds: readonly DiffId[];
  readonly defaults: ImageDefaults;
  /** The last entry is the new layer's and gets the time. */
  readonly history: readonly HistoryEntry[];
  readonly reference: Reference | undefined;
  readonly platform?: Platform | undefined;
  readonly created?: bigint | undefined;
  readonly author?: string | undefined;
  readonly trusted?: ReadonlySet<Digest>;
  readonly parent?: Digest | undefined;
}

async function storeNew(parts: CreationParts, lease: Lease, image: NewImage): Promise<StoredImage> {
  const { diffIds, defaults, layers, reference, trusted, parent } = image;
  const created = formatTime(image.created ?? parts.clock.now());
  const { os, architecture, variant } = image.platform ?? hostPlatform();
  const last = { created, ...image.history.at(-1) };
  const config: ImageConfig = {
    architecture,
    ...defined({ variant }),
    os,
    created,
    ...defined({ author: image.author || undefined }),
    config: defaults,
    rootfs: { type: "layers", diff_ids: diffIds },
    history: [...image.history.slice(0, -1), last],
  };
  const references = reference ? [reference] : [];
  return await storeConfig(parts, lease, { config, layers, references, trusted, parent });
}

/** Stores an image by its configuration; its layers are held blobs already. */
export async function storeConfig(
  parts: CreationParts,
  lease: Lease,
  image: Documented & {
    readonly references: readonly Reference[];
    /** Layers that this engine has packed. */
    readonly trusted?: ReadonlySet<Digest> | undefined;
    /** The image of the container that it is committed from. */
    readonly parent?: Digest | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<StoredImage> {
  const { references, trusted, parent, signal } = image;
  const { manifest } = await putConfig(parts, lease, image);
  return await storeImage(
    parts,
    { manifestBytes: encodeDocument(manifest), references, parent },
    { lease, trusted, signal },
  );
}

/** An image by its documents. */
export interface Documented {
  readonly config: ImageConfig;
  readonly layers: Manifest["layers"];
  /** Of the manifest. */
  readonly annotations?: Manifest["annotations"] | undefined;
}

/** Puts the configuration of an image among the blobs, held by the lease; gives its manifest. */
export async function putConfig(
  { blobs }: Pick<CreationParts, "blobs">,
  lease: Lease,
  { config, layers, annotations }: Documented,
): Promise<{ readonly id: Digest; readonly manifest: Manifest }> {
  if (layers.length > maxLayers) {
    throw new Fault("exhausted", `the image would have more than ${maxLayers} layers`);
  }
  const bytes = encodeDocument(config);
  const id = sha256(bytes);
  lease.holdBlob(id);
  await blobs.put(bytes, id);
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: id, size: bytes.length },
    layers,
    ...defined({ annotations }),
  };
  return { id, manifest };
}
