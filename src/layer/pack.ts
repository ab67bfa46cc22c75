import {
  dataExtents,
  type Extent,
  type Fd,
  openRegularFile,
  readInto,
  readlinkatBytes,
  type Stat,
  utimensat,
} from "#kernel";
import { type TarHeader, type TarType, TarWriter } from "#tar";
import { readXattrs } from "./attributes.ts";
import { chunkSize } from "./compression.ts";
import { isOpaque } from "./merged.ts";
import { TreeWalk, unlessGone, type WalkedEntry } from "./walk.ts";
import { isWhiteout, opaqueName, whiteoutPrefix } from "./whiteout.ts";

const zeros = Buffer.alloc(chunkSize);

/** How to pack a directory. */
export interface PackOptions {
  /** "tree": all as it is. "upper": the upper directory of an overlay, its whiteouts in OCI's form. */
  readonly mode: "tree" | "upper";
  /** Whether the archive begins with the directory itself, as "./". */
  readonly includeRoot: boolean;
  /** Nanoseconds since the epoch: later times are given as this one, in the archive and (with `touch`) on the disk. */
  readonly latest?: bigint;
  /** Sets the clamped times on the disk as well, so that tree and archive agree. */
  readonly touch?: boolean;
  /**
   * For trees that are no layers: holes of files stay holes (GNU's sparse format 1.0), and the
   * overlay's attributes are kept.
   */
  readonly exact?: boolean;
  /**
   * The name of the tree in the archive, which all names begin with; one character a byte. Without
   * it the root is "./", and names are relative to it.
   */
  readonly as?: string;
  /** File systems that are mounted in the tree are packed with it. */
  readonly mounts?: boolean;
  /** Paths ("etc/hosts") that are left out; of a directory its own entry alone. */
  readonly exclude?: readonly string[];
}

/** The size of what was packed. */
export interface PackTotals {
  entries: number;
  /** Bytes of the files. */
  size: number;
}

/**
 * A directory tree as an archive: depth first, names in the order of their bytes, so that the same
 * tree gives the same archive. Hard links within the tree stay links. Sockets and other file
 * systems are left out. A file that shrinks while it is read is filled up with zeros, one that
 * vanishes is left out.
 */
export class TreePacker implements Disposable {
  readonly totals: PackTotals = { entries: 0, size: 0 };
  readonly #options: PackOptions;
  readonly #sharesHoles: boolean;
  readonly #walk: TreeWalk;
  readonly #links = new Map<string, string>();
  readonly #writer: TarWriter;
  readonly #buffer = Buffer.allocUnsafe(chunkSize);
  #ready: Buffer[] = [];
  #chunk = Buffer.allocUnsafe(chunkSize);
  #filled = 0;

  /** @param sharesHoles chunks of holes are the same one, not to be changed or transferred */
  constructor(root: Fd, options: PackOptions, sharesHoles = false) {
    this.#sharesHoles = sharesHoles;
    this.#walk = new TreeWalk(root, { mounts: options.mounts });
    this.#options = options;
    this.#writer = new TarWriter((bytes) => this.#emit(bytes));
  }

