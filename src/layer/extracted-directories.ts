import { Fault, isFault, StepBudget } from "#base";
import {
  type Fd,
  fstatat,
  mkdirat,
  readlinkatBytes,
  removeTreeNow,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  type Stat,
  setXattr,
  utimensat,
} from "#kernel";
import { showName } from "#tar";
import { type Place, setAttributes } from "./attributes.ts";
import { DirectoryCache } from "./directory-cache.ts";
import { findDirectoryBelow, joinPath } from "./walk.ts";
import { isWhiteout, opaqueAttribute, opaqueValue, pathOf } from "./whiteout.ts";

/** Bytes of directory names that are kept to the end; a million directories have less. */
const maxNameBytes = 32 << 20;

/**
 * The directories of a tree that is being extracted: finds and makes them, knows which
 * no member named, and sets their times at the end, since making things in a directory
 * changes its time. They are known by where they really are, whatever links led there.
 */
export class ExtractedDirectories implements Disposable {
  readonly #root: Fd;
  readonly #rootPath: string;
  readonly #cache: DirectoryCache;
  readonly #times = new Map<string, bigint>();
  readonly #implied = new Set<string>([""]);
  readonly #exact: boolean;
  #nameBytes = 0;

  /** @param exact whether overlayfs's whiteouts are devices like any other */
  constructor(root: Fd, { exact }: { readonly exact: boolean }) {
    this.#root = root;
    this.#exact = exact;
    this.#cache = new DirectoryCache(root);
    this.#rootPath = pathBehind(root).replace(/^\/$/, "");
  }

  /**
   * Directories that were made, the root among them, though no member names them:
   * mode 0755, root's. Components joined by "/".
   */
  get implied(): readonly string[] {
    return [...this.#implied];
  }

  find(components: readonly string[]): Fd | undefined {
    return this.#cache.get(components.join("/"));
  }

  /** The directory, made with all above it that is missing. Links are followed inside the root. */
  open(components: readonly string[], budget = new StepBudget()): Fd {
    const whole = this.find(components);
    if (whole) return whole;
    if (!budget.take(components.length)) {
      throw new Fault("invalid", "too many symbolic links are on the way");
    }
    // Everything below a missing directory is missing too, so a name of thousands of parts needs no
    // further look-ups.
    let there = 0;
    for (let missing = components.length; missing - there > 1; ) {
      const middle = (there + missing) >> 1;
      if (this.find(components.slice(0, middle))) there = middle;
      else missing = middle;
    }
    let found = this.find(components.slice(0, there)) ?? this.#root;
    for (let done = there + 1; done <= components.length; done++) {
      found = this.#make(found, components.slice(0, done), budget);
    }
    return found;
  }

  /** A member names the directory `base` in `parent`, which has been made. */
  named(parent: Fd, base: string, mtime: bigint): void {
    const path = joinPath(this.#realPath(parent), base);
    this.#implied.delete(path);
    this.#times.set(path, mtime);
    this.#remember(path);
  }

  rootNamed(mtime: bigint): void {
    this.#implied.delete("");
    this.#times.set("", mtime);
  }

  /** Removes a file, or a directory with all in it; not where something is mounted. */
  remove({ directory, name }: Place, there: Stat): void {
    if (isDirectory(there) || isSymlink(there)) this.#cache.forget();
    removeTreeNow(directory, name);
  }

  /** After the last member. */
  setTimes(): void {
    for (const [path, mtime] of this.#times) {
      // Something else may have come in its place.
      using directory = findDirectoryBelow(this.#root, path);
      if (directory) utimensat(directory, "", { atime: mtime, mtime });
    }
    this.#times.clear();
  }

  [Symbol.dispose](): void {
    this.#cache[Symbol.dispose]();
  }

  /**
   * Makes the last of the components in the directory above it, or the directory that a link there
   * leads to.
   */
  #make(above: Fd, components: readonly string[], budget: StepBudget): Fd {
    const shown = components.join("/");
    const base = components.at(-1) ?? "";
    const place = { directory: above, name: pathOf(base) };
    const there = statOf(place);
    if (there && isSymlink(there)) {
      this.open(this.#linkTarget(place), budget);
      const found = this.find(components);
      if (!found) throw new Fault("invalid", `${showName(shown)} leads to no directory`);
      return found;
    }
    if (there && (this.#exact || !isWhiteout(there))) {
      throw new Fault(
        "invalid",
        `${showName(shown)} is not a directory, but something shall be in it`,
      );
    }
    const path = joinPath(this.#realPath(above), base);
    if (there) this.remove(place, there);
    mkdirat(above, place.name, 0o755);
    // The whiteout said that nothing of the layers below shines through.
    if (there) makeOpaque(place);
    else this.#implied.add(path);
    setAttributes(place, { mode: 0o755, uid: 0, gid: 0 });
    this.#remember(path);
    return this.#cache.enter(shown, above, place.name);
  }

  /** Components from the root, which ".." does not leave. */
  #linkTarget({ directory, name }: Place): string[] {
    const target = readlinkatBytes(directory, name).toString("latin1");
    const from = target.startsWith("/") ? "" : this.#realPath(directory);
    const components: string[] = [];
    for (const part of `${from}/${target}`.split("/")) {
      if (part === "..") components.pop();
      else if (part !== "" && part !== ".") components.push(part);
    }
    return components;
  }

  #realPath(directory: Fd): string {
    return pathBehind(directory).slice(this.#rootPath.length + 1);
  }

  #remember(path: string): void {
    this.#nameBytes += path.length;
    if (this.#nameBytes <= maxNameBytes) return;
    throw new Fault(
      "exhausted",
      `the names of the directories have more than ${maxNameBytes} bytes together`,
    );
  }
}

/** Refuses a directory deeper than Linux's longest path, which could not be removed by its path. */
function pathBehind(directory: Fd): string {
  return readlinkatBytes(undefined, `/proc/self/fd/${directory.number}`).toString("latin1");
}

/**
 * Hides the entries that the layers below have in a directory (overlayfs: trusted.overlay.opaque).
 */
export function makeOpaque(place: Place): void {
  setXattr(place.directory, place.name, opaqueAttribute, opaqueValue);
}

/** Links are not followed; undefined when the name is missing. */
export function statOf(place: Place): Stat | undefined {
  try {
    return fstatat(place.directory, place.name, false);
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

/** By the type in its mode; a link to a directory does not count. */
export function isDirectory(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

function isSymlink(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFLNK;
}
