import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import type { PackageFiles } from "./package.ts";
import { rpmPackages } from "./rpm.ts";

type Value = string | number | bigint | readonly string[] | readonly number[];

/** A header as rpm writes it into its database (docs/manual/format_header.md). */
function header(tags: Readonly<Record<number, Value>>): Buffer {
  const index: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  for (const [tag, value] of Object.entries(tags)) {
    const { type, count, bytes } = encode(value);
    const width = type === 4 ? 4 : type === 5 ? 8 : 1;
    const padding = (width - (offset % width)) % width;
    const entry = Buffer.alloc(16);
    for (const [at, number] of [Number(tag), type, offset + padding, count].entries()) {
      entry.writeUInt32BE(number, at * 4);
    }
    index.push(entry);
    data.push(Buffer.alloc(padding), bytes);
    offset += padding + bytes.length;
  }
  const intro = Buffer.alloc(8);
  intro.writeUInt32BE(index.length, 0);
  intro.writeUInt32BE(offset, 4);
  return Buffer.concat([intro, ...index, ...data]);
}

function encode(value: Value): { type: number; count: number; bytes: Buffer } {
  if (typeof value === "string") return { type: 6, count: 1, bytes: Buffer.from(`${value}\0`) };
  if (typeof value === "bigint") {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return { type: 5, count: 1, bytes };
  }
  const list = typeof value === "number" ? [value] : value;
  if (typeof list[0] === "string") {
    return { type: 8, count: list.length, bytes: Buffer.from(`${list.join("\0")}\0`) };
  }
  const bytes = Buffer.alloc(list.length * 4);
  for (const [at, number] of list.entries()) bytes.writeUInt32BE(Number(number), at * 4);
  return { type: 4, count: list.length, bytes };
}

function databaseOf(blobs: readonly Buffer[]): Buffer {
  using database = new Database(":memory:");
  database.run(
    "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)",
  );
  for (const blob of blobs) database.run("INSERT INTO Packages (blob) VALUES (?)", [blob]);
  return database.serialize();
}

function filesOf(files: Readonly<Record<string, Buffer>>): PackageFiles {
  return {
    read: (path, limit = 1 << 20) => {
      const bytes = files[path];
      return bytes && bytes.length <= limit ? bytes : undefined;
    },
    list: (path) =>
      Object.keys(files)
        .filter((name) => name.startsWith(`${path}/`))
        .map((name) => name.slice(path.length + 1)),
  };
}

const place = "usr/lib/sysimage/rpm/rpmdb.sqlite";
const bash = header({
  1000: "bash",
  1001: "5.2.26",
  1002: "3.fc40",
  1009: 8000,
  1022: "x86_64",
  1116: [0, 1, 1],
  1117: ["bash", "bash.1", "x"],
  1118: ["/usr/bin/", "/usr/share/man/"],
});
const big = header({ 1000: "big", 1001: "1", 1002: "2", 1003: 7, 5009: 5_000_000_000n });
const key = header({ 1000: "gpg-pubkey", 1001: "a15b79cc", 1002: "63d04c2c" });

test("packages of a SQLite database, with their files", () => {
  const { packages, unread } = rpmPackages(filesOf({ [place]: databaseOf([bash, big, key]) }));
  expect(unread).toEqual([]);
  expect(packages.map((each) => ({ ...each, paths: [...each.paths] }))).toEqual([
    {
      manager: "rpm",
      name: "bash",
      version: "5.2.26-3.fc40",
      architecture: "x86_64",
      installedSize: 8000,
      paths: ["usr/bin/bash", "usr/share/man/bash.1", "usr/share/man/x"],
    },
    {
      manager: "rpm",
      name: "big",
      version: "7:1-2",
      installedSize: 5_000_000_000,
      paths: [],
    },
  ]);
});

test("a database that was written with a write-ahead log, as rpm's are", () => {
  const bytes = databaseOf([bash]);
  bytes.fill(2, 18, 20);
  expect(rpmPackages(filesOf({ [place]: bytes })).packages).toHaveLength(1);
  const open = rpmPackages(filesOf({ [place]: bytes, [`${place}-wal`]: Buffer.from("x") }));
  expect(open.packages).toEqual([]);
  expect(open.unread[0]?.why).toContain("write-ahead log");
});

test.each<[string, Buffer]>([
  ["an empty file", Buffer.alloc(0)],
  ["no database", Buffer.from("SQLite format 3\0 but then nothing")],
  [
    "another database",
    (() => {
      using database = new Database(":memory:");
      database.run("CREATE TABLE Other (x)");
      return database.serialize();
    })(),
  ],
])("%s is unknown, not empty", (_, bytes) => {
  const { packages, unread } = rpmPackages(filesOf({ [place]: bytes }));
  expect(packages).toEqual([]);
  expect(unread).toEqual([
    { manager: "rpm", path: place, why: expect.stringContaining("cannot be read") },
  ]);
});

test("headers that are cut off, lie about counts or point outside are read as far as they go", () => {
  const lying = Buffer.from(bash);
  lying.writeUInt32BE(0xffffffff, 8 + 12);
  const outside = Buffer.from(bash);
  outside.writeUInt32BE(0x7fffffff, 8 + 8);
  const huge = Buffer.from(bash);
  huge.writeUInt32BE(0xffffffff, 0);
  const blobs = [bash.subarray(0, 60), Buffer.alloc(3), lying, outside, huge];
  const { packages } = rpmPackages(filesOf({ [place]: databaseOf(blobs) }));
  for (const each of packages) expect([...each.paths].length).toBeLessThan(10);
  expect(packages.map(({ name }) => name)).toEqual(["bash"]);
});

test("older kinds of database are named", () => {
  const found = rpmPackages(filesOf({ "var/lib/rpm/Packages": Buffer.from("bdb") }));
  expect(found.unread[0]).toMatchObject({ manager: "rpm", path: "var/lib/rpm/Packages" });
  expect(rpmPackages(filesOf({}))).toEqual({ packages: [], unread: [] });
});
