import { defined, Fault, isFault } from "#base";
import {
  type Fd,
  fchmodat,
  mkdirat,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  type Owner,
  openat2,
  S_IFMT,
  type Stat,
  unlinkat,
  utimensat,
  writeAll,
} from "#kernel";
import { nameToText, textToName } from "#tar";
import { readXattrs, setAttributes } from "./attributes.ts";
import { NodeCopier } from "./copy-node.ts";
import { DirectoryCache } from "./directory-cache.ts";
import { isDirectory, statOf } from "./extracted-directories.ts";
import { octalMode, parseModeChange } from "./file-mode.ts";
import type { Match, SelectedEntry, SelectionReader } from "./selection.ts";
import { resolveInRoot, statInRoot } from "./source-path.ts";
import { joinPath } from "./walk.ts";
import { pathOf } from "./whiteout.ts";

/** What files get that COPY brings. */
export interface CopyRules {
  /** Absolute; with a slash at the end it is a directory. */
  readonly destination: string;
  /** Of all that is made; absent: that of the source, and root for directories above it. */
  readonly owner?: Owner | undefined;
  /** Octal or symbolic; absent: that of the source. */
  readonly mode?: string | undefined;
}

/** A directory whose attributes are set once all is in it. */
interface OpenDirectory {
  readonly path: string;
  readonly stat: Stat;
  readonly xattrs: ReadonlyMap<string, Uint8Array> | undefined;
  /** It was there, and is there for something within it alone. */
  readonly isKept: boolean;
}

/**
 * Copies files into a tree as BuildKit's COPY does: a directory's files go to the destination, which
 * is made with the directories above it; another source goes into a destination that is a directory,
 * or in its place. Directories are merged, files replaced. Links in the destination are followed
 * within the tree, those below it are not.
 */
export class TreeCopier implements Disposable {
  readonly #root: Fd;
  readonly #rules: CopyRules;
  readonly #directories: DirectoryCache;
  readonly #change: ReturnType<typeof parseModeChange> | undefined;

  constructor(root: Fd, rules: CopyRules) {
    this.#root = root;
    this.#rules = rules;
    this.#directories = new DirectoryCache(root);
    this.#change = rules.mode === undefined ? undefined : parseModeChange(rules.mode);
  }

