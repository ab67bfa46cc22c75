import { defined } from "#base";
import { checksums, type Place, places, readNumber, readText } from "./field.ts";
import type { TarHeader, TarType } from "./header.ts";
import { type PaxRecord, parsePaxTime } from "./pax.ts";

/** The facts from extended headers about the member that follows. */
export interface Extension {
  records: readonly PaxRecord[];
  longName: string | undefined;
  longLink: string | undefined;
}

/** Why a block is not a header, for a message. */
export class MalformedHeader extends Error {}

const types: Readonly<Record<string, TarType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

const starPrefixLength = 131;
const maxId = 2n ** 32n - 2n;
/** utimensat(2) takes 64-bit seconds; file systems keep less, and a bigint of nanoseconds must fit an int64. */
const maxTime = 2n ** 63n - 1n;

/**
 * Refuses a header whose checksum is wrong; sums of signed bytes, as old programs made them, will
 * do.
 */
export function checkSum(block: Buffer): void {
  const expected = readNumber(block, places.checksum.offset, places.checksum.length);
  const { unsigned, signed } = checksums(block);
  if (expected !== BigInt(unsigned) && expected !== BigInt(signed)) {
    throw new MalformedHeader("its checksum is wrong");
  }
}

/** The character that says what a member is (tar(5), "typeflag"). */
export function typeFlagOf(block: Buffer): string {
  return String.fromCharCode(block[places.type.offset] ?? 0);
}

/** Bytes of content that follow the header in the archive. */
export function storedSize(block: Buffer, extension: Extension): number {
  const stated = paxValue(extension, "size");
  const size =
    stated === undefined
      ? field(block, places.size, "size")
      : /^\d{1,20}$/.test(stated)
        ? BigInt(stated)
        : -1n;
  if (size < 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new MalformedHeader(`its size (${size}) is out of range`);
  }
  return Number(size);
}

/** The value of the last record of a key; an empty value takes the record back. */
function paxValue(extension: Extension, key: string): string | undefined {
  const { records } = extension;
  for (let i = records.length - 1; i >= 0; i--) {
    if (records[i]?.[0] === key) return records[i]?.[1] || undefined;
  }
  return undefined;
}

function field(block: Buffer, place: Place, what: string): bigint {
  const value = readNumber(block, place.offset, place.length);
  if (value === undefined) throw new MalformedHeader(`its ${what} is not a number`);
  return value;
}

function id(block: Buffer, extension: Extension, what: "uid" | "gid"): number {
  const stated = paxValue(extension, what);
  const value =
    stated === undefined
      ? field(block, places[what], what)
      : /^\d{1,12}$/.test(stated)
        ? BigInt(stated)
        : -1n;
  if (value < 0n || value > maxId) throw new MalformedHeader(`its ${what} is out of range`);
  return Number(value);
}

function mtime(block: Buffer, extension: Extension): bigint {
  const stated = paxValue(extension, "mtime");
  const time =
    stated === undefined
      ? field(block, places.mtime, "time") * 1_000_000_000n
      : parsePaxTime(stated);
  if (time === undefined) throw new MalformedHeader("its time is not a number");
  if (time > maxTime) return maxTime;
  return time < -maxTime ? -maxTime : time;
}

function xattrs(extension: Extension): ReadonlyMap<string, Uint8Array> | undefined {
  let found: Map<string, Uint8Array> | undefined;
  for (const [key, value] of extension.records) {
    if (!key.startsWith("SCHILY.xattr.")) continue;
    found ??= new Map();
    found.set(key.slice("SCHILY.xattr.".length), Buffer.from(value, "latin1"));
  }
  return found;
}

function device(block: Buffer): { readonly major: number; readonly minor: number } {
  const major = field(block, places.major, "device number");
  const minor = field(block, places.minor, "device number");
  if (major < 0n || major > 0xfffn || minor < 0n || minor > 0xfffffn) {
    throw new MalformedHeader("its device number is out of range");
  }
  return { major: Number(major), minor: Number(minor) };
}

/** The prefix field exists only in POSIX archives; GNU's uses the place for times, star's the end of it. */
function plainName(block: Buffer): string {
  const name = readText(block, places.name.offset, places.name.length);
  if (block.toString("latin1", 257, 263) !== "ustar\0") return name;
  const isStar = block.toString("latin1", 508, 512) === "tar\0";
  const length = isStar ? starPrefixLength : places.prefix.length;
  const prefix = readText(block, places.prefix.offset, length);
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Reads the block of a member, not of an extended header; throws MalformedHeader. */
export function readMember(block: Buffer, extension: Extension): TarHeader {
  const typeFlag = typeFlagOf(block);
  const known = types[typeFlag];
  if (!known) {
    throw new MalformedHeader(`its type ${JSON.stringify(typeFlag)} is not known`);
  }
  const name =
    paxValue(extension, "GNU.sparse.name") ??
    paxValue(extension, "path") ??
    extension.longName ??
    plainName(block);
  // Archives older than POSIX tell directories by the slash alone.
  const type = known === "file" && name.endsWith("/") ? "directory" : known;
  const isLink = type === "hardlink" || type === "symlink";
  const linkName =
    paxValue(extension, "linkpath") ??
    extension.longLink ??
    readText(block, places.linkName.offset, places.linkName.length);
  const attributes = xattrs(extension);
  const userName = paxValue(extension, "uname") ?? owner(block, places.userName);
  const groupName = paxValue(extension, "gname") ?? owner(block, places.groupName);
  return {
    name,
    type,
    mode: Number(field(block, places.mode, "mode") & 0o7777n),
    uid: id(block, extension, "uid"),
    gid: id(block, extension, "gid"),
    size: type === "file" ? storedSize(block, extension) : 0,
    mtime: mtime(block, extension),
    linkName: isLink ? linkName : "",
    ...((type === "character" || type === "block") && { device: device(block) }),
    ...defined({ userName, groupName, xattrs: attributes }),
  };
}

function owner(block: Buffer, place: Place): string | undefined {
  return readText(block, place.offset, place.length) || undefined;
}