  /** The archive in chunks of 256 KiB, which are the receiver's to keep. */
  *chunks(): Generator<Buffer, void> {
    for (const walked of this.#walk.entries()) {
      if (walked.path === "" && !this.#options.includeRoot) continue;
      if (this.#options.exclude?.includes(walked.path)) continue;
      const header = this.#add(walked);
      if (header) yield* this.#file(walked, header);
      yield* this.#take();
    }
    this.#writer.finish();
    this.#flush();
    yield* this.#take();
  }

  [Symbol.dispose](): void {
    this.#walk[Symbol.dispose]();
  }

  /** Writes the header of one member, or gives that of a file with content, which is still to be written. */
  #add({ directory, entry, path, type, stat }: WalkedEntry): TarHeader | undefined {
    if (type === "socket") return undefined;
    const place = { directory, name: entry };
    if (this.#options.mode === "upper" && isWhiteout(stat)) {
      this.#write({ ...emptyFile, name: whiteoutOf(path) });
      return undefined;
    }
    const link = this.#linkOf(stat, type, path);
    const mtime = this.#clamp(stat, directory, entry);
    const common = { mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, mtime };
    if (link !== undefined) {
      const [name, linkName] = [this.#nameOf(path), this.#nameOf(link)];
      this.#write({ ...common, name, type: "hardlink", linkName, size: 0 });
      return undefined;
    }
    const target = type === "symlink" && unlessGone(() => readlinkatBytes(directory, entry));
    if (target === undefined) return undefined;
    const xattrs = unlessGone(() => readXattrs(place, this.#options));
    const isDevice = type === "character" || type === "block";
    const header: TarHeader = {
      ...common,
      name:
        type === "directory" ? `${this.#nameOf(path)}/`.replace(/^\/\/$/, "/") : this.#nameOf(path),
      type,
      size: type === "file" ? stat.size : 0,
      linkName: target ? target.toString("latin1") : "",
      ...(isDevice && { device: stat.rdev }),
      ...(xattrs && { xattrs: new Map([...xattrs].filter(([key]) => !key.includes("="))) }),
    };
    if (header.size > 0) return header;
    this.#write(header);
    const isUpper = this.#options.mode === "upper" && type === "directory" && path !== "";
    if (isUpper && isOpaque(directory, entry)) {
      this.#write({ ...emptyFile, name: `${path}/${opaqueName}` });
    }
    return undefined;
  }

  #nameOf(path: string): string {
    const { as } = this.#options;
    if (as === undefined) return path || ".";
    return path === "" ? as : `${as === "/" ? "" : as}/${path}`;
  }

  #write(header: TarHeader, runs?: readonly Extent[]): void {
    this.totals.entries++;
    this.totals.size += header.size;
    if (!runs) this.#writer.entry(header);
    else {
      const map = runs.map(({ start, end }) => ({ offset: start, length: end - start }));
      this.#writer.sparse(header, map);
    }
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

  *#file({ directory, entry, stat }: WalkedEntry, header: TarHeader): Generator<Buffer, void> {
    const { size } = header;
    // A FIFO or a device may have come in its place since.
    using file = unlessGone(() => openRegularFile(directory, entry));
    const runs = file && stat.blocks * 512 < size ? runsOf(file, size) : [{ start: 0, end: size }];
    const [first] = runs;
    const hasHoles = first?.start !== 0 || first.end !== size;
    const keepsHoles = this.#options.exact && hasHoles;
    this.#write(header, keepsHoles ? runs : undefined);
    let at = 0;
    for (const { start, end } of runs) {
      if (!keepsHoles) yield* this.#zeros(start - at);
      at = start;
      while (file && at < end) {
        const room = Math.min(end - at, this.#buffer.length);
        const got = readInto(file, this.#buffer.subarray(0, room), at);
        if (got === 0) break;
        this.#writer.data(this.#buffer.subarray(0, got));
        at += got;
        yield* this.#take();
      }
      if (keepsHoles) yield* this.#zeros(end - at);
    }
    if (!keepsHoles) yield* this.#zeros(size - at);
  }

  *#zeros(count: number): Generator<Buffer, void> {
    for (let left = count; left > 0; ) {
      const some = zeros.subarray(0, Math.min(left, zeros.length - this.#filled));
      this.#writer.data(some);
      left -= some.length;
      yield* this.#take();
    }
  }

  #emit(bytes: Uint8Array): void {
    const isWhole = bytes.length === zeros.length && bytes.buffer === zeros.buffer;
    if (this.#sharesHoles && isWhole && this.#filled === 0) {
      this.#ready.push(zeros);
      return;
    }
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

/** A sparse map of so many runs stays far below the limit that readers have for it. */
const maxRuns = 16 << 10;

/**
 * The parts of a file that have data, within its first `size` bytes. Of a file with very many the
 * smallest holes are taken for data.
 */
function runsOf(file: Fd, size: number): Extent[] {
  let runs: Extent[] = [];
  let leastHole = 1;
  for (const { start, end } of dataExtents(file)) {
    if (start >= size) break;
    runs.push({ start, end: Math.min(end, size) });
    while (runs.length > maxRuns) {
      leastHole *= 2;
      runs = joinRuns(runs, leastHole);
    }
  }
  return runs;
}

function joinRuns(runs: readonly Extent[], leastHole: number): Extent[] {
  const joined: Extent[] = [];
  for (const run of runs) {
    const last = joined.at(-1);
    if (last && run.start - last.end < leastHole) {
      joined[joined.length - 1] = { start: last.start, end: run.end };
    } else joined.push(run);
  }
  return joined;
}

/** The name in an archive that hides the path. */
function whiteoutOf(path: string): string {
  const base = path.lastIndexOf("/") + 1;
  return path.slice(0, base) + whiteoutPrefix + path.slice(base);
}
