import { type Digest, type DigestAlgorithm, Digester } from "#image";
import { type Fd, openRegularFile, readInto, readlinkatBytes, type Stat } from "#kernel";
import { chunkSize } from "./compression.ts";
import { isOpaque } from "./merged.ts";
import { type NodeType, TreeWalk, unlessGone, type WalkedEntry } from "./walk.ts";
import { isWhiteout } from "./whiteout.ts";

export interface ScanOptions {
  /**
   * "layer": in overlayfs's form, a character device 0:0 hides the same name in the layers below.
   * "tree": all as it is.
   */
  readonly mode: "layer" | "tree";
  /** Sockets too, which no archive can hold. */
  readonly sockets?: boolean;
  /** Hashes the content of files, by this algorithm. */
  readonly digests?: DigestAlgorithm;
}

/** One name in a tree. */
export interface ScannedEntry {
  /** Components joined by "/", one character a byte; "" is the root. */
  readonly path: string;
  readonly type: NodeType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file as its readers see it; 0 for all else. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  /** Where a symbolic link leads, one character a byte. */
  readonly linkName?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  /** It has several names: those of one tree with the same `inode` are one file. */
  readonly inode?: string;
  readonly links?: number;
  /** It hides the same path in the layers below. */
  readonly whiteout?: true;
  /** A directory that hides the entries of the same directory in the layers below. */
  readonly opaque?: true;
  /** The digest of a file's content. Absent also for a file with more than 1 GiB of holes. */
  readonly digest?: Digest;
}

const maxHoles = 2 ** 30;

/** Looks at each entry of a tree, in the order of TreeWalk; the generator rests after each chunk it hashes. */
export class TreeScanner implements Disposable {
  readonly #walk: TreeWalk;
  readonly #options: ScanOptions;
  readonly #buffer = Buffer.allocUnsafe(chunkSize);
  /** The digests of files with several names, until all names were seen. */
  readonly #hashed = new Map<string, { readonly digest: Digest; left: number }>();

  constructor(root: Fd, options: ScanOptions) {
    this.#walk = new TreeWalk(root, options);
    this.#options = options;
  }

  /** Entries, and between them the number of bytes just hashed. */
  *entries(): Generator<ScannedEntry | number, void> {
    for (const walked of this.#walk.entries()) {
      const entry = this.#describe(walked);
      if (!entry) continue;
      const wantsDigest = this.#options.digests !== undefined && entry.type === "file";
      const digest = wantsDigest ? yield* this.#digest(walked) : undefined;
      yield digest === undefined ? entry : { ...entry, digest };
    }
  }

  [Symbol.dispose](): void {
    this.#walk[Symbol.dispose]();
  }

  #describe({ directory, entry, path, type, stat }: WalkedEntry): ScannedEntry | undefined {
    const isLayer = this.#options.mode === "layer";
    const target =
      type === "symlink" ? unlessGone(() => readlinkatBytes(directory, entry)) : Buffer.alloc(0);
    if (!target) return undefined;
    const hides = isLayer && type === "directory" && isOpaque(directory, entry);
    const isDevice = type === "character" || type === "block";
    return {
      path,
      type,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: type === "file" ? stat.size : 0,
      mtime: stat.mtime,
      ...(type === "symlink" && { linkName: target.toString("latin1") }),
      ...(isDevice && { device: stat.rdev }),
      ...(type !== "directory" && stat.nlink > 1 && { inode: inodeOf(stat), links: stat.nlink }),
      ...(isLayer && isWhiteout(stat) && { whiteout: true }),
      ...(hides && { opaque: true }),
    };
  }

  *#digest({ directory, entry, stat }: WalkedEntry): Generator<number, Digest | undefined> {
    if (stat.size - stat.blocks * 512 > maxHoles) return undefined;
    const known = this.#hashed.get(inodeOf(stat));
    if (known) {
      if (--known.left === 0) this.#hashed.delete(inodeOf(stat));
      return known.digest;
    }
    // A FIFO or a device may have come in its place since.
    using file = unlessGone(() => openRegularFile(directory, entry));
    if (!file) return undefined;
    const hash = new Digester(this.#options.digests);
    for (let got = readInto(file, this.#buffer); got > 0; got = readInto(file, this.#buffer)) {
      hash.update(this.#buffer.subarray(0, got));
      yield got;
    }
    const digest = hash.digest();
    if (stat.nlink > 1) this.#hashed.set(inodeOf(stat), { digest, left: stat.nlink - 1 });
    return digest;
  }
}

function inodeOf(stat: Stat): string {
  return `${stat.dev}:${stat.ino}`;
}

/** Entries as they travel from the worker: JSON, times as decimal text. */
export function encodeEntries(entries: readonly ScannedEntry[]): Uint8Array {
  return Buffer.from(
    JSON.stringify(entries, (_, value: unknown) =>
      typeof value === "bigint" ? value.toString() : value,
    ),
  );
}

/** A batch as the scan's worker encodes it: JSON in which `mtime` is a string. */
export function decodeEntries(bytes: Uint8Array): ScannedEntry[] {
  const entries = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  return (entries as (ScannedEntry & { mtime: unknown })[]).map((entry) => ({
    ...entry,
    mtime: BigInt(entry.mtime as unknown as string),
  }));
}
