import { isFault } from "#base";
import { type Descriptor, type Digest, encodeDocument, parseManifest, sha256 } from "#image";
import type { ContentStores } from "./content.ts";
import { crashPoint } from "./crash-point.ts";
import type { ManifestReplacement } from "./image-table.ts";
import type { Lease } from "./lease.ts";
import { compressionOf, isDockerType, type RecompressedImage, typeFor } from "./recompress.ts";
import type { StoredImage } from "./stored-image.ts";

type Parts = Pick<ContentStores, "blobs" | "images" | "table" | "log">;

/**
 * The new manifest takes the place of the image's, and its compressed layers those of the plain
 * ones in other images.
 */
export async function replaceManifest(
  parts: Parts,
  image: StoredImage,
  { made, lease }: { readonly made: RecompressedImage; readonly lease: Lease },
): Promise<void> {
  const own = image.layers.map(({ blob }, index): [Digest, Digest] => [
    blob.digest,
    made.manifest.layers[index]?.digest ?? blob.digest,
  ]);
  const replacements: ManifestReplacement[] = [
    { from: image.digest, to: made.digest, blobs: new Map(own) },
  ];
  const sharing = [...made.compressed.keys()].flatMap((each) =>
    parts.table.localManifestsWith(each),
  );
  for (const from of new Set(sharing)) {
    const replacement =
      from !== image.digest && (await exchangeLayers(parts, from, { made, lease }));
    if (replacement) replacements.push(replacement);
  }
  await parts.blobs.sync();
  crashPoint("push:manifests-stored");
  parts.images.replaceManifests(replacements);
}

/** Stores the manifest with compressed layers. Undefined when its format has no form for them. */
async function exchangeLayers(
  { blobs, log }: Parts,
  from: Digest,
  { made, lease }: { readonly made: RecompressedImage; readonly lease: Lease },
): Promise<ManifestReplacement | undefined> {
  try {
    const manifest = parseManifest(blobs.readDocument(from), `manifest ${from}`);
    const exchanged = new Map<Digest, Digest>();
    const layers = manifest.layers.map((layer) => {
      const now = compressedForm(layer, made.compressed.get(layer.digest));
      if (now) exchanged.set(layer.digest, now.digest);
      return now ?? layer;
    });
    if (exchanged.size === 0) return undefined;
    const bytes = encodeDocument({ ...manifest, layers });
    lease.holdBlob(sha256(bytes));
    return { from, to: await blobs.put(bytes), blobs: exchanged };
  } catch (error) {
    // The push is done; an image that is damaged is for `fsck` to tell.
    if (!isFault(error, "not_found") && !isFault(error, "data_loss")) throw error;
    log.debug("an image keeps its plain layers", { manifest: from, error: error.message });
    return undefined;
  }
}

function compressedForm(layer: Descriptor, now: Descriptor | undefined): Descriptor | undefined {
  const format = now && compressionOf(now.mediaType);
  if (!format || format === "none") return undefined;
  if (format === "zstd" && isDockerType(layer.mediaType)) return undefined;
  const { digest, size } = now;
  return { ...layer, mediaType: typeFor(layer.mediaType, format), digest, size };
}
