import type { DuplicateFiles, Explanation } from "./explanation.ts";
import type { ImageView } from "./image-view.ts";
import { Largest } from "./largest.ts";
import type { Breathe } from "./layer-source.ts";
import { type Content, shownPath } from "./merged-tree.ts";

/** Smaller files cost more to compare than their copies take. */
const smallest = 1024;
const maxShown = 10;

/** Files of the same content that a container sees. Only those of one size are read. */
export function explainDuplicates(
  view: ImageView,
  { top, breathe }: { readonly top: number; readonly breathe: Breathe },
): Explanation["duplicates"] {
  const bySize = new Map<number, Content[]>();
  for (const content of view.tree.contents) {
    if (content.size < smallest || content.links === 0) continue;
    const same = bySize.get(content.size);
    if (same) same.push(content);
    else bySize.set(content.size, [content]);
  }
  const largest = new Largest<readonly Content[]>(top, extraOf);
  const total = { bytes: 0, count: 0 };
  for (const [size, contents] of bySize) {
    if (contents.length < 2) continue;
    const byDigest = new Map<string, Content[]>();
    for (const content of contents) {
      const digest = view.digest(content);
      const same = byDigest.get(digest);
      if (same) same.push(content);
      else byDigest.set(digest, [content]);
      breathe();
    }
    for (const copies of byDigest.values()) {
      if (copies.length < 2) continue;
      total.bytes += size * (copies.length - 1);
      total.count++;
      largest.add(copies);
    }
  }
  return { ...total, atLeast: smallest, list: largest.sorted().map(explainCopies) };
}

function extraOf(copies: readonly Content[]): number {
  return (copies[0]?.size ?? 0) * (copies.length - 1);
}

function explainCopies(copies: readonly Content[]): DuplicateFiles {
  return {
    bytes: copies[0]?.size ?? 0,
    copies: copies.length,
    extra: extraOf(copies),
    files: copies
      .slice(0, maxShown)
      .map(({ node, layer }) => ({ path: shownPath(node), layer: layer + 1 })),
  };
}
