import type { TreeExplanation } from "./explanation.ts";
import type { Breathe } from "./layer-source.ts";
import { type MergedTree, type Node, shownPath } from "./merged-tree.ts";

export interface Sum {
  bytes: number;
  files: number;
}

const nodesPerBreath = 4096;

/** Bytes and files below each directory; a file with several names counts where its first one is. */
export function sumDirectories(
  tree: MergedTree,
  isShown: (node: Node) => boolean,
  breathe: Breathe,
): ReadonlyMap<Node, Sum> {
  const sums = new Map<Node, Sum>([[tree.root, { bytes: 0, files: 0 }]]);
  const order: Node[] = [];
  let count = 0;
  for (const node of tree.below(tree.root)) {
    if (++count % nodesPerBreath === 0) breathe();
    if (node.children) {
      sums.set(node, { bytes: 0, files: 0 });
      order.push(node);
      continue;
    }
    const sum = isShown(node) && node.parent && sums.get(node.parent);
    if (!sum) continue;
    sum.files++;
    if (node.content && firstName(node)) sum.bytes += node.content.size;
  }
  // Depth first: whatever is in a directory comes after it.
  for (const node of order.toReversed()) {
    const sum = sums.get(node);
    const above = node.parent && sums.get(node.parent);
    if (!sum || !above) continue;
    above.bytes += sum.bytes;
    above.files += sum.files;
  }
  return sums;
}

/** Whether a file's bytes are counted at this name. */
function firstName(node: Node): boolean {
  return node.content?.node === node;
}

/** The directories that take most, to a depth. */
export function explainTree(
  tree: MergedTree,
  sums: ReadonlyMap<Node, Sum>,
  { depth, top }: { readonly depth: number; readonly top: number },
): TreeExplanation {
  const explain = (node: Node, levels: number): TreeExplanation => {
    const { bytes, files } = sums.get(node) ?? { bytes: 0, files: 0 };
    const own = { path: shownPath(node), bytes, files };
    if (levels === 0) return own;
    const inside = [...(node.children?.values() ?? [])]
      .filter((child) => child.children && (sums.get(child)?.files ?? 0) > 0)
      .sort((a, b) => (sums.get(b)?.bytes ?? 0) - (sums.get(a)?.bytes ?? 0))
      .slice(0, top);
    const children = inside.map((child) => explain(child, levels - 1));
    const rest = {
      bytes: children.reduce((left, child) => left - child.bytes, bytes),
      files: children.reduce((left, child) => left - child.files, files),
    };
    return { ...own, children, ...(rest.files > 0 && { rest }) };
  };
  return explain(tree.root, depth);
}
