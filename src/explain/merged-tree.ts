import { Fault, StepBudget } from "#base";
import { nameToText, type TarType } from "#tar";
import type { LayerEntry } from "./layer-source.ts";

/** The bytes of one file, whatever its names: hard links share one. */
export interface Content {
  readonly layer: number;
  readonly size: number;
  /** Its first name that is visible; of hidden content the first of all. */
  node: Node;
  /** Names that are visible still. */
  links: number;
  /** The package that it is counted for; -1 without a package. */
  owner: number;
}

/** One name of the merged tree. */
export interface Node {
  readonly name: string;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node> | undefined;
  readonly type: Exclude<TarType, "hardlink">;
  /** The uppermost layer that has it. */
  layer: number;
  mode: number;
  uid: number;
  gid: number;
  readonly linkName: string;
  /** The content of a file. */
  content: Content | undefined;
}

/** Entries of lower layers that a layer hid. */
export interface Loss {
  readonly kind: "replaced" | "deleted";
  /** The path of the file or directory that went. */
  readonly path: string;
  readonly isDirectory: boolean;
  /** The layer that did it. */
  readonly by: number;
  /** The files that went with it; each file once, and only with its last name. */
  readonly contents: readonly Content[];
  /** The content in its place, when one file took the place of another. */
  readonly successor: Content | undefined;
}

export interface LayerTotals {
  /** Bytes of its files. */
  bytes: number;
  /** Files of its own. */
  files: number;
  /** All names of it, whiteouts too. */
  entries: number;
  added: number;
  /** Names that a layer below had as well. */
  changed: number;
  deleted: number;
}

export interface TreeLimits {
  /** Entries of all layers together. */
  readonly entries: number;
  readonly depth: number;
  /** Names on the way along all paths that are looked up. */
  readonly steps: number;
}

/** About 200 bytes an entry: 200,000 files take 40 MB. A hundred million steps take some seconds. */
export const defaultTreeLimits: TreeLimits = { entries: 2_000_000, depth: 2048, steps: 1e8 };

/**
 * The tree that a stack of layers shows, built from the lowest up as overlayfs would merge it, with
 * a record of all that a later layer hid.
 */
export class MergedTree {
  readonly root: Node = directory("", undefined, { mode: 0o755, uid: 0, gid: 0, layer: 0 });
  readonly losses: Loss[] = [];
  /** The totals of each layer, lowest first. */
  readonly layers: LayerTotals[] = [];
  /** The contents of all layers, hidden ones too. */
  readonly contents: Content[] = [];
  readonly #limits: TreeLimits;
  readonly #steps: StepBudget;
  #entries = 0;
  /** The directory of the entry before, which the next one is mostly in. */
  #last: { readonly path: string; readonly node: Node } = { path: "", node: this.root };
  /** Content that has lost one of several names. */
  readonly #renamed = new Set<Content>();
  /** Names of the layer at hand that hard links lead to. */
  #named = new Map<string, Content>();

  constructor(limits: TreeLimits = defaultTreeLimits) {
    this.#limits = limits;
    this.#steps = new StepBudget(limits.steps);
  }

  /** To be called before the entries of each layer. */
  beginLayer(): void {
    const totals = { bytes: 0, files: 0, entries: 0, added: 0, changed: 0, deleted: 0 };
    this.layers.push(totals);
    this.#named = new Map();
    this.#last = { path: "", node: this.root };
  }

  apply(entry: LayerEntry): void {
    const totals = this.layers.at(-1);
    if (!totals) throw new Fault("internal", "an entry came before its layer");
    if (++this.#entries > this.#limits.entries) {
      throw new Fault(
        "exhausted",
        `the image has more than ${this.#limits.entries} files; that is more than can be explained at once`,
      );
    }
    totals.entries++;
    if (entry.path === "") {
      this.#touch(this.root, entry);
      return;
    }
    const slash = entry.path.lastIndexOf("/");
    const name = entry.path.slice(slash + 1);
    const parent = this.#directory(slash < 0 ? "" : entry.path.slice(0, slash));
    const there = parent.children?.get(name);
    if (entry.type === "whiteout") {
      if (!there) return;
      totals.deleted++;
      this.#remove(there, "deleted");
      return;
    }
    if (there) totals.changed++;
    else totals.added++;
    if (there?.children && entry.type === "directory") this.#mergeDirectory(there, entry);
    else this.#put(parent, name, entry);
  }

