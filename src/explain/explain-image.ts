import { defined } from "#base";
import { nameToText } from "#tar";
import { explainDuplicates } from "./duplicates.ts";
import type {
  Explanation,
  FileExplanation,
  HintExplanation,
  LayerExplanation,
  PackageExplanation,
} from "./explanation.ts";
import { hintOf } from "./hint.ts";
import type { ImageView } from "./image-view.ts";
import { Largest } from "./largest.ts";
import type { Breathe } from "./layer-source.ts";
import { type Content, type Node, pathOf, shownPath } from "./merged-tree.ts";
import { findOwners, type Ownership } from "./ownership.ts";
import type { PackageSet } from "./packages/package.ts";
import { explainTree, sumDirectories } from "./tree-sums.ts";
import { explainUnowned } from "./unowned.ts";
import { explainWaste } from "./waste.ts";

export interface ExplainOptions {
  /** Items of each list. */
  readonly top: number;
  /** Levels of directories. */
  readonly depth: number;
  /** From 1: tree, files, packages and hints of this layer alone. */
  readonly layer?: number | undefined;
  readonly breathe: Breathe;
}

const nodesPerBreath = 4096;

/** Where the bytes of an image are. */
export function explainImage(view: ImageView, options: ExplainOptions): Explanation {
  const { tree } = view;
  const layer = options.layer === undefined ? undefined : options.layer - 1;
  const isShown = (node: Node) => layer === undefined || node.layer === layer;
  const found = view.packages();
  options.breathe();
  const ownership = findOwners(tree, found.packages, { breathe: options.breathe, layer });
  const files = new Largest<Node>(options.top, (node) => node.content?.size ?? 0);
  const hints = new HintCounter();
  let count = 0;
  for (const node of tree.below(tree.root)) {
    if (++count % nodesPerBreath === 0) options.breathe();
    if (node.content?.node !== node || !isShown(node)) continue;
    files.add(node);
    hints.add(node.content, pathOf(node));
  }
  const sums = sumDirectories(tree, isShown, options.breathe);
  const waste = explainWaste(view, options);
  const visible = tree.contents.reduce((sum, { links, size }) => sum + (links > 0 ? size : 0), 0);
  const bytes = tree.layers.reduce((sum, each) => sum + each.bytes, 0);
  return {
    total: {
      bytes,
      visible,
      files: tree.contents.reduce((sum, { links }) => sum + (links > 0 ? 1 : 0), 0),
      ...waste.total,
      efficiency: bytes === 0 ? 1 : visible / bytes,
    },
    layers: explainLayers(view),
    tree: explainTree(tree, sums, options),
    files: files.sorted().map((node) => explainFile(node, found, ownership)),
    packages: explainPackages(found, ownership, options.top),
    unowned: explainUnowned(tree, { sums, ownership, isShown, top: options.top }),
    wasted: waste.wasted,
    duplicates: explainDuplicates(view, options),
    hints: hints.list(),
  };
}

function explainLayers({ tree }: ImageView): LayerExplanation[] {
  const visible = tree.layers.map(() => 0);
  for (const { layer, size, links } of tree.contents) {
    if (links > 0) visible[layer] = (visible[layer] ?? 0) + size;
  }
  const hides = tree.layers.map(() => 0);
  for (const { by, contents } of tree.losses) {
    hides[by] = contents.reduce((sum, { size }) => sum + size, hides[by] ?? 0);
  }
  return tree.layers.map(({ bytes, files, added, changed, deleted }, index) => ({
    layer: index + 1,
    bytes,
    files,
    visible: visible[index] ?? 0,
    added,
    changed,
    deleted,
    hides: hides[index] ?? 0,
  }));
}

function explainFile(
  node: Node,
  { packages }: PackageSet,
  { ownerOf }: Ownership,
): FileExplanation {
  const owner = packages[ownerOf.get(node) ?? -1];
  return {
    path: shownPath(node),
    bytes: node.content?.size ?? 0,
    layer: node.layer + 1,
    ...defined({ package: owner && nameToText(owner.name) }),
    links: (node.content?.links ?? 1) - 1,
  };
}

function explainPackages(
  { packages, unread }: PackageSet,
  { totals }: Ownership,
  top: number,
): Explanation["packages"] {
  const list: PackageExplanation[] = packages.flatMap((found, index) => {
    const total = totals[index];
    // A package of a language that is a system package too has all its files counted there.
    if (!total || (total.files === 0 && (found.manager === "npm" || found.manager === "pip")))
      return [];
    return [
      {
        manager: found.manager,
        name: nameToText(found.name),
        version: nameToText(found.version),
        ...(found.architecture !== undefined && { architecture: nameToText(found.architecture) }),
        bytes: total.bytes,
        files: total.files,
        ...defined({ installedSize: found.installedSize }),
        missing: total.missing,
        layers: [...total.layers].sort((a, b) => a - b).map((layer) => layer + 1),
      },
    ];
  });
  list.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  return {
    managers: [...new Set(list.map(({ manager }) => manager))],
    unread,
    count: list.length,
    bytes: list.reduce((sum, { bytes }) => sum + bytes, 0),
    list: list.slice(0, top),
  };
}

class HintCounter {
  readonly #found = new Map<string, HintExplanation & { bytes: number; files: number }>();

  add({ size }: Content, path: string): void {
    const kind = hintOf(path);
    if (!kind) return;
    const { name, what, advice } = kind;
    const hint = this.#found.get(name);
    if (hint) {
      hint.bytes += size;
      hint.files++;
    } else {
      const example = `/${nameToText(path)}`;
      this.#found.set(name, { kind: name, what, advice, bytes: size, files: 1, example });
    }
  }

  /** The largest first. */
  list(): HintExplanation[] {
    return [...this.#found.values()]
      .filter(({ bytes }) => bytes > 0)
      .sort((a, b) => b.bytes - a.bytes);
  }
}
