import { defined, isFault } from "#base";
import {
  type Fd,
  fstatat,
  linkat,
  mkdirat,
  type Place,
  type Stat,
  setXattr,
  utimensat,
} from "#kernel";
import { readXattrs, setAttributes } from "./attributes.ts";
import { NodeCopier } from "./copy-node.ts";
import { closeAll, openMerged } from "./merged.ts";
import { joinPath, namesIn, openDirectoryBelow, typeOf } from "./walk.ts";
import { isWhiteout, makeWhiteout, opaqueAttribute, opaqueValue, pathOf } from "./whiteout.ts";

export interface MergeOptions {
  /**
   * Other layers lie below the merged ones: whiteouts and opaque directories stay.
   * Otherwise they go.
   */
  readonly keepWhiteouts: boolean;
}

/** The new layer, and how it was made. */
export interface MergeResult {
  /** Names in the new layer, the root and whiteouts among them. */
  readonly entries: number;
  /** Bytes of its files, each inode once. */
  readonly size: number;
  /** The number of names that are hard links into the layers. */
  readonly linked: number;
  /** The number of names that had to be copied. */
  readonly copied: number;
}

/** A directory of the new layer. */
interface Level {
  readonly path: string;
  /** The layers that it is merged from, by number. */
  readonly layers: readonly number[];
  /** The layers below the merged ones do not show here; `isOpaque`: from this directory on. */
  readonly isClosed: boolean;
  readonly isOpaque: boolean;
  /** Each name, and which of `layers` has it first. */
  names: readonly (readonly [name: string, part: number])[];
  next: number;
  open: { readonly parts: readonly Fd[]; readonly target: Fd } | undefined;
}

/** Above so many descriptors those of upper directories are closed, and opened anew on the way back. */
const maxOpen = 512;

/**
 * Makes one layer of several, all in overlayfs's form: the tree that an overlay of them shows.
 * Everything except directories is a hard link to a file of the layers, which must never be written
 * to again; where a link is not possible (another file system, too many links) it is a copy. So it
 * costs hardly any space or time.
 */
export class LayerMerger implements Disposable {
  readonly #layers: readonly Fd[];
  readonly #target: Fd;
  readonly #options: MergeOptions;
  readonly #copier: NodeCopier;
  readonly #levels: Level[] = [];
  /** Inodes with several names that were counted. */
  readonly #counted = new Set<string>();
  readonly #result = { entries: 0, size: 0, linked: 0, copied: 0 };

  /** @param layers uppermost first; @param target an empty directory */
  constructor(layers: readonly Fd[], target: Fd, options: MergeOptions) {
    this.#layers = layers;
    this.#target = target;
    this.#options = options;
    this.#copier = new NodeCopier(target);
  }

  /** Does the work, resting after each name and each chunk copied; gives the bytes copied since. */
  *steps(): Generator<number, MergeResult> {
    this.#enter("", ".", { above: this.#layers, layers: [...this.#layers.keys()] });
    for (let level = this.#levels.at(-1); level; level = this.#levels.at(-1)) {
      const next = level.names[level.next++];
      if (next) yield* this.#merge(level, ...next);
      else this.#leave(level);
      yield 0;
    }
    return this.#result;
  }

  [Symbol.dispose](): void {
    for (const level of this.#levels) close(level);
    this.#levels.length = 0;
  }

  *#merge(level: Level, name: string, part: number): Generator<number, void> {
    const { parts, target } = this.#opened(level);
    const directory = parts[part] as Fd;
    const entry = pathOf(name);
    const path = joinPath(level.path, name);
    const stat = fstatat(directory, entry, false);
    const type = typeOf(stat);
    if (!type || (isWhiteout(stat) && level.isClosed)) return;
    if (type === "directory") {
      mkdirat(target, entry, 0o700);
      this.#enter(path, entry, { above: parts, layers: level.layers });
      return;
    }
    this.#result.entries++;
    if (isWhiteout(stat)) {
      makeWhiteout(target, entry);
      return;
    }
    this.#count(stat);
    const from = { directory, path: entry };
    const isLinked = tryLink(from, { directory: target, path: entry });
    this.#result[isLinked ? "linked" : "copied"]++;
    if (!isLinked) yield* this.#copier.copy({ from, stat, type }, { directory: target, path });
  }

