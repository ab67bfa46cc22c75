import { Database } from "bun:sqlite";
import { defined } from "#base";
import {
  type FoundPackage,
  maxPackages,
  type PackageFiles,
  type PackageSet,
  type UnreadDatabase,
} from "./package.ts";

const places = ["var/lib/rpm", "usr/lib/sysimage/rpm"];
const maxRpmDatabase = 512 << 20;

/** Tags of a header (rpm, include/rpm/rpmtag.h). */
const tag = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  size: 1009,
  architecture: 1022,
  dirIndexes: 1116,
  baseNames: 1117,
  dirNames: 1118,
  longSize: 5009,
} as const;

/**
 * The packages that rpm installed, if its database is SQLite (rpm 4.16 and later, the default of
 * Fedora 33 and RHEL 9).
 */
export function rpmPackages(files: PackageFiles): PackageSet {
  for (const place of places) {
    const names = files.list(place);
    const older = names.find((name) => name === "Packages" || name === "Packages.db");
    if (names.includes("rpmdb.sqlite")) return readSqlite(files, `${place}/rpmdb.sqlite`);
    if (older !== undefined) {
      const why = "only rpm's SQLite databases can be read; this one is of an older kind";
      return { packages: [], unread: [{ manager: "rpm", path: `${place}/${older}`, why }] };
    }
  }
  return { packages: [], unread: [] };
}

function readSqlite(files: PackageFiles, path: string): PackageSet {
  const unread = (why: string): PackageSet => {
    const database: UnreadDatabase = { manager: "rpm", path, why };
    return { packages: [], unread: [database] };
  };
  if ((files.read(`${path}-wal`, maxRpmDatabase)?.length ?? 0) > 0) {
    return unread("its write-ahead log has not been merged into it");
  }
  const bytes = files.read(path, maxRpmDatabase);
  if (!bytes) return unread(`it is not a file of at most ${maxRpmDatabase} bytes`);
  // A database in memory has no write-ahead log; without this SQLite refuses one that had (file format, 1.3.3).
  if (bytes[18] === 2) bytes.fill(1, 18, 20);
  try {
    using database = Database.deserialize(bytes, { readonly: true });
    const rows = database
      .query<{ blob: Uint8Array }, []>(`SELECT blob FROM Packages LIMIT ${maxPackages}`)
      .all();
    return { packages: rows.flatMap(({ blob }) => packageOf(Buffer.from(blob))), unread: [] };
  } catch (error) {
    return unread(`it cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function packageOf(blob: Buffer): FoundPackage[] {
  const header = new RpmHeader(blob);
  const name = header.text(tag.name);
  // Keys that were imported are kept as packages without files.
  if (name === undefined || name === "gpg-pubkey") return [];
  const epoch = header.numbers(tag.epoch)[0];
  const size = header.numbers(tag.longSize)[0] ?? header.numbers(tag.size)[0];
  const version = `${header.text(tag.version) ?? ""}-${header.text(tag.release) ?? ""}`;
  const architecture = header.text(tag.architecture);
  const directories = header.texts(tag.dirNames);
  const indexes = header.numbers(tag.dirIndexes);
  return [
    {
      manager: "rpm",
      name,
      version: epoch === undefined || epoch === 0 ? version : `${epoch}:${version}`,
      ...defined({ architecture, installedSize: size }),
      paths: header
        .texts(tag.baseNames)
        .map((base, at) => `${directories[indexes[at] ?? -1] ?? ""}${base}`.replace(/^\/+/, "")),
    },
  ];
}

const maxEntries = 10_000;

/**
 * A header as the database keeps it (rpm, docs/manual/format_header.md): the numbers of index
 * entries and of bytes of data, entries of four 32-bit numbers (tag, type, offset, count), data;
 * all of it big-endian. Entries that lead out of the data read as absent.
 */
class RpmHeader {
  readonly #entries = new Map<number, { type: number; offset: number; count: number }>();
  readonly #data: Buffer;

  constructor(blob: Buffer) {
    const count = blob.length >= 8 ? blob.readUInt32BE(0) : 0;
    const start = 8 + count * 16;
    const isSound = count <= maxEntries && start <= blob.length;
    this.#data = isSound ? blob.subarray(start) : Buffer.alloc(0);
    for (let at = 8; isSound && at < start; at += 16) {
      this.#entries.set(blob.readUInt32BE(at), {
        type: blob.readUInt32BE(at + 4),
        offset: blob.readUInt32BE(at + 8),
        count: blob.readUInt32BE(at + 12),
      });
    }
  }

  text(name: number): string | undefined {
    return this.texts(name)[0];
  }

  /** STRING (6), STRING_ARRAY (8) and I18NSTRING (9): each ends with a zero byte. */
  texts(name: number): string[] {
    const entry = this.#entries.get(name);
    if (!entry || ![6, 8, 9].includes(entry.type)) return [];
    const texts: string[] = [];
    for (let at = entry.offset; texts.length < entry.count; ) {
      const end = this.#data.indexOf(0, at);
      if (end < 0) break;
      texts.push(this.#data.toString("latin1", at, end));
      at = end + 1;
    }
    return texts;
  }

  /** INT32 (4) and INT64 (5). */
  numbers(name: number): number[] {
    const entry = this.#entries.get(name);
    const width = entry?.type === 4 ? 4 : entry?.type === 5 ? 8 : 0;
    if (!entry || width === 0) return [];
    const numbers: number[] = [];
    for (let at = entry.offset; numbers.length < entry.count; at += width) {
      if (at + width > this.#data.length) break;
      const value =
        width === 4 ? this.#data.readUInt32BE(at) : Number(this.#data.readBigUInt64BE(at));
      numbers.push(value);
    }
    return numbers;
  }
}
