import { readdirSync } from "node:fs";
import { Fault, isFault } from "#base";
import {
  type Fd,
  fstatat,
  getXattr,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  readInto,
  readlinkatBytes,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Stat,
  utimensat,
} from "#kernel";
import { showName, type TarHeader, type TarType, TarWriter } from "#tar";
import { readXattrs } from "./attributes.ts";
import { chunkSize } from "./compression.ts";
import { isWhiteout, opaqueAttribute, opaqueName, pathOf, whiteoutPrefix } from "./whiteout.ts";

export interface PackOptions {
  /** "tree": all as it is. "upper": the upper directory of an overlay, its whiteouts in OCI's form. */
  readonly mode: "tree" | "upper";
  /** Whether the archive begins with the directory itself, as "./". */
  readonly includeRoot: boolean;
  /** Nanoseconds since the epoch: later times are given as this one, in the archive and (with `touch`) on the disk. */
  readonly latest?: bigint;
  /** Sets the clamped times on the disk as well, so that tree and archive agree. */
  readonly touch?: boolean;
}

/** What was packed. */
export interface PackTotals {
  entries: number;
  /** Bytes of the files. */
  size: number;
}

/** A directory on the way down. Beyond 64 levels the descriptors of the upper ones are closed and opened anew. */
interface Level {
  readonly path: string;
  readonly names: readonly string[];
  next: number;
  fd: Fd | undefined;
}

const maxOpen = 64;
const maxPath = 4095;
const types: ReadonlyMap<number, TarType> = new Map<number, TarType>([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "character"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
]);

/**
 * A directory tree as an archive: depth first, names in the order of their bytes, so
 * that the same tree gives the same archive. Hard links within the tree stay links.
 * Sockets and what lies on other file systems are left out. A file that shrinks while
 * it is read is filled up with zeros, one that vanishes is left out.
 */
export class TreePacker implements Disposable {
  readonly totals: PackTotals = { entries: 0, size: 0 };
  readonly #root: Fd;
  readonly #options: PackOptions;
  readonly #device: bigint;
  readonly #levels: Level[] = [];
  readonly #links = new Map<string, string>();
  readonly #writer: TarWriter;
  readonly #buffer = Buffer.allocUnsafe(chunkSize);
  #ready: Buffer[] = [];
  #chunk = Buffer.allocUnsafe(chunkSize);
  #filled = 0;

  constructor(root: Fd, options: PackOptions) {
    this.#root = root;
    this.#options = options;
    this.#device = fstatat(root, "", false).dev;
    this.#writer = new TarWriter((bytes) => this.#emit(bytes));
  }

  /** The archive in chunks of 256 KiB, which are the receiver's to keep. */
  *chunks(): Generator<Buffer, void> {
    this.#enter("");
    if (this.#options.includeRoot) this.#add(this.#root, "", "./");
    for (let level = this.#levels.at(-1); level; level = this.#levels.at(-1)) {
      const name = level.names[level.next++];
      if (name === undefined) this.#leave();
      else yield* this.#member(level, name);
      yield* this.#take();
    }
    this.#writer.finish();
    this.#flush();
    yield* this.#take();
  }

  [Symbol.dispose](): void {
    for (const level of this.#levels) level.fd?.close();
  }

  *#member(level: Level, name: string): Generator<Buffer, void> {
    const directory = this.#descriptor(level);
    const path = level.path === "" ? name : `${level.path}/${name}`;
    if (path.length > maxPath) {
      throw new Fault(
        "invalid",
        `${showName(path)} is longer than ${maxPath} bytes and cannot be packed`,
      );
    }
    const header = this.#add(directory, name, path);
    if (header?.type === "file" && header.size > 0)
      yield* this.#content(directory, name, header.size);
  }

  /** Writes the header of one member, and enters it when it is a directory. Gives it when content must follow. */
  #add(directory: Fd, name: string, path: string): TarHeader | undefined {
    const entry = pathOf(name);
    const stat = this.#unlessGone(() => fstatat(directory, entry, false));
    const type = stat && types.get(stat.mode & S_IFMT);
    if (!stat || !type) return undefined;
    const place = { directory, name: entry };
    if (this.#options.mode === "upper" && isWhiteout(stat)) {
      this.#write({ ...emptyFile, name: inDirectory(path, `${whiteoutPrefix}${name}`) });
      return undefined;
    }
    const link = this.#linkOf(stat, type, path);
    const mtime = this.#clamp(stat, directory, entry);
    const common = { mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, mtime };
    if (link !== undefined) {
      this.#write({ ...common, name: path, type: "hardlink", linkName: link, size: 0 });
      return undefined;
    }
    const target = type === "symlink" && this.#unlessGone(() => readlinkatBytes(directory, entry));
    if (target === undefined) return undefined;
    const xattrs = this.#unlessGone(() => readXattrs(place));
    const isDevice = type === "character" || type === "block";
    const header: TarHeader = {
      ...common,
      name: type === "directory" && !path.endsWith("/") ? `${path}/` : path,
      type,
      size: type === "file" ? stat.size : 0,
      linkName: target ? target.toString("latin1") : "",
      ...(isDevice && { device: stat.rdev }),
      ...(xattrs && { xattrs: new Map([...xattrs].filter(([key]) => !key.includes("="))) }),
    };
    this.#write(header);
    if (type === "directory" && name !== "") {
      if (
        this.#options.mode === "upper" &&
        getXattr(directory, entry, opaqueAttribute)?.toString() === "y"
      ) {
        this.#write({ ...emptyFile, name: `${path}/${opaqueName}` });
      }
      // Directories alone tell file systems apart: an overlay gives files the numbers of its layers.
      if (stat.dev === this.#device) this.#unlessGone(() => this.#enter(path));
    }
    return header;
  }

  #write(header: TarHeader): void {
    this.totals.entries++;
    this.totals.size += header.size;
    this.#writer.entry(header);
  }

