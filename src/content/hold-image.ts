import { type Descriptor, type Digest, encodeDocument, type ImageConfig, sha256 } from "#image";
import type { Compression, CompressionChoice } from "#layer";
import type { BuiltOptions } from "./commit-layer.ts";
import { type CreationParts, putConfig } from "./create-image.ts";
import { recompressed } from "./recompress.ts";
import { type ArchivableImage, forOldReaders } from "./save.ts";

/** An image that is no more than its blobs: it has no name and is in no list. */
export interface HeldImage extends ArchivableImage {
  /** The digest of its configuration. */
  readonly id: Digest;
  readonly config: ImageConfig;
}

/** An image or several, with what belongs to them, as blobs that a lease holds. */
export interface Artifact {
  /** What a name leads to: the only manifest, or an index of all. */
  readonly root: Descriptor;
  /** Each with the blobs that it names. */
  readonly manifests: readonly {
    readonly descriptor: Descriptor;
    readonly blobs: readonly Descriptor[];
  }[];
  /** The images among them. */
  readonly images: readonly HeldImage[];
}

/** An image to be held: in a registry plain layers are compressed, in an archive older readers know all. */
export interface HoldOptions extends BuiltOptions {
  readonly form: "registry" | "archive";
}

/** Puts the documents of an image among the blobs, for as long as the lease holds them. */
export async function holdImage(
  parts: CreationParts,
  { layers, config, annotations, lease, form, signal }: HoldOptions,
): Promise<HeldImage> {
  const blobs = layers.map(({ blob }) => blob);
  const { id, manifest } = await putConfig(parts, lease, { config, layers: blobs, annotations });
  const bytes = encodeDocument(manifest);
  const digest = sha256(bytes);
  lease.holdBlob(digest);
  await parts.blobs.put(bytes, digest);
  const image = { id, digest, config, manifest, layers, manifestSize: bytes.length };
  const plain = (_: Descriptor, before: Compression): CompressionChoice | undefined =>
    before === "none" ? parts.compression : undefined;
  const choose = form === "archive" ? forOldReaders : plain;
  return await recompressed(parts, image, { choose, lease, signal });
}
