import { isFault } from "#base";
import type { ListedImage } from "#content";
import type { Digest } from "#image";
import { usedImages } from "../containers/container-images.ts";
import type { Filters } from "../contract.ts";
import { booleanFilter, checkFilterKeys, matchesLabels, untilFilter } from "../filters.ts";
import type { Parts } from "../parts.ts";
import type { ImageDeletion, Images } from "./image-contract.ts";

const known = ["dangling", "label", "before", "since", "until", "reference"];

/** Images as `docker images` chooses them, the newest first. */
export function listImages(
  parts: Parts<"clock" | "content">,
  filters: Filters,
): readonly ListedImage[] {
  checkFilterKeys(filters, known);
  const dangling = booleanFilter(filters, "dangling");
  const until = untilFilter(filters, parts.clock.now());
  const created = (key: string) =>
    (filters[key] ?? []).map((ref) => parts.content.resolve(ref).created);
  const before = Math.min(...created("before"));
  const since = Math.max(...created("since"));
  const patterns = (filters.reference ?? []).map(referencePattern);
  return parts.content.images
    .list()
    .filter(
      (image) =>
        (dangling === undefined || dangling === isDangling(image)) &&
        matchesLabels(image.labels, filters.label ?? []) &&
        image.created < before &&
        image.created > since &&
        (until === undefined || BigInt(image.created) * 1_000_000_000n < until),
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

/** An image that was pulled by its digest alone has a name, too. */
function isDangling({ tags, digests }: ListedImage): boolean {
  return tags.length + digests.length === 0;
}

/** Docker's `reference` filter: a shell pattern for the familiar name, with or without its tag. */
function referencePattern(pattern: string): (tag: string) => boolean {
  const source = pattern
    .slice(0, 512)
    .replace(/[.+^${}()|\\]/g, "\\$&")
    .replace(/\*/g, "[^/]*")
    .replace(/\?/g, "[^/]");
  const expression = new RegExp(`^(?:${source})$`);
  return (name) => expression.test(name) || expression.test(name.replace(/(:[^:/@]*|@.*)$/, ""));
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
