import { Fault } from "#base";
import { checksums, places, writeOctal } from "./field.ts";
import { blockSize, paddingOf, showName, type TarHeader, type TarType } from "./header.ts";
import { encodePax, formatPaxTime, type PaxRecord } from "./pax.ts";
import { encodeInlineMap, type Fragment } from "./sparse.ts";

const flags: Readonly<Record<TarType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/**
 * Writes an archive piece by piece: for each member `entry`, then its content with
 * `data`, and `finish` at the end. POSIX ustar blocks, with a PAX header where a
 * value does not fit (long names, 8 GiB and more, ids above 2,097,151, fractions of
 * seconds, extended attributes). The same members always give the same bytes.
 */
export class TarWriter {
  readonly #emit: (bytes: Uint8Array) => void;
  #left = 0;
  #size = 0;

  constructor(emit: (bytes: Uint8Array) => void) {
    this.#emit = emit;
  }

  /**
   * Begins a member; with `content` it is complete at once. `invalid` for a name or attribute that
   * tar cannot hold, `internal` when the member before lacks bytes.
   */
  entry(header: TarHeader, content?: Uint8Array): void {
    this.#begin(header, []);
    if (content) this.data(content);
  }

  /**
   * Begins a file of which these runs alone are stored, in GNU's sparse format 1.0; their bytes
   * follow with `data`. The runs ascend, do not touch and lie within the file.
   */
  sparse(header: TarHeader, map: readonly Fragment[]): void {
    const table = encodeInlineMap(map, header.size);
    const stored = map.reduce((sum, { length }) => sum + length, table.length);
    const base = header.name.lastIndexOf("/") + 1;
    const name = `${header.name.slice(0, base)}GNUSparseFile.0/${header.name.slice(base)}`;
    this.#begin({ ...header, name, size: stored }, [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.name", header.name],
      ["GNU.sparse.realsize", String(header.size)],
    ]);
    this.data(table);
  }

  #begin(header: TarHeader, records: readonly PaxRecord[]): void {
    this.#requireComplete();
    this.#emit(encodeTarHeader(header, records));
    this.#size = header.type === "file" ? header.size : 0;
    this.#left = this.#size;
  }

  /**
   * Content of the member, in order; its padding follows the last byte. More bytes than the header
   * promised are an `internal` fault.
   */
  data(bytes: Uint8Array): void {
    if (bytes.byteLength > this.#left) {
      throw new Fault(
        "internal",
        `a tar member of ${this.#size} bytes got ${bytes.byteLength - this.#left} bytes too many`,
      );
    }
    if (bytes.byteLength === 0) return;
    this.#left -= bytes.byteLength;
    this.#emit(bytes);
    const padding = paddingOf(this.#size);
    if (this.#left === 0 && padding > 0) this.#emit(zeros.subarray(0, padding));
  }

  /** Writes the end mark, two blocks of zeros; an incomplete member is an `internal` fault. */
  finish(): void {
    this.#requireComplete();
    this.#emit(zeros);
  }

  #requireComplete(): void {
    if (this.#left === 0) return;
    throw new Fault(
      "internal",
      `a tar member of ${this.#size} bytes lacks the last ${this.#left} bytes`,
    );
  }
}

const zeros = new Uint8Array(2 * blockSize);

/** The header blocks of one member: its PAX header if it needs one, and its own. */
export function encodeTarHeader(header: TarHeader, more: readonly PaxRecord[] = []): Buffer {
  const { block, records: own } = encodeUstar(header);
  const records = [...more, ...own];
  if (records.length === 0) return block;
  const body = encodePax(records);
  const extended = encodeUstar({
    name: `PaxHeaders.0/${header.name.split("/").findLast((part) => part !== "") ?? "x"}`.slice(
      0,
      99,
    ),
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0n,
    linkName: "",
  }).block;
  extended.write("x", places.type.offset, "latin1");
  seal(extended);
  return Buffer.concat([extended, body, zeros.subarray(0, paddingOf(body.length)), block]);
}

/** The block, and as records all that it has no room for. */
function encodeUstar(header: TarHeader): { readonly block: Buffer; readonly records: PaxRecord[] } {
  const block = Buffer.alloc(blockSize);
  const records: PaxRecord[] = [];
  refuseUnsafe(header);
  writeName(block, header.name, records);
  writeOctal(block, places.mode, header.mode & 0o7777);
  if (!writeOctal(block, places.uid, header.uid)) records.push(["uid", String(header.uid)]);
  if (!writeOctal(block, places.gid, header.gid)) records.push(["gid", String(header.gid)]);
  const size = header.type === "file" ? header.size : 0;
  if (!writeOctal(block, places.size, size)) records.push(["size", String(size)]);
  const hasFraction = header.mtime % 1_000_000_000n !== 0n;
  const fits = writeOctal(block, places.mtime, header.mtime / 1_000_000_000n) && header.mtime >= 0n;
  if (!fits || hasFraction) records.push(["mtime", formatPaxTime(header.mtime)]);
  block.write(flags[header.type], places.type.offset, "latin1");
  block.write(header.linkName, places.linkName.offset, places.linkName.length, "latin1");
  if (header.linkName.length > 100) records.push(["linkpath", header.linkName]);
  block.write("ustar\x0000", places.magic.offset, "latin1");
  writeOwner(block, header, records);
  if (header.device) {
    writeOctal(block, places.major, header.device.major);
    writeOctal(block, places.minor, header.device.minor);
  }
  for (const [key, value] of sortedXattrs(header)) {
    records.push([`SCHILY.xattr.${key}`, Buffer.from(value).toString("latin1")]);
  }
  seal(block);
  return { block, records };
}

function refuseUnsafe(header: TarHeader): void {
  if (header.name === "" || `${header.name}${header.linkName}`.includes("\0")) {
    throw new Fault("invalid", `${showName(header.name)} cannot be the name of a tar member`);
  }
  const attributes = [...(header.xattrs?.keys() ?? [])];
  const odd = attributes.find((key) => key === "" || /[=\0]/.test(key));
  if (odd !== undefined) {
    throw new Fault(
      "invalid",
      `the extended attribute ${showName(odd)} of ${showName(header.name)} cannot be put into a tar archive`,
    );
  }
}

/** Name and prefix are cut at a slash, both in their limits; else the whole goes into a record. */
function writeName(block: Buffer, name: string, records: PaxRecord[]): void {
  if (name.length <= 100) {
    block.write(name, places.name.offset, "latin1");
    return;
  }
  const cut = name.lastIndexOf("/", 155);
  const rest = name.length - cut - 1;
  if (cut > 0 && rest > 0 && rest <= 100) {
    block.write(name.slice(0, cut), places.prefix.offset, "latin1");
    block.write(name.slice(cut + 1), places.name.offset, "latin1");
    return;
  }
  block.write(name, places.name.offset, places.name.length, "latin1");
  records.push(["path", name]);
}

function writeOwner(block: Buffer, header: TarHeader, records: PaxRecord[]): void {
  const { userName = "", groupName = "" } = header;
  block.write(userName, places.userName.offset, 31, "latin1");
  block.write(groupName, places.groupName.offset, 31, "latin1");
  if (userName.length > 31) records.push(["uname", userName]);
  if (groupName.length > 31) records.push(["gname", groupName]);
}

function sortedXattrs(header: TarHeader): [string, Uint8Array][] {
  return [...(header.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
}

function seal(block: Buffer): void {
  const sum = checksums(block).unsigned;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, places.checksum.offset, "latin1");
}
