import { Fault } from "#base";

export type TarType =
  | "file"
  | "hardlink"
  | "symlink"
  | "character"
  | "block"
  | "directory"
  | "fifo";

/**
 * One member of an archive. Names are bytes: each character of `name`, `linkName`
 * and the keys of `xattrs` is one byte ("latin1"), so that any name survives;
 * `nameToText` and `textToName` translate.
 */
export interface TarHeader {
  /** As archived: may begin with "./" or "/" and contain "..". A directory's may end in "/". */
  readonly name: string;
  readonly type: TarType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content as a reader of the file sees them (holes included); 0 unless a file. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  /** Where a link leads; "" for all else. */
  readonly linkName: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly userName?: string;
  readonly groupName?: string;
  /** Extended attributes by full name ("user.x", "security.capability"). */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

/** How much one archive of a stranger may hold; beyond a limit reading is `exhausted`. */
export interface TarLimits {
  /** Members of the archive. */
  readonly entries: number;
  /** Bytes of one name or link target. */
  readonly nameBytes: number;
  /** Bytes of one extended header (PAX records, long names, sparse maps). */
  readonly metadataBytes: number;
  /** Bytes of all files together, holes included. */
  readonly totalBytes: number;
}

/** Linux takes paths of up to 4,095 bytes and attribute values of up to 64 KiB. */
export const defaultTarLimits: TarLimits = {
  entries: 4_000_000,
  nameBytes: 4095,
  metadataBytes: 1 << 20,
  totalBytes: 2 ** 40,
};

/** For archives that this engine has made itself. */
export const noTarLimits: TarLimits = {
  ...{ entries: Infinity, nameBytes: Infinity, metadataBytes: Infinity, totalBytes: Infinity },
};

/** Bytes of a block: headers and contents begin at multiples of it (pax, POSIX ustar). */
export const blockSize = 512;

/** Bytes from the end of `size` bytes of content to the next block. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/**
 * A name as text, for messages and other uses that need no way back: bytes that are not UTF-8
 * become U+FFFD.
 */
export function nameToText(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}

/** Text as a name: its UTF-8 bytes, one character each. */
export function textToName(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** A name for a message: quoted, control characters escaped, at most 200 characters. */
export function showName(name: string): string {
  const text = nameToText(name);
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text);
}

/**
 * The components of a name relative to the root of its tree; "." and empty ones are
 * dropped, ".." is taken lexically, [] is the root itself. A name that leads out of
 * the root, holds a NUL or a component above 255 bytes is `invalid`.
 */
export function nameComponents(name: string): string[] {
  const components: string[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (components.pop() === undefined) {
        throw new Fault("invalid", `the name ${showName(name)} leads out of the archive's root`, {
          about: nameToText(name),
        });
      }
      continue;
    }
    if (part.length > 255) {
      throw new Fault("invalid", `the name ${showName(name)} has a part longer than 255 bytes`);
    }
    components.push(part);
  }
  if (name.includes("\0")) throw new Fault("invalid", `the name ${showName(name)} holds a NUL`);
  return components;
}
