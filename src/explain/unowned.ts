import type { Explanation, SizedPath } from "./explanation.ts";
import { Largest } from "./largest.ts";
import { type MergedTree, type Node, shownPath } from "./merged-tree.ts";
import type { Ownership } from "./ownership.ts";
import type { Sum } from "./tree-sums.ts";

/** Files that no package owns; a directory in which no file is owned stands for all of them. */
export function explainUnowned(
  tree: MergedTree,
  options: {
    readonly sums: ReadonlyMap<Node, Sum>;
    readonly ownership: Ownership;
    readonly isShown: (node: Node) => boolean;
    readonly top: number;
  },
): Explanation["unowned"] {
  const { sums, ownership, isShown, top } = options;
  const shared = new Set<Node>();
  for (const node of ownership.ownerOf.keys()) {
    for (let at = node.parent; at && !shared.has(at); at = at.parent) shared.add(at);
  }
  const largest = new Largest<SizedPath>(top, ({ bytes }) => bytes);
  const total = { bytes: 0, files: 0 };
  const count = (node: Node, { bytes, files }: Sum) => {
    if (files === 0) return;
    total.bytes += bytes;
    total.files += files;
    largest.add({ path: shownPath(node), bytes, files });
  };
  const rest: Node[] = [tree.root];
  for (let node = rest.pop(); node; node = rest.pop()) {
    if (!node.children) {
      if (ownership.ownerOf.has(node) || !isShown(node)) continue;
      const isCounted = node.content?.node === node && node.content.owner < 0;
      count(node, { bytes: isCounted ? (node.content?.size ?? 0) : 0, files: 1 });
    } else if (shared.has(node) || node === tree.root) rest.push(...node.children.values());
    else count(node, sums.get(node) ?? { bytes: 0, files: 0 });
  }
  return { ...total, list: largest.sorted() };
}
