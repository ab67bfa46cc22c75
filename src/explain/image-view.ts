import type { Breathe, LayerEntry, LayerSource } from "./layer-source.ts";
import {
  type Content,
  defaultTreeLimits,
  MergedTree,
  type Node,
  pathOf,
  type TreeLimits,
} from "./merged-tree.ts";
import { apkPackages } from "./packages/apk.ts";
import { dpkgPackages } from "./packages/dpkg.ts";
import { languagePackages } from "./packages/language.ts";
import type { FoundPackage, PackageFiles, PackageSet } from "./packages/package.ts";
import { rpmPackages } from "./packages/rpm.ts";

const entriesPerBreath = 4096;
const smallFile = 1 << 20;

/** An image's layers, merged, with the content of its files at hand. */
export class ImageView {
  readonly tree: MergedTree;
  readonly layers: readonly LayerSource[];

  private constructor(tree: MergedTree, layers: readonly LayerSource[]) {
    this.tree = tree;
    this.layers = layers;
  }

  /** Reads all layers, lowest first. */
  static read(
    layers: readonly LayerSource[],
    breathe: Breathe,
    limits: TreeLimits = defaultTreeLimits,
  ): ImageView {
    const tree = new MergedTree(limits);
    let count = 0;
    for (const layer of layers) {
      tree.beginLayer();
      for (const entry of layer.entries()) {
        tree.apply(entry);
        if (++count % entriesPerBreath === 0) breathe();
      }
    }
    tree.finish();
    return new ImageView(tree, layers);
  }

  /**
   * The digest of a file's content; a different text for each file that cannot be read. Not kept:
   * nearly all are asked for once.
   */
  digest(content: Content): string {
    const path = pathOf(content.node);
    return this.layers[content.layer]?.digest(path) ?? `unread:${content.layer}:${path}`;
  }

  read(node: Node, limit: number): Buffer | undefined {
    const { content } = node;
    if (!content || content.size > limit) return undefined;
    return this.layers[content.layer]?.read(pathOf(content.node), limit);
  }

  attributes(node: Node): string {
    const { content } = node;
    const [layer, path] = content
      ? [content.layer, pathOf(content.node)]
      : [node.layer, pathOf(node)];
    return this.layers[layer]?.attributes(path) ?? "";
  }

  /** The entry of each layer at a path, lowest first; links are not followed. */
  entries(path: string): readonly (LayerEntry | undefined)[] {
    return this.layers.map((layer) => layer.entry(path));
  }

  /** The packages that the databases in the image know. */
  packages(): PackageSet {
    const files: PackageFiles = {
      read: (path, limit = smallFile) => {
        const node = this.tree.resolve(path, true);
        return node && this.read(node, limit);
      },
      list: (path) => [...(this.tree.resolve(path, true)?.children?.keys() ?? [])],
    };
    const rpm = rpmPackages(files);
    const packages: FoundPackage[] = [
      ...dpkgPackages(files),
      ...apkPackages(files),
      ...rpm.packages,
    ];
    packages.push(
      ...languagePackages({
        below: () => this.tree.below(this.tree.root),
        pathOf,
        read: (node, limit) => this.read(node, limit),
      }),
    );
    return { packages, unread: rpm.unread };
  }
}