  /** Copies one source; gives the bytes of each chunk, and 0 for what has none. */
  *copy(reader: SelectionReader, match: Match): Generator<number, void> {
    const target = this.#place(match);
    const nodes = new NodeCopier(this.#root);
    const open: OpenDirectory[] = [];
    for (const entry of reader.entries(match)) {
      const path = joinPath(target, entry.path).replace(/\/$/, "");
      if (entry.kind === "leave") this.#leave(open.pop(), entry.path === "");
      else if (entry.type === "directory") open.push(this.#enter(path, entry));
      else yield* this.#node(nodes, entry, path);
      yield 0;
    }
  }

  /** A document as a file, in the destination or in its place. */
  write(name: string, bytes: Uint8Array): void {
    const path = this.#place({ path: textToName(name), isDirectory: false });
    const directory = this.#directory(parentOf(path));
    const place = { directory, name: nameOf(path) };
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    this.#replacing(path, () => {
      using file = openat2(directory, place.name, { flags, mode: 0o600 });
      writeAll(file, bytes);
    });
    setAttributes(place, { ...this.#owner({ uid: 0, gid: 0 }), mode: this.#mode(0o644, false) });
  }

  /** Makes the destination as a directory, as an archive needs it that is unpacked there; gives its path. */
  placeDirectory(): string {
    const path = resolveInRoot(this.#root, textToName(this.#rules.destination));
    this.#makeAll(path, newDirectory);
    return path;
  }

  [Symbol.dispose](): void {
    this.#directories[Symbol.dispose]();
  }

  /** Makes what is missing above the place of a source, and gives that. */
  #place({ path, isDirectory: isTree }: Pick<Match, "path" | "isDirectory">): string {
    const destination = textToName(this.#rules.destination);
    const mode = (octalMode(this.#rules.mode ?? "") ?? newDirectory) & 0o777;
    this.#makeAll(resolveInRoot(this.#root, parentOf(destination)), mode);
    const target = resolveInRoot(this.#root, destination);
    if (isTree || destination.endsWith("/")) this.#makeAll(target, mode);
    const there = statInRoot(this.#root, target);
    if (isTree || !there || !isDirectory(there)) {
      this.#makeAll(parentOf(target), mode);
      return target;
    }
    return joinPath(target, path.slice(path.lastIndexOf("/") + 1));
  }

  #makeAll(path: string, mode: number): void {
    let at = "";
    for (const part of path.split("/").filter((each) => each !== "")) {
      const above = at;
      at = joinPath(at, part);
      if (this.#directories.get(at)) continue;
      const place = { directory: this.#directory(above), name: pathOf(part) };
      if (statOf(place)) throw new Fault("invalid", `mkdir ${shown(at)}: not a directory`);
      mkdirat(place.directory, place.name, 0o700);
      setAttributes(place, { ...this.#owner({ uid: 0, gid: 0 }), mode });
      this.#directories.enter(at, place.directory, place.name);
    }
  }

  /** Makes or finds a directory within a source; its attributes come when it is left. */
  #enter(path: string, entry: Entry): OpenDirectory {
    const { stat, directory, entry: name, isImplied } = entry;
    const xattrs = readXattrs({ directory, name });
    if (entry.path === "") return { path, stat, xattrs, isKept: true };
    const above = this.#directory(parentOf(path));
    const place = { directory: above, name: nameOf(path) };
    const there = statOf(place);
    if (there && !isDirectory(there)) {
      throw new Fault("invalid", `cannot copy to non-directory: ${shown(path)}`);
    }
    if (!there) {
      mkdirat(above, place.name, 0o700);
      this.#directories.enter(path, above, place.name);
    }
    return { path, stat, xattrs, isKept: isImplied && there !== undefined };
  }

  /** BuildKit gives the top of a source nothing but its time. */
  #leave(left: OpenDirectory | undefined, isTop: boolean): void {
    if (!left) return;
    const { path, stat, xattrs, isKept } = left;
    const place = { directory: this.#directory(path), name: "" };
    const mode = this.#mode(stat.mode & 0o7777, true);
    if (isKept && !isTop) fchmodat(place.directory, "", mode);
    if (!isKept) setAttributes(place, { ...this.#owner(stat), mode, ...defined({ xattrs }) });
    utimensat(place.directory, "", { atime: stat.mtime, mtime: stat.mtime });
  }

  *#node(nodes: NodeCopier, entry: Entry, path: string): Generator<number, void> {
    const { directory, entry: name, stat, type } = entry;
    if (type === "socket") return;
    const mode = (stat.mode & S_IFMT) | this.#mode(stat.mode & 0o7777, false);
    const from = { directory, path: name };
    const node = { from, type, stat: { ...stat, ...this.#owner(stat), mode } };
    const to = { directory: this.#directory(parentOf(path)), path };
    try {
      yield* nodes.copy(node, to);
    } catch (error) {
      if (!isFault(error) || error.errno !== "EEXIST") throw error;
      this.#remove(path);
      yield* nodes.copy(node, to);
    }
  }

  #replacing(path: string, make: () => void): void {
    try {
      make();
    } catch (error) {
      if (!isFault(error) || error.errno !== "EEXIST") throw error;
      this.#remove(path);
      make();
    }
  }

  #remove(path: string): void {
    const place = { directory: this.#directory(parentOf(path)), name: nameOf(path) };
    const there = statOf(place);
    if (there && isDirectory(there)) {
      throw new Fault("invalid", `cannot replace to directory ${shown(path)} with file`);
    }
    unlinkat(place.directory, place.name);
  }

  #directory(path: string): Fd {
    const found = this.#directories.get(path);
    if (!found) throw new Fault("invalid", `${shown(path)} is not a directory any more`);
    return found;
  }

  #owner({ uid, gid }: Owner): Owner {
    return this.#rules.owner ?? { uid, gid };
  }

  #mode(mode: number, isTree: boolean): number {
    return this.#change ? this.#change(mode, isTree) : mode;
  }
}

const newDirectory = 0o755;

type Entry = Extract<SelectedEntry, { readonly kind: "entry" }>;

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function nameOf(path: string): string | Uint8Array {
  return pathOf(path.slice(path.lastIndexOf("/") + 1));
}

/** A path of the tree for a message. */
function shown(path: string): string {
  return nameToText(`/${path}`);
}