  /** The first name of a file with several, or undefined when this is it. */
  #linkOf(stat: Stat, type: TarType, path: string): string | undefined {
    if (stat.nlink < 2 || type === "directory") return undefined;
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) this.#links.set(key, path);
    return first;
  }

  #clamp(stat: Stat, directory: Fd, entry: string | Uint8Array): bigint {
    const { latest, touch } = this.#options;
    if (latest === undefined || stat.mtime <= latest) return stat.mtime;
    if (touch) utimensat(directory, entry, { atime: latest, mtime: latest });
    return latest;
  }

  *#content(directory: Fd, name: string, size: number): Generator<Buffer, void> {
    using file = this.#unlessGone(() =>
      // A path that has become a FIFO since must not block.
      openat2(directory, pathOf(name), { flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK }),
    );
    // Nor may a device that has come in its place be read.
    const isFile = file && (fstatat(file, "", false).mode & S_IFMT) === S_IFREG;
    let left = size;
    while (left > 0) {
      const wanted = this.#buffer.subarray(0, Math.min(left, this.#buffer.length));
      let got = isFile ? readInto(file, wanted) : 0;
      if (got === 0) {
        wanted.fill(0);
        got = wanted.length;
      }
      this.#writer.data(wanted.subarray(0, got));
      left -= got;
      yield* this.#take();
    }
  }

  #enter(path: string): void {
    const fd = this.#openDirectory(path);
    const names = readdirSync(`/proc/self/fd/${fd.number}`, {
      encoding: "latin1" as BufferEncoding,
    });
    names.sort((a, b) => (a < b ? -1 : 1));
    this.#levels.push({ path, names, next: 0, fd });
    const distant = this.#levels.at(-maxOpen);
    distant?.fd?.close();
    if (distant) distant.fd = undefined;
  }

  #leave(): void {
    this.#levels.pop()?.fd?.close();
  }

  #descriptor(level: Level): Fd {
    level.fd ??= this.#openDirectory(level.path);
    return level.fd;
  }

  #openDirectory(path: string): Fd {
    return openat2(this.#root, path === "" ? "." : pathOf(path), {
      flags: O_RDONLY | O_DIRECTORY,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
    });
  }

  #unlessGone<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
  }

  #emit(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const some = bytes.subarray(at, at + this.#chunk.length - this.#filled);
      this.#chunk.set(some, this.#filled);
      this.#filled += some.length;
      at += some.length;
      if (this.#filled === this.#chunk.length) this.#flush();
    }
  }

  #flush(): void {
    if (this.#filled === 0) return;
    this.#ready.push(this.#chunk.subarray(0, this.#filled));
    this.#chunk = Buffer.allocUnsafe(chunkSize);
    this.#filled = 0;
  }

  *#take(): Generator<Buffer, void> {
    if (this.#ready.length === 0) return;
    const ready = this.#ready;
    this.#ready = [];
    yield* ready;
  }
}

const emptyFile = {
  type: "file",
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  linkName: "",
} as const;

/** `name` in the directory that `path` is in. */
function inDirectory(path: string, name: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1) + name;
}
