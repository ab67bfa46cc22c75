import type { Breathe } from "./layer-source.ts";
import type { MergedTree, Node } from "./merged-tree.ts";
import type { FoundPackage } from "./packages/package.ts";

/** Which package a file came with, and what each takes. */
export interface Ownership {
  /** By its place in the list of packages. */
  readonly ownerOf: ReadonlyMap<Node, number>;
  readonly totals: readonly PackageTotals[];
}

interface PackageTotals {
  bytes: number;
  files: number;
  /** Files that the database has and the image has not. */
  missing: number;
  readonly layers: Set<number>;
}

const pathsPerBreath = 256;

/**
 * Gives each visible file to the first package that names it. A path is looked up as the running
 * system would: packages still say /bin/sh where /bin is a link to usr/bin. With `layer` only the
 * files in that layer are counted.
 */
export function findOwners(
  tree: MergedTree,
  packages: readonly FoundPackage[],
  options: { readonly breathe: Breathe; readonly layer?: number | undefined },
): Ownership {
  const ownerOf = new Map<Node, number>();
  const totals: PackageTotals[] = [];
  let count = 0;
  for (const [index, found] of packages.entries()) {
    const total: PackageTotals = { bytes: 0, files: 0, missing: 0, layers: new Set() };
    totals.push(total);
    for (const path of found.paths) {
      if (++count % pathsPerBreath === 0) options.breathe();
      const node = tree.resolve(path);
      if (!node) total.missing++;
      if (!node || node.children || ownerOf.has(node)) continue;
      ownerOf.set(node, index);
      if (options.layer !== undefined && node.layer !== options.layer) continue;
      total.files++;
      total.layers.add(node.layer);
      if (!node.content || node.content.owner >= 0) continue;
      node.content.owner = index;
      total.bytes += node.content.size;
    }
  }
  return { ownerOf, totals };
}
