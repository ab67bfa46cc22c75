import { Fault } from "#base";
import {
  type Fd,
  fchmodat,
  mkdirat,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  openat2,
  readlinkatBytes,
  removeTreeNow,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Stat,
  symlinkat,
  unlinkat,
  utimensat,
} from "#kernel";
import { textToName } from "#tar";
import { DirectoryCache } from "./directory-cache.ts";
import { isDirectory, statOf } from "./extracted-directories.ts";
import { joinPath, namesIn, openDirectoryBelow } from "./walk.ts";
import { pathOf } from "./whiteout.ts";

/** A file as a client lists it; its path is relative and clean. */
export interface ListedEntry {
  readonly path: string;
  /** st_mode, with the type. */
  readonly mode: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Nanoseconds since 1970, as text. */
  readonly mtime: string;
  /** The target of a symbolic link. */
  readonly link?: string;
}

const maxPath = 4095;
const maxName = 255;

/**
 * Makes a directory of the engine's equal to a client's list, but for the content of files that are
 * not there as they are listed: those are wanted. What a crash left half written has another time, so
 * that the tree itself tells what is known.
 */
export class TreeMatcher implements Disposable {
  readonly #root: Fd;
  readonly #directories: DirectoryCache;
  /** By directory, the names in it that are listed; one character a byte. */
  readonly #listed = new Map<string, Set<string>>([["", new Set()]]);
  readonly #trees: { readonly path: string; readonly entry: ListedEntry }[] = [];

  constructor(root: Fd) {
    this.#root = root;
    this.#directories = new DirectoryCache(root);
  }

  /** Takes an entry, whose directory has come before; true when its content is wanted. `invalid` for what no honest client lists. */
  take(entry: ListedEntry): boolean {
    const path = this.#check(entry);
    const slash = path.lastIndexOf("/");
    const directory = this.#directory(path.slice(0, Math.max(0, slash)));
    const place = { directory, name: pathOf(path.slice(slash + 1)) };
    const there = statOf(place);
    const type = entry.mode & S_IFMT;
    if (type === S_IFDIR) {
      this.#trees.push({ path, entry });
      if (there && isDirectory(there)) return false;
      if (there) this.#remove(place, there);
      mkdirat(directory, place.name, 0o700);
      return false;
    }
    if (there && isSame(place, there, entry)) {
      if (type === S_IFREG && (there.mode & 0o7777) !== (entry.mode & 0o7777)) {
        fchmodat(directory, place.name, entry.mode & 0o7777);
      }
      return false;
    }
    if (type === S_IFREG && entry.size > 0) {
      // An archive replaces a file, but what else is there would be in its way.
      if (there && (there.mode & S_IFMT) !== S_IFREG) this.#remove(place, there);
      return true;
    }
    if (there) this.#remove(place, there);
    this.#make(place, entry);
    return false;
  }

  /** Removes what was not listed. */
  sweep(): void {
    for (const [path, listed] of this.#listed) {
      using directory = openDirectoryBelow(this.#root, path);
      for (const name of namesIn(directory)) {
        if (listed.has(name)) continue;
        this.#directories.forget();
        removeTreeNow(directory, pathOf(name));
      }
    }
  }

  /** Gives directories their modes and times, the deepest first; call it when nothing is made in them any more. */
  finish(): void {
    for (const { path, entry } of this.#trees.reverse()) {
      using directory = openDirectoryBelow(this.#root, path);
      const mtime = BigInt(entry.mtime);
      fchmodat(directory, "", entry.mode & 0o7777);
      utimensat(directory, "", { atime: mtime, mtime });
    }
  }

  [Symbol.dispose](): void {
    this.#directories[Symbol.dispose]();
  }

  #make({ directory, name }: Place, { mode, mtime, link = "" }: ListedEntry): void {
    if ((mode & S_IFMT) === S_IFLNK) symlinkat(Buffer.from(link), directory, name);
    else {
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
      openat2(directory, name, { flags, mode: 0o600 }).close();
      fchmodat(directory, name, mode & 0o7777);
    }
    const time = BigInt(mtime);
    utimensat(directory, name, { atime: time, mtime: time });
  }

  #remove({ directory, name }: Place, there: Stat): void {
    this.#directories.forget();
    if (isDirectory(there)) removeTreeNow(directory, name);
    else unlinkat(directory, name);
  }