  /**
   * Begins a directory that has been made; `above` has the parts that its parent is merged from.
   */
  #enter(
    path: string,
    entry: string | Uint8Array,
    parent: { readonly above: readonly Fd[]; readonly layers: readonly number[] },
  ): void {
    const { directories, from, isClosed } = openMerged(parent.above, entry);
    const wasClosed = this.#levels.at(-1)?.isClosed ?? !this.#options.keepWhiteouts;
    const level: Level = {
      path,
      layers: from.map((index) => parent.layers[index] as number),
      isClosed: isClosed || wasClosed,
      isOpaque: isClosed && !wasClosed,
      names: [],
      next: 0,
      open: undefined,
    };
    this.#levels.push(level);
    this.#result.entries++;
    try {
      level.open = { parts: directories, target: openDirectoryBelow(this.#target, path) };
    } catch (error) {
      closeAll(directories);
      throw error;
    }
    level.names = firstNames(directories);
    this.#closeDistant();
  }

  /**
   * Copies the attributes of a directory's uppermost part: the time last, since making entries in
   * it changes that.
   */
  #leave(level: Level): void {
    const { parts, target } = this.#opened(level);
    const directory = parts[0] as Fd;
    const stat = fstatat(directory, "", false);
    const xattrs = readXattrs({ directory, name: "" });
    setAttributes(
      { directory: target, name: "" },
      { ...stat, mode: stat.mode & 0o7777, ...defined({ xattrs }) },
    );
    if (level.isOpaque) setXattr(target, "", opaqueAttribute, opaqueValue);
    utimensat(target, "", { atime: stat.mtime, mtime: stat.mtime });
    close(level);
    this.#levels.pop();
  }

  #opened(level: Level): { readonly parts: readonly Fd[]; readonly target: Fd } {
    if (level.open) return level.open;
    const opened: Fd[] = [];
    try {
      for (const layer of level.layers) {
        opened.push(openDirectoryBelow(this.#layers[layer] as Fd, level.path));
      }
      level.open = { parts: opened, target: openDirectoryBelow(this.#target, level.path) };
    } catch (error) {
      closeAll(opened);
      throw error;
    }
    return level.open;
  }

  #closeDistant(): void {
    let open = 0;
    for (const level of this.#levels.toReversed()) {
      if (level.open && open > maxOpen) close(level);
      open += level.open ? level.open.parts.length + 1 : 0;
    }
  }

  #count(stat: Stat): void {
    if (typeOf(stat) !== "file") return;
    const key = `${stat.dev}:${stat.ino}`;
    if (stat.nlink > 1 && this.#counted.has(key)) return;
    if (stat.nlink > 1) this.#counted.add(key);
    this.#result.size += stat.size;
  }
}

/** Each name in the directories once, with the first that has it. */
function firstNames(directories: readonly Fd[]): (readonly [string, number])[] {
  const first = new Map<string, number>();
  for (const [index, directory] of directories.entries()) {
    for (const name of namesIn(directory)) if (!first.has(name)) first.set(name, index);
  }
  return [...first];
}

function tryLink(from: Place, to: Place): boolean {
  try {
    linkat(from, to);
    return true;
  } catch (error) {
    // EPERM: the file system has no hard links, or the file is immutable.
    if (isFault(error) && ["EXDEV", "EMLINK", "EPERM"].includes(error.errno ?? "")) return false;
    throw error;
  }
}

function close(level: Level): void {
  if (level.open) closeAll([...level.open.parts, level.open.target]);
  level.open = undefined;
}