  /** To be called after the last layer. */
  finish(): void {
    if (this.#renamed.size === 0) return;
    for (const node of this.below(this.root)) {
      if (node.content && this.#renamed.delete(node.content)) node.content.node = node;
    }
  }

  /**
   * The node at a path; links on the way, and with `follow` the last one, are followed inside the
   * tree. Undefined for a path whose links lead too far; too many steps together are `exhausted`.
   */
  resolve(path: string, follow = false): Node | undefined {
    const rest = componentsOf(path);
    const budget = new StepBudget();
    let at = this.root;
    for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
      if (!budget.take()) return undefined;
      if (!this.#steps.take()) {
        throw new Fault("exhausted", "the symbolic links in the image lead too far to be followed");
      }
      if (part === "..") {
        at = at.parent ?? this.root;
        continue;
      }
      const next: Node | undefined = at.children?.get(part);
      if (!next) return undefined;
      if (next.type !== "symlink" || (rest.length === 0 && !follow)) {
        at = next;
        continue;
      }
      if (next.linkName.startsWith("/")) at = this.root;
      rest.push(...componentsOf(next.linkName));
    }
    return at;
  }

  /** Every visible node below one, depth first; not the node itself. */
  *below(node: Node): Generator<Node, void> {
    const stack = [node.children?.values()];
    while (stack.length > 0) {
      const next = stack.at(-1)?.next();
      if (!next || next.done) {
        stack.pop();
        continue;
      }
      yield next.value;
      if (next.value.children) stack.push(next.value.children.values());
    }
  }

  #directory(path: string): Node {
    if (this.#last.path === path) return this.#last.node;
    let node = this.root;
    let depth = 0;
    for (const part of path === "" ? [] : path.split("/")) {
      if (++depth > this.#limits.depth) {
        throw new Fault("exhausted", `directories are nested more than ${depth - 1} deep`);
      }
      let next = node.children?.get(part);
      if (!next?.children) {
        if (next) this.#remove(next, "replaced");
        next = directory(part, node, { mode: 0o755, uid: 0, gid: 0, layer: this.#layer });
        node.children?.set(part, next);
      }
      node = next;
    }
    this.#last = { path, node };
    return node;
  }

  get #layer(): number {
    return this.layers.length - 1;
  }

  #mergeDirectory(node: Node, entry: LayerEntry): void {
    if (entry.opaque && node.children) {
      const totals = this.layers.at(-1);
      if (totals) totals.deleted += node.children.size;
      this.#lose("deleted", node, this.below(node));
      node.children.clear();
    }
    this.#touch(node, entry);
  }

  #touch(node: Node, { mode, uid, gid }: LayerEntry): void {
    node.layer = this.#layer;
    node.mode = mode;
    node.uid = uid;
    node.gid = gid;
  }

  #put(parent: Node, name: string, entry: LayerEntry): void {
    const layer = this.#layer;
    const { mode, uid, gid, linkName = "" } = entry;
    const there = parent.children?.get(name);
    if (entry.type === "directory") {
      if (there) this.#remove(there, "replaced", undefined);
      parent.children?.set(name, directory(name, parent, { mode, uid, gid, layer }));
      return;
    }
    const link = entry.type === "hardlink" ? this.#named.get(linkName) : undefined;
    const node: Node = {
      ...{ name, parent, children: undefined, layer, mode, uid, gid },
      type: entry.type === "hardlink" || entry.type === "whiteout" ? "file" : entry.type,
      linkName: entry.type === "symlink" ? linkName : "",
      content: link,
    };
    if (node.type === "file") {
      node.content ??= this.#count({ layer, size: entry.size, node, links: 0, owner: -1 }, entry);
      node.content.links++;
    }
    if (there) this.#remove(there, "replaced", node.content);
    parent.children?.set(name, node);
  }

  #count(content: Content, { path, linked }: LayerEntry): Content {
    const totals = this.layers[content.layer];
    if (totals) {
      totals.files++;
      totals.bytes += content.size;
    }
    this.contents.push(content);
    if (linked) this.#named.set(path, content);
    return content;
  }

  #remove(node: Node, kind: Loss["kind"], successor?: Content): void {
    node.parent?.children?.delete(node.name);
    this.#last = { path: "", node: this.root };
    this.#lose(kind, node, [node, ...this.below(node)], successor);
  }

  #lose(kind: Loss["kind"], at: Node, nodes: Iterable<Node>, successor?: Content): void {
    const contents: Content[] = [];
    for (const { content } of nodes) {
      if (!content) continue;
      if (--content.links === 0) contents.push(content);
      else this.#renamed.add(content);
    }
    if (contents.length === 0) return;
    const isDirectory = at.children !== undefined;
    const path = pathOf(at);
    this.losses.push({ kind, path, isDirectory, by: this.#layer, contents, successor });
  }
}

/** As people write it: from the root, a directory with a slash at its end. */
export function shownPath(node: Node): string {
  const path = `/${nameToText(pathOf(node))}`;
  return node.children && path !== "/" ? `${path}/` : path;
}

/** The components of a path, the last one first. */
function componentsOf(path: string): string[] {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .reverse();
}

/** Components joined by "/"; "" for the root. */
export function pathOf(node: Node): string {
  const parts: string[] = [];
  for (let at: Node = node; at.parent; at = at.parent) parts.push(at.name);
  return parts.toReversed().join("/");
}

function directory(
  name: string,
  parent: Node | undefined,
  attributes: Pick<Node, "mode" | "uid" | "gid" | "layer">,
): Node {
  return {
    name,
    parent,
    children: new Map(),
    type: "directory",
    ...attributes,
    linkName: "",
    content: undefined,
  };
}
