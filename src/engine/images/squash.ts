import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault, isFault, Scope } from "#base";
import type { StoredImage } from "#content";
import { parseReference, withDefaultTag } from "#image";
import { squash } from "#rootfs";
import type { Parts } from "../parts.ts";
import type { SquashRequest, SquashResult } from "./explain-contract.ts";
import { analysed, findLayer, holdImage, weightOf } from "./explain-subject.ts";
import type { Progress } from "./image-contract.ts";

/**
 * Merges layers of an image into one and names the result. A crash leaves files in the work
 * directory, which the next start empties.
 */
export async function squashImage(
  parts: Parts<"paths" | "snapshots" | "content" | "events">,
  request: SquashRequest & { readonly ref: string },
  report: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<SquashResult> {
  const reference =
    request.reference === undefined ? undefined : withDefaultTag(parseReference(request.reference));
  await using scope = new Scope();
  const lease = scope.use(parts.content.lease());
  const image = holdImage(parts, lease, request.ref);
  const keep = layersToKeep(parts, image, request.from);
  await mkdir(parts.paths.work, { recursive: true, mode: 0o700 });
  const workDir = await mkdtemp(join(parts.paths.work, "squash-"));
  scope.defer(() => rm(workDir, { recursive: true, force: true }));
  const { created } = request;
  const made = await squash(parts, { image, keep, reference, created, workDir, report, signal });
  const name = made.tags[0] ?? made.id;
  parts.events.publish("image", "squash", made.id, { ...made.config.config?.Labels, name });
  return {
    ...analysed(made),
    kept: keep,
    merged: image.layers.length - keep,
    before: weightOf(image),
    after: weightOf(made),
  };
}

function layersToKeep(
  parts: Parts<"content">,
  image: StoredImage,
  from: string | undefined,
): number {
  if (from === undefined || from === "0") return 0;
  try {
    return findLayer(image, from);
  } catch (error) {
    if (!isFault(error, "not_found") || /^\d{1,3}$/.test(from)) throw error;
  }
  const base = baseOf(parts, image, from);
  const top = base.layers.at(-1);
  if (top && top.chainId === image.layers[base.layers.length - 1]?.chainId)
    return base.layers.length;
  throw new Fault(
    "invalid",
    `${image.tags[0] ?? image.id} is not made from ${from}: its lowest layers are others`,
    { about: from },
  );
}

function baseOf({ content }: Parts<"content">, image: StoredImage, from: string): StoredImage {
  try {
    return content.resolve(from);
  } catch (error) {
    if (!isFault(error, "not_found") && !isFault(error, "invalid")) throw error;
    const shown = image.tags[0] ?? image.id;
    const message = `"${from}" is neither a layer of ${shown} nor an image: give a layer's number (1 to ${image.layers.length - 1}) or digest, or the image that ${shown} is made from`;
    throw new Fault("not_found", message, { about: from, cause: error });
  }
}
