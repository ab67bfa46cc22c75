import { createHash } from "node:crypto";
import { defined, isFault } from "#base";
import {
  type Fd,
  fstatat,
  getXattr,
  listXattr,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  readInto,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "#kernel";
import { type ScannedEntry, TreeScanner } from "#layer";
import type { Breathe, LayerEntry, LayerSource } from "./layer-source.ts";

const types: ReadonlyMap<number, LayerEntry["type"]> = new Map<number, LayerEntry["type"]>([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "character"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
]);

const chunk = Buffer.allocUnsafe(256 << 10);

/** A committed snapshot's directory, with whiteouts and opaque directories as overlayfs has them. Nothing outside of it is ever opened. */
export class LayerDirectory implements LayerSource, Disposable {
  readonly #root: Fd;
  readonly #breathe: Breathe;

  constructor(path: string, breathe: Breathe) {
    this.#root = openat2(undefined, path, { flags: O_PATH | O_DIRECTORY });
    this.#breathe = breathe;
  }

  [Symbol.dispose](): void {
    this.#root.close();
  }

  *entries(): Generator<LayerEntry, void> {
    using scanner = new TreeScanner(this.#root, { mode: "layer" });
    const links = new Map<string, string>();
    for (const found of scanner.entries()) {
      const entry = typeof found === "number" ? undefined : entryOf(found, links);
      if (entry) yield entry;
    }
  }

  entry(path: string): LayerEntry | undefined {
    const slash = path.lastIndexOf("/");
    return this.#unlessMissing(() => {
      using parent = this.#open(slash < 0 ? "." : path.slice(0, slash), O_PATH | O_DIRECTORY);
      return describe(path, parent, path.slice(slash + 1));
    });
  }

  read(path: string, limit: number): Buffer | undefined {
    const parts: Buffer[] = [];
    let size = 0;
    for (const bytes of this.#content(path)) {
      size += bytes.length;
      if (size > limit) return undefined;
      parts.push(Buffer.from(bytes));
    }
    return this.#found ? Buffer.concat(parts) : undefined;
  }

  digest(path: string): string | undefined {
    const hash = createHash("sha256");
    for (const bytes of this.#content(path)) hash.update(bytes);
    return this.#found ? hash.digest("hex") : undefined;
  }

  attributes(path: string): string {
    const slash = path.lastIndexOf("/");
    const found = this.#unlessMissing(() => {
      using parent = this.#open(slash < 0 ? "." : path.slice(0, slash), O_PATH | O_DIRECTORY);
      const name = bytesOf(path.slice(slash + 1));
      return listXattr(parent, name)
        .filter((key) => !/^(trusted|user)\.overlay\./.test(key))
        .sort()
        .map((key) => `${key}=${getXattr(parent, name, key)?.toString("hex")}`);
    });
    return found?.join("\n") ?? "";
  }

  #found = false;

  /** In chunks that are reused. Afterwards `#found` says whether it was a regular file. */
  *#content(path: string): Generator<Buffer, void> {
    this.#found = false;
    using file = this.#unlessMissing(() => this.#open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    if (!file || (fstatat(file, "", false).mode & S_IFMT) !== S_IFREG) return;
    this.#found = true;
    for (let got = readInto(file, chunk); got > 0; got = readInto(file, chunk)) {
      this.#breathe();
      yield chunk.subarray(0, got);
    }
  }

  #open(path: string, flags: number): Fd {
    const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    return openat2(this.#root, bytesOf(path), { flags, resolve });
  }

  /** A directory that is a file in this layer, or a link, is missing too. */
  #unlessMissing<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      const missing = ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENAMETOOLONG"];
      if (isFault(error) && missing.includes(error.errno ?? "")) return undefined;
      throw error;
    }
  }
}

/** Undefined for sockets, which no image has. */
function entryOf(found: ScannedEntry, links: Map<string, string>): LayerEntry | undefined {
  const { path, type, size, mode, uid, gid, linkName, opaque, whiteout, inode } = found;
  const common = { path, mode, uid, gid };
  if (type === "socket") return undefined;
  if (whiteout) return { ...common, type: "whiteout", size: 0 };
  const first = type === "file" && inode !== undefined ? links.get(inode) : undefined;
  if (first !== undefined) return { ...common, type: "hardlink", size: 0, linkName: first };
  if (type === "file" && inode !== undefined) links.set(inode, path);
  return {
    ...{ ...common, type, size },
    ...defined({ linkName }),
    ...(opaque && { opaque }),
    ...(inode !== undefined && { linked: true }),
  };
}

/** One name of an open directory, or with "" the directory itself. Undefined for sockets, which no image has. */
function describe(path: string, directory: Fd, name: string): LayerEntry | undefined {
  const bytes = bytesOf(name);
  const { mode, uid, gid, size, rdev } = fstatat(directory, bytes, false);
  const type = types.get(mode & S_IFMT);
  if (!type) return undefined;
  const common = { path, mode: mode & 0o7777, uid, gid };
  if (type === "character" && rdev.major === 0 && rdev.minor === 0)
    return { ...common, type: "whiteout", size: 0 };
  if (type === "file") return { ...common, type, size };
  const isOpaque =
    type === "directory" &&
    getXattr(directory, bytes, "trusted.overlay.opaque")?.toString() === "y";
  return { ...common, type, size: 0, ...(isOpaque && { opaque: true }) };
}

/** A name in the form for system calls: the text itself while it is ASCII. */
function bytesOf(name: string): string | Uint8Array {
  for (let at = 0; at < name.length; at++) {
    if (name.charCodeAt(at) >= 0x80) return Buffer.from(name, "latin1");
  }
  return name;
}
