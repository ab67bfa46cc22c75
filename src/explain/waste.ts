import { nameToText } from "#tar";
import type { Explanation, WastedPath } from "./explanation.ts";
import type { ImageView } from "./image-view.ts";
import { Largest } from "./largest.ts";
import type { Breathe } from "./layer-source.ts";
import type { Loss } from "./merged-tree.ts";

interface Waste {
  readonly kind: Loss["kind"];
  readonly path: string;
  readonly isDirectory: boolean;
  bytes: number;
  files: number;
  readonly layers: Set<number>;
  readonly by: Set<number>;
}

/** The files that later layers hid, by path; the totals count each file once. */
export function explainWaste(
  view: ImageView,
  { top, breathe }: { readonly top: number; readonly breathe: Breathe },
): {
  readonly total: Pick<Explanation["total"], "wasted" | "replaced" | "deleted" | "unchanged">;
  readonly wasted: Explanation["wasted"];
} {
  const total = { wasted: 0, replaced: 0, deleted: 0, unchanged: 0 };
  const paths = new Map<string, Waste>();
  for (const loss of view.tree.losses) {
    const key = `${loss.kind} ${loss.path}`;
    let waste = paths.get(key);
    if (!waste) {
      const { kind, path, isDirectory } = loss;
      const none = { bytes: 0, files: 0, layers: new Set<number>(), by: new Set<number>() };
      waste = { kind, path, isDirectory, ...none };
      paths.set(key, waste);
    }
    waste.by.add(loss.by + 1);
    for (const content of loss.contents) {
      waste.bytes += content.size;
      waste.files++;
      waste.layers.add(content.layer + 1);
      total.wasted += content.size;
      total[loss.kind] += content.size;
    }
    if (isUnchanged(view, loss)) {
      total.unchanged += loss.successor?.size ?? 0;
      breathe();
    }
  }
  const largest = new Largest<Waste>(top, ({ bytes }) => bytes);
  for (const waste of paths.values()) largest.add(waste);
  const list = largest.sorted().map(
    ({ layers, by, path, isDirectory, ...rest }): WastedPath => ({
      ...rest,
      path: `/${nameToText(path)}${isDirectory ? "/" : ""}`,
      layers: [...layers].sort((a, b) => a - b),
      by: [...by].sort((a, b) => a - b),
    }),
  );
  return { total, wasted: { count: paths.size, list } };
}

function isUnchanged(view: ImageView, { contents: [old, ...more], successor }: Loss): boolean {
  if (!old || !successor || more.length > 0 || old.size !== successor.size) return false;
  return old.size > 0 && view.digest(old) === view.digest(successor);
}