  #directory(path: string): Fd {
    const found = this.#directories.get(path);
    if (!found) throw new Fault("internal", `the directory ${path} of a context has gone`);
    return found;
  }

  /** Remembers the name; gives the path, one character a byte. */
  #check({ path, mode, link }: ListedEntry): string {
    const refuse = (why: string) =>
      new Fault(
        "invalid",
        `the list of the context has ${JSON.stringify(path.slice(0, 200))}: ${why}`,
        {
          about: path,
        },
      );
    const name = textToName(path);
    const parts = name.split("/");
    if (name.length > maxPath || path.includes("\0") || path.includes("\ufffd")) {
      throw refuse("it is no path");
    }
    const isClean = (part: string) =>
      part !== "" && part !== "." && part !== ".." && part.length <= maxName;
    if (!parts.every(isClean)) throw refuse("the path is not clean, or leads out of the context");
    const type = mode & S_IFMT;
    if (type !== S_IFDIR && type !== S_IFREG && type !== S_IFLNK) {
      throw refuse("a context has files, directories and symbolic links only");
    }
    if (type === S_IFLNK && !isLink(link)) throw refuse("its target is no path");
    const base = parts.pop() ?? "";
    const names = this.#listed.get(parts.join("/"));
    if (!names) throw refuse("its directory did not come before it");
    if (names.has(base)) throw refuse("it came before");
    names.add(base);
    if (type === S_IFDIR) this.#listed.set(joinPath(parts.join("/"), base), new Set());
    return name;
  }
}

interface Place {
  readonly directory: Fd;
  readonly name: string | Uint8Array;
}

function isLink(link: string | undefined): boolean {
  return link !== undefined && link !== "" && link.length <= maxPath && !link.includes("\0");
}

function isSame(place: Place, there: Stat, { mode, size, mtime, link = "" }: ListedEntry): boolean {
  if ((there.mode & S_IFMT) !== (mode & S_IFMT) || there.mtime !== BigInt(mtime)) return false;
  if ((mode & S_IFMT) === S_IFREG) return there.size === size;
  return readlinkatBytes(place.directory, place.name).equals(Buffer.from(link));
}

/** How much a list may have. */
const maxEntries = 1_000_000;
const maxLine = 64 << 10;

/** The entries of a list: a JSON object a line. `invalid` for other text, `exhausted` beyond a million. */
export async function* listedEntries(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<ListedEntry, void> {
  let rest = Buffer.alloc(0);
  let count = 0;
  const parse = (line: Buffer): ListedEntry => {
    if (++count > maxEntries) {
      throw new Fault("exhausted", `the context has more than ${maxEntries} files`);
    }
    return parseEntry(line.toString("utf8"), count);
  };
  for await (const chunk of source) {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      if (end > start) yield parse(bytes.subarray(start, end));
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (rest.length > maxLine) {
      throw new Fault("invalid", `a line of the context's list has more than ${maxLine} bytes`);
    }
  }
  if (rest.length > 0) yield parse(rest);
}

function parseEntry(line: string, count: number): ListedEntry {
  const refuse = (): never => {
    throw new Fault("invalid", `line ${count} of the context's list is not an entry`);
  };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return refuse();
  }
  const { path, mode, size, mtime, link } = (value ?? {}) as Record<string, unknown>;
  if (typeof path !== "string" || typeof mtime !== "string") return refuse();
  if (!Number.isSafeInteger(mode) || !Number.isSafeInteger(size)) return refuse();
  if (!/^-?\d{1,19}$/.test(mtime) || (mode as number) < 0 || (size as number) < 0) return refuse();
  const facts = { path, mode: mode as number, size: size as number, mtime };
  return typeof link === "string" ? { ...facts, link } : facts;
}
