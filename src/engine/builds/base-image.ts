import { Fault, isFault } from "#base";
import type { FindOptions, ImageLayout, WantedImage } from "#build";
import type { Lease, StoredImage } from "#content";
import { formatPlatform, platformDistance } from "#image";
import type { Parts } from "../parts.ts";
import { chooseManifest, pullForPlatform } from "../transfer/pull.ts";

type ImageParts = Parts<"content" | "registry" | "trust" | "events">;

/**
 * The image that a build begins with: the one of that name and platform that is here, or the one of
 * its registry when there is none or when the build asks for it.
 */
export async function findBaseImage(
  parts: ImageParts,
  image: WantedImage,
  options: FindOptions,
): Promise<StoredImage> {
  const { reference, platform } = image;
  const { layout, pull, credentials, lease, signal } = options;
  if (layout) return await takeFromLayout(parts, image, { layout, lease, signal });
  const isFor = (found: StoredImage | undefined) =>
    found && platformDistance(platform, found.config) !== undefined ? found : undefined;
  const here = pull ? undefined : isFor(imageHere(parts, reference));
  if (here) return hold(here, lease);
  const wanted = formatPlatform(platform);
  const request = { reference, platform: wanted, credentials };
  const pulled = await pullForPlatform(parts, request, {
    held: (found) => hold(found, lease),
    signal,
  }).catch((cause: unknown) => {
    if (!isFault(cause)) throw cause;
    const message = `failed to resolve source metadata for ${reference}: ${cause.message}`;
    throw new Fault(cause.code, message, { about: reference, cause });
  });
  const found = isFor(pulled);
  if (found) return found;
  throw new Fault("not_found", `${reference}: no image for platform ${wanted}`, {
    about: reference,
  });
}

/** Stores an image of an OCI layout, without a name; what of it is here already is not read. */
async function takeFromLayout(
  { content }: ImageParts,
  { reference, platform, layout: name = "" }: WantedImage,
  {
    layout,
    lease,
    signal,
  }: Pick<FindOptions, "lease" | "signal"> & { readonly layout: ImageLayout },
): Promise<StoredImage> {
  try {
    const top = await layout.manifest(reference, { signal });
    const { chosen } = await chooseManifest(layout, top, { wanted: platform, signal });
    const source = { manifestBytes: chosen.bytes, references: [], source: layout, signal };
    return hold((await content.pull(source)).image, lease);
  } catch (cause) {
    if (!isFault(cause)) throw cause;
    const message = `failed to load the image ${reference} of the context ${name}: ${cause.message}`;
    throw new Fault(cause.code, message, { about: name, cause });
  }
}

function hold(image: StoredImage, lease: Lease): StoredImage {
  for (const { blob, chainId } of image.layers) {
    lease.holdBlob(blob.digest);
    lease.holdLayer(chainId);
  }
  return image;
}

function imageHere({ content }: ImageParts, reference: string): StoredImage | undefined {
  try {
    return content.resolve(reference);
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}
