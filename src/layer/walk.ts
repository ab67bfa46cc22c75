import { readdirSync } from "node:fs";
import { Fault, isFault } from "#base";
import {
  type Fd,
  fstatat,
  O_DIRECTORY,
  O_RDONLY,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  type Stat,
} from "#kernel";
import { showName, type TarType } from "#tar";
import { pathOf } from "./whiteout.ts";

/** Linux takes no longer paths. */
const maxPath = 4095;
/** Deeper down the descriptors of upper directories are closed, and opened anew on the way back. */
const maxOpen = 64;

const types: ReadonlyMap<number, TarType> = new Map<number, TarType>([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "character"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
]);

/** The kinds of files in a tree. */
export type NodeType = TarType | "socket";

/** Undefined for sockets, which no archive can hold. */
export function typeOf(stat: Stat): TarType | undefined {
  return types.get(stat.mode & S_IFMT);
}

/** One name in a directory. Its descriptor is valid until the next one is asked for. */
export interface WalkedEntry {
  readonly directory: Fd;
  /** For system calls; "" for the root itself. */
  readonly entry: string | Uint8Array;
  /** Components joined by "/", one character a byte; "" is the root. */
  readonly path: string;
  readonly type: NodeType;
  readonly stat: Stat;
}

interface Level {
  readonly path: string;
  readonly names: readonly string[];
  next: number;
  fd: Fd | undefined;
}

/** What a walk takes in beside the files of the one file system. */
export interface WalkOptions {
  readonly sockets?: boolean;
  /** Directories of other file systems are entered. */
  readonly mounts?: boolean | undefined;
}

/**
 * A directory tree, the root first, depth first, names in the order of their bytes. Sockets and
 * other file systems are left out unless they are asked for, and files that vanish
 * meanwhile are passed over. Symbolic links are never followed.
 */
export class TreeWalk implements Disposable {
  readonly #root: Fd;
  readonly #stat: Stat;
  readonly #options: WalkOptions;
  readonly #levels: Level[] = [];
  #isPassedOver = false;

  /** @param root a file of another kind is a tree of itself alone */
  constructor(root: Fd, options: WalkOptions = {}) {
    this.#root = root;
    this.#options = options;
    this.#stat = fstatat(root, "", false);
  }

  /** A directory's own entry comes before it is entered, so that its reader may still change it. */
  *entries(): Generator<WalkedEntry, void> {
    const stat = this.#stat;
    const type = this.#typeOf(stat);
    if (type) yield { directory: this.#root, entry: "", path: "", type, stat };
    if (type !== "directory") return;
    this.#enter("");
    for (let level = this.#levels.at(-1); level; level = this.#levels.at(-1)) {
      const name = level.names[level.next++];
      if (name === undefined) {
        this.#levels.pop()?.fd?.close();
        continue;
      }
      const found = this.#look(level, name);
      if (!found) continue;
      this.#isPassedOver = false;
      yield found;
      if (this.#isPassedOver) continue;
      // Directories alone tell file systems apart: an overlay gives files the numbers of its layers.
      const isOurs = this.#options.mounts || found.stat.dev === stat.dev;
      if (found.type === "directory" && isOurs) unlessGone(() => this.#enter(found.path));
    }
  }

  /** Does not enter the directory whose entry came last; the root's is entered all the same. */
  passOver(): void {
    this.#isPassedOver = true;
  }

  [Symbol.dispose](): void {
    for (const level of this.#levels) level.fd?.close();
    this.#levels.length = 0;
  }

  #look(level: Level, name: string): WalkedEntry | undefined {
    level.fd ??= openDirectoryBelow(this.#root, level.path);
    const directory = level.fd;
    const path = joinPath(level.path, name);
    if (path.length > maxPath) {
      throw new Fault(
        "invalid",
        `${showName(path)} is longer than ${maxPath} bytes and cannot be reached`,
      );
    }
    const entry = pathOf(name);
    const stat = unlessGone(() => fstatat(directory, entry, false));
    const type = stat && this.#typeOf(stat);
    return stat && type && { directory, entry, path, type, stat };
  }

  #typeOf(stat: Stat): NodeType | undefined {
    const isSocket = this.#options.sockets && (stat.mode & S_IFMT) === S_IFSOCK;
    return isSocket ? "socket" : typeOf(stat);
  }

  #enter(path: string): void {
    const fd = openDirectoryBelow(this.#root, path);
    this.#levels.push({ path, names: namesIn(fd), next: 0, fd });
    const distant = this.#levels.at(-maxOpen);
    distant?.fd?.close();
    if (distant) distant.fd = undefined;
  }
}

/** A path within a tree, whose root is "". */
export function joinPath(path: string, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}

/** The names in a directory, one character a byte, in the order of their bytes. */
export function namesIn(directory: Fd): string[] {
  const names = readdirSync(`/proc/self/fd/${directory.number}`, {
    encoding: "latin1" as BufferEncoding,
  });
  return names.sort((a, b) => (a < b ? -1 : 1));
}

/** A directory at a path of components joined by "/"; no component may be a symbolic link. */
export function openDirectoryBelow(root: Fd, path: string): Fd {
  return openat2(root, path === "" ? "." : pathOf(path), {
    flags: O_RDONLY | O_DIRECTORY,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
  });
}

/** The same; undefined when the directory is missing, or a file of another kind is on the way. */
export function findDirectoryBelow(root: Fd, path: string): Fd | undefined {
  try {
    return openDirectoryBelow(root, path);
  } catch (error) {
    const isElse = isFault(error) && ["ENOENT", "ENOTDIR", "ELOOP"].includes(error.errno ?? "");
    if (isElse) return undefined;
    throw error;
  }
}

/** Undefined when the file is gone by now. */
export function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}
