import { defined } from "#base";
import {
  dataExtents,
  type Fd,
  ftruncate,
  linkat,
  mknodat,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  openat2,
  type Place,
  readInto,
  readlinkatBytes,
  S_IFMT,
  type Stat,
  symlinkat,
  utimensat,
  writeAt,
} from "#kernel";
import type { TarType } from "#tar";
import { readXattrs, setAttributes } from "./attributes.ts";
import { chunkSize } from "./compression.ts";
import { pathOf } from "./whiteout.ts";

/** Copies all but directories with all they have; names of one file stay names of one file. */
export class NodeCopier {
  readonly #root: Fd;
  /** For each inode with several names the path of its copy. */
  readonly #copies = new Map<string, string>();
  #buffer: Buffer | undefined;

  /** @param root where the paths of copies start */
  constructor(root: Fd) {
    this.#root = root;
  }

  /**
   * Gives the bytes of each chunk copied.
   * @param to the directory, and the path from the root with the name in it last
   */
  *copy(
    node: {
      readonly from: Place & { readonly directory: Fd };
      readonly stat: Stat;
      readonly type: TarType;
    },
    to: { readonly directory: Fd; readonly path: string },
  ): Generator<number, void> {
    const { stat, type, from } = node;
    const name = pathOf(to.path.slice(to.path.lastIndexOf("/") + 1));
    const key = `${stat.dev}:${stat.ino}`;
    const copy = stat.nlink > 1 ? this.#copies.get(key) : undefined;
    if (copy !== undefined) {
      linkat(
        { directory: this.#root, path: pathOf(copy) },
        { directory: to.directory, path: name },
      );
      return;
    }
    const xattrs = readXattrs({ directory: from.directory, name: from.path });
    const attributes = { ...stat, mode: stat.mode & 0o7777, ...defined({ xattrs }) };
    const times = { atime: stat.mtime, mtime: stat.mtime };
    if (type === "file") {
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
      using file = openat2(to.directory, name, { flags, mode: 0o600 });
      yield* this.#content(from, file, stat);
      setAttributes({ directory: file, name: "" }, attributes);
      utimensat(file, "", times);
    } else {
      if (type === "symlink") {
        symlinkat(readlinkatBytes(from.directory, from.path), to.directory, name);
      } else mknodat(to.directory, name, { mode: (stat.mode & S_IFMT) | 0o600, ...stat.rdev });
      const place = { directory: to.directory, name };
      setAttributes(place, attributes, { isSymlink: type === "symlink" });
      utimensat(to.directory, name, times);
    }
    if (stat.nlink > 1) this.#copies.set(key, to.path);
  }

  *#content(from: Place, copy: Fd, { size, blocks }: Stat): Generator<number, void> {
    this.#buffer ??= Buffer.allocUnsafe(chunkSize);
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    using source = openat2(from.directory, from.path, { flags });
    const hasHoles = blocks * 512 < size;
    let end = 0;
    for (const extent of hasHoles ? dataExtents(source) : [{ start: 0, end: size }]) {
      for (end = extent.start; end < extent.end; ) {
        const wanted = this.#buffer.subarray(0, Math.min(this.#buffer.length, extent.end - end));
        const got = readInto(source, wanted, end);
        if (got === 0) break;
        writeAt(copy, wanted.subarray(0, got), end);
        end += got;
        yield got;
      }
    }
    if (end !== size) ftruncate(copy, size);
  }
}
