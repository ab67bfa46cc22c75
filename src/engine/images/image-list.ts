import { isFault } from "#base";
import type { ListedImage } from "#content";
import type { Digest } from "#image";
import { usedImages } from "../containers/container-images.ts";
import type { Filters } from "../contract.ts";
import {
  booleanFilter,
  checkFilterKeys,
  matchesLabels,
  parseMoment,
  untilFilter,
} from "../filters.ts";
import type { Parts } from "../parts.ts";
import type { ImageDeletion, Images } from "./image-contract.ts";
import { referencePattern } from "./reference-pattern.ts";

const known = ["dangling", "label", "before", "since", "until", "reference"];

/** Images as `docker images` chooses them, the newest first. */
export function listImages(
  parts: Parts<"clock" | "content">,
  filters: Filters,
): readonly ListedImage[] {
  checkFilterKeys(filters, known);
  const dangling = booleanFilter(filters, "dangling");
  const now = parts.clock.now();
  const moments = (filters.until ?? []).map((value) => parseMoment(value, now));
  const times = (refs: readonly string[] = []) =>
    refs.map((ref) => createdAt(parts, parts.content.resolve(ref)));
  const before = [...moments, ...times(filters.before)];
  const since = times(filters.since);
  const patterns = (filters.reference ?? []).map(referencePattern);
  return parts.content.images
    .list()
    .filter(
      (image) =>
        (dangling === undefined || dangling === isDangling(image)) &&
        matchesLabels(image.labels, filters.label ?? []) &&
        before.every((limit) => age(parts, image, limit) < 0) &&
        since.every((limit) => age(parts, image, limit) > 0),
    )
    .flatMap((image) => {
      if (patterns.length === 0) return [image];
      // As Docker: of an image with several names, those that match are shown.
      const matching = (name: string) => patterns.some((matches) => matches(name));
      const tags = image.tags.filter(matching);
      const digests = image.digests.filter(matching);
      return tags.length + digests.length > 0 ? [{ ...image, tags, digests }] : [];
    })
    .toSorted((a, b) => b.created - a.created);
}

/** Negative for an image that was made before a moment, in nanoseconds since the epoch, positive after it. */
function age(parts: Parts<"content">, image: ListedImage, moment: bigint): number {
  const seconds = BigInt(image.created) - moment / 1_000_000_000n;
  // The parts of a second are in the configuration alone, which is not read for every image.
  return Number(seconds === 0n ? createdAt(parts, image) - moment : seconds);
}

function createdAt({ content }: Parts<"content">, { id, created }: ListedImage): bigint {
  const text = content.findById(id)?.config.created ?? "";
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? "";
  return BigInt(created) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** An image that was pulled by its digest alone has a name, too. */
function isDangling({ tags, digests }: ListedImage): boolean {
  return tags.length + digests.length === 0;
}

/** Removes dangling images, or with `dangling=false` all that no container uses. */
export async function pruneImages(
  parts: Parts<"clock" | "content" | "store" | "events">,
  filters: Filters,
  remove: (id: Digest) => Promise<readonly ImageDeletion[]>,
): ReturnType<Images["prune"]> {
  checkFilterKeys(filters, ["dangling", "label", "label!", "until"]);
  const all = booleanFilter(filters, "dangling") === false;
  const until = untilFilter(filters, parts.clock.now());
  const used = usedImages(parts);
  const deleted: ImageDeletion[] = [];
  const before = await bytesKept(parts);
  for (const image of parts.content.images.list()) {
    const { labels } = image;
    const isMeant =
      !used.has(image.id) &&
      (all || isDangling(image)) &&
      (until === undefined || BigInt(image.created) * 1_000_000_000n < until) &&
      matchesLabels(labels, filters.label ?? []) &&
      !(filters["label!"] ?? []).some((label) => matchesLabels(labels, [label]));
    if (!isMeant) continue;
    try {
      deleted.push(...(await remove(image.id)));
    } catch (error) {
      // A container was made of it meanwhile.
      if (!isFault(error, "conflict") && !isFault(error, "not_found")) throw error;
    }
  }
  // Layers that other images share with them are still there.
  const bytes = deleted.length === 0 ? 0 : Math.max(0, before - (await bytesKept(parts)));
  parts.events.publish("image", "prune", "", { reclaimed: String(bytes) });
  return { deleted, bytes };
}

async function bytesKept({ content }: Parts<"content">): Promise<number> {
  const { layers, blobs } = await content.diskUsage();
  return layers.size + blobs.size;
}
