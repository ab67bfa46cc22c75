import { Fault } from "#base";
import { S_IFDIR, S_IFMT, S_IFREG, S_IFSOCK } from "#kernel";
import type { Stat } from "../protobuf/file-messages.ts";
import { modeFromGo } from "./go-mode.ts";

/** A file that a client announced, checked. All are root's: whose they are at the client decides nothing. */
export interface IncomingEntry {
  /** Relative and clean. */
  readonly path: string;
  /** st_mode, with the type. */
  readonly mode: number;
  /** Bytes; 0 unless it is a file with content of its own. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** The target of a symbolic link, or the path of the file of which this is another name; else "". */
  readonly link: string;
  readonly device: { readonly major: number; readonly minor: number };
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

const maxPathBytes = 4096;

/**
 * Takes what a client says of its files, one after another, as fsutil sends them: a directory before
 * what is in it, each path once.
 */
export class EntryCheck {
  readonly #maxEntries: number;
  readonly #types = new Map<string, number>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** Undefined for a socket, which cannot be sent. Throws `invalid` for what no honest client says. */
  take(stat: Stat): IncomingEntry | undefined {
    const { path, linkname } = stat;
    const refuse = (why: string) =>
      new Fault("invalid", `the client sent ${JSON.stringify(path.slice(0, 200))}: ${why}`, {
        about: path,
      });
    checkPath(path, refuse);
    if (this.#types.size >= this.#maxEntries)
      throw new Fault("exhausted", `the context has more than ${this.#maxEntries} files`);
    const mode = modeFromGo(stat.mode);
    if (mode === undefined) throw refuse(`the mode ${stat.mode} is of no type of file`);
    const type = mode & S_IFMT;
    if (this.#types.has(path)) throw refuse("it came before");
    const slash = path.lastIndexOf("/");
    if (slash >= 0 && this.#types.get(path.slice(0, slash)) !== S_IFDIR)
      throw refuse("its directory did not come before it");
    this.#types.set(path, type);
    if (type === S_IFSOCK) return undefined;
    if (type === S_IFREG && linkname !== "" && this.#types.get(linkname) !== S_IFREG)
      throw refuse(`it is a link to ${JSON.stringify(linkname.slice(0, 200))}, no file before it`);
    if (stat.size < 0n || stat.size > BigInt(Number.MAX_SAFE_INTEGER))
      throw refuse(`its size is ${stat.size}`);
    if (Buffer.byteLength(linkname) > maxPathBytes || linkname.includes("\0"))
      throw refuse("its link is no path");
    return {
      ...{ path, mode, mtime: stat.modTime, link: linkname },
      size: type === S_IFREG && linkname === "" ? Number(stat.size) : 0,
      device: { major: Number(stat.devmajor), minor: Number(stat.devminor) },
      xattrs: stat.xattrs,
    };
  }
}

/** Lone surrogates and U+FFFD stand for bytes that are no text; a name of them would be another one. */
function checkPath(path: string, refuse: (why: string) => Fault): void {
  if (path === "" || Buffer.byteLength(path) > maxPathBytes || path.includes("\0"))
    throw refuse("it is no path");
  if (path.includes("\ufffd")) throw refuse("its name is not UTF-8");
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.length > 255))
    throw refuse("the path leads out of the directory or is not clean");
}
