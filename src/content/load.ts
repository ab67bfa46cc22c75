import { defined, Fault } from "#base";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  familiarString,
  type ImageConfig,
  type Platform,
  parseManifest,
  sha256,
} from "#image";
import { explodeArchive } from "#layer";
import { ArchiveFiles } from "./archive-files.ts";
import { type ArchivedImage, readArchiveIndex } from "./archive-index.ts";
import type { BlobStore } from "./blob-store.ts";
import type { ImageStore } from "./image-store.ts";
import type { LayerProgress } from "./layer-receiver.ts";
import type { LayerStore } from "./layer-store.ts";
import type { Collector, Lease } from "./lease.ts";
import type { SourceTable } from "./source-table.ts";
import type { StoredImage } from "./stored-image.ts";

/** The parts of the store that pull, load and make share. */
export interface ContentParts {
  readonly blobs: BlobStore;
  readonly images: ImageStore;
  readonly sources: SourceTable;
  readonly collector: Collector;
  readonly layers: LayerStore;
}

/** How to take in an archive. */
export interface LoadOptions {
  /** The platform to take of an image for several; absent: the host's. */
  readonly platform?: Platform | undefined;
  /** Layers that this engine has packed. */
  readonly trusted?: ReadonlySet<Digest> | undefined;
  /** Bytes of one layer (of `total`, compressed) unpacked so far. */
  readonly onProgress?: (layer: Digest, current: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** An image of an archive, now stored. */
export interface LoadedImage {
  readonly image: StoredImage;
  /** The names that it was given, familiar; empty when the archive names none. */
  readonly tags: readonly string[];
}

/** Old formats have four members for a layer; each becomes a file, and is remembered. */
const limits = { entries: 30_000 };

/**
 * Stores all images of an archive (docker save, OCI layout; plain, gzip or zstd).
 * Each image is complete before it is named; when one fails, those before it stay
 * and nothing of it does.
 */
export async function loadArchive(
  parts: ContentParts,
  archive: AsyncIterable<Uint8Array>,
  options: LoadOptions = {},
): Promise<readonly LoadedImage[]> {
  await using workspace = await parts.blobs.workspace();
  const { signal } = options;
  const request = { directory: workspace.path, limits, expansion: {} };
  const members = await explodeArchive(archive, request, defined({ signal }));
  const found = readArchiveIndex(new ArchiveFiles(members), options.platform);
  if (found.length === 0) throw new Fault("invalid", "the archive holds no images");
  const loaded: LoadedImage[] = [];
  // One for all of them: a file that two images share is moved into its place only once.
  await using lease = parts.collector.lease();
  for (const each of found) loaded.push(await loadImage(parts, each, { ...options, lease }));
  return loaded;
}

async function loadImage(
  parts: ContentParts,
  archived: ArchivedImage,
  options: LoadOptions & { readonly lease: Lease },
): Promise<LoadedImage> {
  for (const { path, digest } of archived.files) {
    options.lease.holdBlob(digest);
    await parts.blobs.adopt(path, digest);
  }
  const image = await storeImage(parts, archived, options);
  return { image, tags: archived.references.map(familiarString) };
}

/** Unpacks an image whose configuration and layers are held blobs already, and stores it. */
export async function storeImage(
  parts: ContentParts,
  image: Pick<ArchivedImage, "manifestBytes" | "references"> & {
    readonly parent?: Digest | undefined;
  },
  { lease, trusted, onProgress, signal }: LoadOptions & { readonly lease: Lease },
): Promise<StoredImage> {
  const manifest = parseManifest(image.manifestBytes);
  lease.holdBlob(sha256(image.manifestBytes));
  const digest = await parts.blobs.put(image.manifestBytes);
  const config = requireLinux(parts.images.readConfig(manifest.config.digest));
  const onLayer = (layer: Descriptor, { phase, current = 0 }: LayerProgress) => {
    if (phase === "extracting") onProgress?.(layer.digest, current, layer.size);
  };
  const size = await parts.layers.ensure({ manifest, config, lease, signal, trusted, onLayer });
  const id = await keepConfig(parts, manifest.config.digest, lease);
  await parts.blobs.sync();
  const { parent, references } = image;
  return parts.images.put({ digest, id, manifest, size, parent }, references).image;
}

/**
 * The id of an image: the sha256 of its configuration, whatever its manifest names that by,
 * since clients tell ids by their 64 digits. The configuration is kept under both names.
 */
export async function keepConfig(
  { blobs }: Pick<ContentParts, "blobs">,
  digest: Digest,
  lease: Lease,
): Promise<Digest> {
  if (digestAlgorithm(digest) === "sha256") return digest;
  const bytes = blobs.readDocument(digest);
  const id = sha256(bytes);
  lease.holdBlob(id);
  return await blobs.put(bytes, id);
}

/** The layers of an image for another system could not even be looked into. */
export function requireLinux(config: ImageConfig): ImageConfig {
  if (config.os === "linux") return config;
  throw new Fault("unsupported", `the image is for ${config.os}; only linux images can be used`);
}
