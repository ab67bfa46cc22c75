import { nameToText } from "#tar";
import type { ImageView } from "./image-view.ts";
import type { Breathe } from "./layer-source.ts";
import { type MergedTree, type Node, shownPath } from "./merged-tree.ts";
import type { FoundPackage, PackageManager } from "./packages/package.ts";

/** The differences between the files of two images. */
export interface FileComparison {
  readonly added: Count;
  readonly removed: Count;
  readonly changed: Count;
  /** The first by path, as many as `limit`; a directory that came or went as a whole is one change. */
  readonly changes: readonly FileChange[];
  /** Changes that are not listed. */
  readonly more: number;
  readonly packages: {
    readonly added: readonly PackageVersion[];
    readonly removed: readonly PackageVersion[];
    readonly changed: readonly (PackageVersion & { readonly from: string })[];
  };
}

interface Count {
  readonly files: number;
  readonly bytes: number;
}

export type ChangedAspect = "type" | "content" | "size" | "mode" | "owner" | "link" | "attributes";

/** A path that differs. */
export interface FileChange {
  readonly kind: "added" | "removed" | "changed";
  readonly path: string;
  /** The bytes that were added or removed; of a changed file, its new size. */
  readonly bytes: number;
  readonly files: number;
  readonly aspects?: readonly ChangedAspect[];
  readonly from?: FileState;
  readonly to?: FileState;
}

/** A file as one of the images has it; `mode` without the type. */
export interface FileState {
  readonly type: string;
  readonly bytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly target?: string;
}

/** A package that differs, in the version of the later image; of a removed one, that it had. */
export interface PackageVersion {
  readonly manager: PackageManager;
  readonly name: string;
  readonly architecture?: string;
  readonly version: string;
}

export interface CompareOptions {
  /** How many changes to list. */
  readonly limit: number;
  /** The number of layers at the bottom that both have; files from them need no comparison. */
  readonly shared: number;
  readonly breathe: Breathe;
}

/** Times are not compared: a rebuild changes them all. */
export function compareImages(
  from: ImageView,
  to: ImageView,
  options: CompareOptions,
): FileComparison {
  const comparison = new Comparison(from, to, options);
  comparison.directories(from.tree.root, to.tree.root);
  return { ...comparison.result(), packages: comparePackages(from, to) };
}

class Comparison {
  readonly #from: ImageView;
  readonly #to: ImageView;
  readonly #options: CompareOptions;
  readonly #totals = { added: none(), removed: none(), changed: none() };
  /** By path: the walk is in the order of names. */
  readonly #changes: FileChange[] = [];
  #count = 0;
  #visited = 0;

  constructor(from: ImageView, to: ImageView, options: CompareOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
  }

  result(): Omit<FileComparison, "packages"> {
    return { ...this.#totals, changes: this.#changes, more: this.#count - this.#changes.length };
  }

  directories(from: Node, to: Node): void {
    const names = new Set([...(from.children?.keys() ?? []), ...(to.children?.keys() ?? [])]);
    for (const name of [...names].sort()) {
      const before = from.children?.get(name);
      const after = to.children?.get(name);
      if (++this.#visited % 256 === 0) this.#options.breathe();
      if (before && after) this.#compare(before, after);
      else if (after) this.#whole("added", this.#to.tree, after);
      else if (before) this.#whole("removed", this.#from.tree, before);
    }
  }

  #compare(before: Node, after: Node): void {
    if ((before.children === undefined) !== (after.children === undefined)) {
      this.#whole("removed", this.#from.tree, before);
      this.#whole("added", this.#to.tree, after);
      return;
    }
    // Not so for directories, whose attributes may come from any layer.
    const isShared =
      !before.children && before.layer === after.layer && before.layer < this.#options.shared;
    const aspects = isShared ? [] : this.#aspects(before, after);
    if (aspects.length > 0) {
      const bytes = after.content?.size ?? 0;
      this.#totals.changed.files++;
      this.#totals.changed.bytes += bytes - (before.content?.size ?? 0);
      const states = { from: stateOf(before), to: stateOf(after) };
      this.#list({ kind: "changed", path: shownPath(after), bytes, files: 1, aspects, ...states });
      this.#options.breathe();
    }
    if (before.children) this.directories(before, after);
  }

  #aspects(before: Node, after: Node): ChangedAspect[] {
    if (before.type !== after.type) return ["type"];
    const aspects: ChangedAspect[] = [];
    const [old, current] = [before.content, after.content];
    if (old && current) {
      if (old.size !== current.size) aspects.push("size", "content");
      else if (old.size > 0 && this.#from.digest(old) !== this.#to.digest(current))
        aspects.push("content");
    }
    if (before.linkName !== after.linkName) aspects.push("link");
    // The mode of a link means nothing.
    if (before.type !== "symlink" && before.mode !== after.mode) aspects.push("mode");
    if (before.uid !== after.uid || before.gid !== after.gid) aspects.push("owner");
    if (this.#from.attributes(before) !== this.#to.attributes(after)) aspects.push("attributes");
    return aspects;
  }

  #whole(kind: "added" | "removed", tree: MergedTree, node: Node): void {
    let bytes = node.content?.size ?? 0;
    let files = node.children ? 0 : 1;
    for (const each of tree.below(node)) {
      if (each.children) continue;
      files++;
      if (each.content?.node === each) bytes += each.content.size;
    }
    this.#totals[kind].files += files;
    this.#totals[kind].bytes += bytes;
    this.#list({ kind, path: shownPath(node), bytes, files });
  }

  #list(change: FileChange): void {
    this.#count++;
    if (this.#changes.length < this.#options.limit) this.#changes.push(change);
  }
}

function none(): { files: number; bytes: number } {
  return { files: 0, bytes: 0 };
}

function stateOf({ type, content, mode, uid, gid, linkName }: Node): FileState {
  const target = linkName === "" ? {} : { target: nameToText(linkName) };
  return { type, bytes: content?.size ?? 0, mode, uid, gid, ...target };
}

function comparePackages(from: ImageView, to: ImageView): FileComparison["packages"] {
  const before = byName(from.packages().packages);
  const after = byName(to.packages().packages);
  const added: PackageVersion[] = [];
  const changed: (PackageVersion & { from: string })[] = [];
  for (const [key, found] of after) {
    const old = before.get(key);
    if (!old) added.push(found);
    else if (old.version !== found.version) changed.push({ ...found, from: old.version });
  }
  const removed = [...before].filter(([key]) => !after.has(key)).map(([, found]) => found);
  return { added, removed, changed };
}

/** Several versions of a language's package may be there; they are told as one. */
function byName(packages: readonly FoundPackage[]): ReadonlyMap<string, PackageVersion> {
  const versions = new Map<string, PackageVersion & { version: string }>();
  for (const { manager, name, version, architecture } of packages) {
    const key = `${manager} ${name} ${architecture ?? ""}`;
    const known = versions.get(key);
    if (known) {
      const all = new Set([...known.version.split(", "), nameToText(version)]);
      known.version = [...all].sort().join(", ");
      continue;
    }
    versions.set(key, {
      manager,
      name: nameToText(name),
      ...(architecture !== undefined && { architecture: nameToText(architecture) }),
      version: nameToText(version),
    });
  }
  return new Map([...versions].sort(([a], [b]) => (a < b ? -1 : 1)));
}
