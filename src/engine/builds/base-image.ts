import { Fault, isFault } from "#base";
import type { FindOptions, WantedImage } from "#build";
import type { StoredImage } from "#content";
import { formatPlatform, platformDistance } from "#image";
import type { Parts } from "../parts.ts";
import { pullImage } from "../transfer/pull.ts";

type ImageParts = Parts<"content" | "registry" | "trust" | "events">;

/**
 * The image that a build begins with: the one of that name and platform that is here, or the one of
 * its registry when there is none or when the build asks for it.
 */
export async function findBaseImage(
  parts: ImageParts,
  { reference, platform, layout }: WantedImage,
  { pull, credentials, lease, signal }: FindOptions,
): Promise<StoredImage> {
  if (layout !== undefined) {
    throw new Fault("unsupported", `the OCI layout ${layout} cannot be used as an image`, {
      about: layout,
    });
  }
  const held = () => {
    const image = imageHere(parts, reference);
    if (!image || platformDistance(image.config, platform) === undefined) return undefined;
    for (const { blob, chainId } of image.layers) {
      lease.holdBlob(blob.digest);
      lease.holdLayer(chainId);
    }
    return image;
  };
  const here = pull ? undefined : held();
  if (here) return here;
  const wanted = formatPlatform(platform);
  const request = { reference, platform: wanted, credentials };
  await pullImage(parts, request, () => undefined, signal).catch((cause: unknown) => {
    if (!isFault(cause)) throw cause;
    const message = `failed to resolve source metadata for ${reference}: ${cause.message}`;
    throw new Fault(cause.code, message, { about: reference, cause });
  });
  const pulled = held();
  if (pulled) return pulled;
  throw new Fault("not_found", `${reference}: no image for platform ${wanted}`, {
    about: reference,
  });
}

function imageHere({ content }: ImageParts, reference: string): StoredImage | undefined {
  try {
    return content.resolve(reference);
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}
