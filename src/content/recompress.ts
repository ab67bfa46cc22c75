import { join } from "node:path";
import { defined, Fault } from "#base";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  encodeDocument,
  type Manifest,
  mediaTypes,
  requireDigest,
  sha256,
} from "#image";
import { type Compression, type CompressionChoice, recompressBlob } from "#layer";
import type { Lease } from "./lease.ts";
import type { ContentParts } from "./load.ts";
import type { ArchivableImage } from "./save.ts";
import type { StoredImage, StoredLayer } from "./stored-image.ts";

export interface RecompressOptions<L = StoredLayer> {
  /** Undefined: the layer stays as it is. */
  readonly choose: (layer: Descriptor, compression: Compression) => CompressionChoice | undefined;
  /** Holds the blobs that are made. */
  readonly lease: Lease;
  /** Bytes of the layer's blob read so far. */
  readonly onProgress?: (layer: L, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The manifest of an image in another form: same configuration, same files, other blobs. */
export interface RecompressedImage {
  readonly manifest: Manifest;
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly manifestSize: number;
  /** The layers that were plain, and what each has become. */
  readonly compressed: ReadonlyMap<Digest, Descriptor>;
}

/**
 * The choice, if it changes a layer: another format, or any level, because a layer does not say
 * which level it was made with.
 */
export function changed(
  before: Compression,
  choice: CompressionChoice,
): CompressionChoice | undefined {
  return before !== choice.format || choice.level !== undefined ? choice : undefined;
}

/**
 * By the media type, which pull and load have checked against the bytes; undefined for a layer that
 * must not be changed.
 */
export function compressionOf(mediaType: string): Compression | undefined {
  const types: Readonly<Record<string, Compression>> = {
    [mediaTypes.layer]: "none",
    [mediaTypes.dockerLayer]: "none",
    [mediaTypes.layerGzip]: "gzip",
    [mediaTypes.dockerLayerGzip]: "gzip",
    [mediaTypes.layerZstd]: "zstd",
    [mediaTypes.dockerLayerZstd]: "zstd",
  };
  return types[mediaType];
}

/**
 * Gives the layers of an image another compression where `choose` wants one. The blobs and
 * the manifest are stored and held by the lease; undefined when nothing changes. The same
 * image always gives the same bytes.
 */
export async function recompressImage(
  parts: Pick<ContentParts, "blobs">,
  image: Pick<StoredImage, "layers" | "manifest">,
  options: RecompressOptions,
): Promise<RecompressedImage | undefined> {
  const layers: Descriptor[] = [];
  // A layer that stands in an image twice is compressed once.
  const done = new Map<Digest, Descriptor>();
  for (const layer of image.layers) {
    const known = done.get(layer.blob.digest) ?? (await recompressLayer(parts, layer, options));
    done.set(layer.blob.digest, known);
    layers.push(known);
  }
  if (layers.every((each, index) => each === image.layers[index]?.blob)) return undefined;
  const manifest: Manifest = { ...image.manifest, layers };
  const bytes = encodeDocument(manifest);
  options.lease.holdBlob(sha256(bytes));
  const digest = await parts.blobs.put(bytes);
  await parts.blobs.sync();
  const compressed = new Map<Digest, Descriptor>();
  for (const { blob } of image.layers) {
    const now = done.get(blob.digest);
    if (compressionOf(blob.mediaType) === "none" && now && now !== blob) {
      compressed.set(blob.digest, now);
    }
  }
  return { manifest, digest, manifestSize: bytes.length, compressed };
}

/** The image in the form that `recompressImage` gives it, or as it is. */
export async function recompressed<T extends ArchivableImage>(
  parts: Pick<ContentParts, "blobs">,
  image: T,
  options: RecompressOptions,
): Promise<T> {
  const made = await recompressImage(parts, image, options);
  if (!made) return image;
  const { manifest, digest, manifestSize } = made;
  const layers = image.layers.map((layer, index) => ({
    ...layer,
    blob: manifest.layers[index] ?? layer.blob,
  }));
  return { ...image, manifest, digest, manifestSize, layers };
}

/** The blob of one layer in the compression that `choose` wants, or as it is. */
export async function recompressLayer<L extends Pick<StoredLayer, "blob" | "diffId">>(
  { blobs }: Pick<ContentParts, "blobs">,
  layer: L,
  { choose, lease, onProgress, signal }: RecompressOptions<L>,
): Promise<Descriptor> {
  const { blob, diffId } = layer;
  const before = compressionOf(blob.mediaType);
  const choice = before && choose(blob, before);
  if (!choice) return blob;
  await using workspace = await blobs.workspace();
  const path = join(workspace.path, "layer");
  const source = { path: blobs.path(blob.digest) };
  onProgress?.(layer, 0);
  const made = await recompressBlob(
    { source, path, choice, diffAlgorithm: digestAlgorithm(diffId) },
    {
      ...(onProgress && { onProgress: (bytes: number) => onProgress(layer, bytes) }),
      ...defined({ signal }),
    },
  );
  requireDigest(`the content of layer ${blob.digest}`, diffId, made.diffId);
  lease.holdBlob(made.digest);
  await blobs.adopt(path, made.digest);
  const mediaType = typeFor(blob.mediaType, choice.format);
  return { ...blob, mediaType, digest: made.digest, size: made.size };
}

/** Docker's manifest format has media types of its own, but none for zstd. */
export function isDockerType(mediaType: string): boolean {
  return mediaType.startsWith("application/vnd.docker.");
}

/**
 * The media type of a layer in the new compression, in the same manifest format; `unsupported`
 * where the format has none.
 */
export function typeFor(mediaType: string, format: "gzip" | "zstd"): string {
  const isDocker = isDockerType(mediaType);
  if (format === "gzip") return isDocker ? mediaTypes.dockerLayerGzip : mediaTypes.layerGzip;
  if (!isDocker) return mediaTypes.layerZstd;
  throw new Fault(
    "unsupported",
    "an image in Docker's manifest format cannot have layers in zstd; use gzip",
  );
}
