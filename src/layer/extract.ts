import { rmSync, writeSync } from "node:fs";
import { Fault, isFault } from "#base";
import {
  type Fd,
  fstatat,
  ftruncate,
  linkat,
  mkdirat,
  mknodat,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  openat2,
  readlinkatBytes,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  type Stat,
  setXattr,
  symlinkat,
  unlinkat,
  utimensat,
  writeAll,
} from "#kernel";
import { nameComponents, showName, type TarHeader, type TarSink } from "#tar";
import { setAttributes } from "./attributes.ts";
import { chunkSize } from "./compression.ts";
import { DirectoryCache } from "./directory-cache.ts";
import { findDirectoryBelow, joinPath } from "./walk.ts";
import {
  isWhiteout,
  makeWhiteout,
  markPrefix,
  opaqueAttribute,
  opaqueName,
  opaqueValue,
  pathOf,
  whiteoutPrefix,
} from "./whiteout.ts";

export interface ExtractOptions {
  /** The directory to fill; nothing outside of it is ever touched. */
  readonly root: Fd;
}

interface OpenFile {
  readonly fd: Fd;
  readonly place: NamedPlace;
  readonly header: TarHeader;
  position: number;
}

interface NamedPlace {
  readonly directory: Fd;
  readonly name: string | Uint8Array;
  /** Components joined by "/". */
  readonly path: string;
}

/** As Linux does (path_resolution(7)). */
const maxLinks = 40;
const leastHole = 64 << 10;
const zeros = Buffer.alloc(chunkSize);
/** Bytes of directory names that are kept to the end; a million directories have less. */
const maxDirectoryBytes = 32 << 20;

/**
 * Makes the members of an archive in a directory, as they come: ownership, modes,
 * times in nanoseconds, extended attributes, links and devices. A later member of a
 * name replaces the earlier one, a directory takes in what is there. Nobody else may
 * write below the root meanwhile. A Fault names the member; what was made so far stays.
 */
export class TreeExtractor implements TarSink, Disposable {
  readonly #options: ExtractOptions;
  readonly #directories: DirectoryCache;
  readonly #rootPath: string;
  /** Set at the end, since making things in a directory changes its time. */
  readonly #times = new Map<string, bigint>();
  readonly #implied = new Set<string>([""]);
  #directoryBytes = 0;
  #file: OpenFile | undefined;

  constructor(options: ExtractOptions) {
    this.#options = options;
    this.#directories = new DirectoryCache(options.root);
    const root = `/proc/self/fd/${options.root.number}`;
    this.#rootPath = readlinkatBytes(undefined, root).toString("latin1");
  }

  entry(header: TarHeader): void {
    this.#naming(header, () => this.#make(header));
  }

  data(bytes: Buffer, offset: number): void {
    const file = this.#file;
    if (!file) return;
    this.#naming(file.header, () => {
      if (isHole(bytes)) return;
      if (offset === file.position) writeAll(file.fd, bytes);
      else writeAt(file.fd, bytes, offset);
      // A write at a position does not move the descriptor; go on by position then.
      file.position = offset === file.position ? offset + bytes.length : -1;
    });
  }

  end(): void {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    using fd = file.fd;
    const { header, place } = file;
    this.#naming(header, () => {
      if (file.position !== header.size) ftruncate(fd, header.size);
      setAttributes(place, header);
      this.#setTime(place, header.mtime);
    });
  }

  /**
   * Directories that were made, the root among them, though no member names them:
   * mode 0755, root's. Components joined by "/".
   */
  get implied(): readonly string[] {
    return [...this.#implied];
  }

  /** Call after the last member. */
  finish(): void {
    for (const [path, mtime] of this.#times) {
      // Something else may have come in its place.
      using directory = findDirectoryBelow(this.#options.root, path);
      if (directory) utimensat(directory, "", { atime: mtime, mtime });
    }
    this.#times.clear();
  }

  [Symbol.dispose](): void {
    this.#file?.fd.close();
    this.#directories[Symbol.dispose]();
  }

  #make(header: TarHeader): void {
    const components = nameComponents(header.name);
    const base = components.pop();
    if (base === undefined) this.#makeRoot(header);
    else if (isWhiteoutName(components, base)) this.#whiteout(components, base);
    else this.#makeMember(header, components, base);
  }

  #makeMember(header: TarHeader, components: readonly string[], base: string): void {
    const directory = this.#directory(components);
    const path = [...components, base].join("/");
    const place = { directory, name: pathOf(base), path };
    if (header.type === "directory") {
      this.#makeDirectory(place, header, base);
      return;
    }
    if (header.type === "hardlink") this.#makeHardlink(place, header);
    else this.#replacing(place, () => this.#makeNode(place, header));
  }

  #makeRoot(header: TarHeader): void {
    if (header.type !== "directory") {
      throw new Fault("invalid", `the root is a ${header.type}, not a directory`);
    }
    setAttributes({ directory: this.#options.root, name: "" }, header);
    this.#implied.delete("");
    this.#times.set("", header.mtime);
  }

  #makeNode(place: NamedPlace, header: TarHeader): void {
    const { directory, name } = place;
    if (header.type === "file") {
      const fd = openat2(directory, name, {
        flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
        mode: 0o600,
      });
      this.#file = { fd, place, header, position: 0 };
      return;
    }
    const isSymlink = header.type === "symlink";
    if (isSymlink) {
      if (header.linkName === "") throw new Fault("invalid", "a symbolic link leads nowhere");
      symlinkat(pathOf(header.linkName), directory, name);
    } else {
      const type = header.type === "fifo" ? S_IFIFO : header.type === "block" ? S_IFBLK : S_IFCHR;
      mknodat(directory, name, { mode: type | 0o600, ...header.device });
    }
    setAttributes(place, header, isSymlink);
    this.#setTime(place, header.mtime);
  }

  #makeDirectory(place: NamedPlace, header: TarHeader, base: string): void {
    const there = statOf(place);
    if (!there || !isDirectory(there)) {
      if (there) this.#remove(place, there);
      mkdirat(place.directory, place.name, 0o700);
      // The whiteout said that nothing of the layers below shines through.
      if (there && isWhiteout(there)) this.#makeOpaque(place);
    }
    setAttributes(place, header);
    const real = joinPath(this.#realPath(place.directory), base);
    this.#implied.delete(real);
    this.#times.set(real, header.mtime);
    this.#remember(real);
  }

  #makeHardlink(place: NamedPlace, header: TarHeader): void {
    const components = nameComponents(header.linkName);
    const base = components.pop();
    const parent = base === undefined ? undefined : this.#directories.get(components.join("/"));
    const target =
      parent && base !== undefined ? { directory: parent, name: pathOf(base) } : undefined;
    const stat = target && statOf(target);
    if (!target || !stat || isDirectory(stat)) {
      throw new Fault(
        "invalid",
        `it is a hard link to ${showName(header.linkName)}, which the archive has not made${stat ? " a file" : ""}`,
      );
    }
    const there = statOf(place);
    if (there?.ino === stat.ino && there.dev === stat.dev) return;
    this.#replacing(place, () =>
      linkat(
        { directory: target.directory, path: target.name },
        { directory: place.directory, path: place.name },
      ),
    );
  }

  /** A whiteout hides what the layers below have; what this layer has itself stays. */
  #whiteout(components: readonly string[], base: string): void {
    const directory = this.#directory(components);
    if (base === opaqueName) {
      setXattr(directory, "", opaqueAttribute, opaqueValue);
      return;
    }
    if (base.startsWith(markPrefix)) return;
    const hidden = base.slice(whiteoutPrefix.length);
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw new Fault("invalid", "it is a whiteout of nothing");
    }
    const place = { directory, name: pathOf(hidden), path: "" };
    const there = statOf(place);
    if (there && isDirectory(there)) this.#makeOpaque(place);
    if (!there) makeWhiteout(directory, place.name);
  }

  #makeOpaque(place: NamedPlace): void {
    setXattr(place.directory, place.name, opaqueAttribute, opaqueValue);
  }

  /** The directory, made with all above it when the archive has not named it. Links are followed inside the root. */
  #directory(components: readonly string[], links = 0): Fd {
    const path = components.join("/");
    const known = this.#directories.get(path);
    if (known) return known;
    const above = this.#directory(components.slice(0, -1), links);
    const base = components.at(-1) ?? "";
    const place = { directory: above, name: pathOf(base), path };
    const there = statOf(place);
    if (there && (there.mode & S_IFMT) === S_IFLNK && links < maxLinks) {
      this.#directory(this.#linkTarget(place), links + 1);
    } else if (there && !isWhiteout(there)) {
      throw new Fault(
        "invalid",
        `${showName(path)} is not a directory, but something shall be in it`,
      );
    } else this.#imply(place, there, base);
    const made = this.#directories.get(path);
    if (!made) throw new Fault("invalid", `${showName(path)} leads to no directory`);
    return made;
  }

  #imply(place: NamedPlace, whiteout: Stat | undefined, base: string): void {
    const real = joinPath(this.#realPath(place.directory), base);
    if (whiteout) this.#remove(place, whiteout);
    mkdirat(place.directory, place.name, 0o755);
    if (whiteout) this.#makeOpaque(place);
    else this.#implied.add(real);
    setAttributes(place, { mode: 0o755, uid: 0, gid: 0 });
    this.#remember(real);
  }

  /** Where a symbolic link leads, as components from the root, which ".." does not leave. */
  #linkTarget({ directory, name }: NamedPlace): string[] {
    const target = readlinkatBytes(directory, name).toString("latin1");
    const components = target.startsWith("/") ? [] : this.#realPath(directory).split("/");
    for (const part of target.split("/")) {
      if (part === "..") components.pop();
      else if (part !== "" && part !== ".") components.push(part);
    }
    return components.filter((part) => part !== "");
  }

  /** Where a directory below the root is, whatever links led to it. */
  #realPath(directory: Fd): string {
    const path = readlinkatBytes(undefined, `/proc/self/fd/${directory.number}`).toString("latin1");
    return path.slice(this.#rootPath.length + 1);
  }

  /** Does `make`; what has the name already is removed first. */
  #replacing(place: NamedPlace, make: () => void): void {
    try {
      make();
    } catch (error) {
      const there = isFault(error) && error.errno === "EEXIST" ? statOf(place) : undefined;
      if (!there) throw error;
      this.#remove(place, there);
      make();
    }
  }

  #remove(place: NamedPlace, there: Stat): void {
    const type = there.mode & S_IFMT;
    if (type === S_IFDIR || type === S_IFLNK) this.#directories.forget();
    if (type === S_IFDIR) {
      const name = typeof place.name === "string" ? Buffer.from(place.name) : place.name;
      const prefix = Buffer.from(`/proc/self/fd/${place.directory.number}/`);
      rmSync(Buffer.concat([prefix, name]), { recursive: true });
    } else unlinkat(place.directory, place.name);
  }

  #remember(path: string): void {
    this.#directoryBytes += path.length;
    if (this.#directoryBytes <= maxDirectoryBytes) return;
    throw new Fault(
      "exhausted",
      `the names of the directories have more than ${maxDirectoryBytes} bytes together`,
    );
  }

  #setTime(place: NamedPlace, mtime: bigint): void {
    utimensat(place.directory, place.name, { atime: mtime, mtime });
  }

  #naming(header: TarHeader, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isFault(error)) throw error;
      throw new Fault(error.code, `extracting ${showName(header.name)}: ${error.message}`, {
        cause: error,
        ...(error.about !== undefined && { about: error.about }),
        ...(error.errno !== undefined && { errno: error.errno }),
      });
    }
  }
}

function statOf(place: {
  readonly directory: Fd;
  readonly name: string | Uint8Array;
}): Stat | undefined {
  try {
    return fstatat(place.directory, place.name, false);
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

/** Long runs of zeros need no room on the disk; `end` gives the file its size. */
function isHole(bytes: Buffer): boolean {
  if (bytes.length < leastHole || bytes.length > zeros.length) return false;
  return bytes[0] === 0 && bytes.equals(zeros.subarray(0, bytes.length));
}

function isDirectory(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

function writeAt(fd: Fd, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd.number, bytes, done, bytes.length - done, offset + done);
  }
}

function isWhiteoutName(components: readonly string[], base: string): boolean {
  const hidden = components.find((each) => each.startsWith(whiteoutPrefix));
  if (hidden !== undefined) {
    throw new Fault("invalid", `${showName(hidden)} is a whiteout and cannot be a directory`);
  }
  return base.startsWith(whiteoutPrefix);
}
