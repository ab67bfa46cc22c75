import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { collect } from "#base";
import type { Engine } from "#engine";
import {
  fchownat,
  mknodat,
  mountTable,
  O_DIRECTORY,
  openat2,
  S_IFCHR,
  S_IFIFO,
  setXattr,
  utimensat,
} from "#kernel";
import { outcome } from "../../src/base/testing.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { startSleeper } from "../support/run-container.ts";
import { describeTree, streamOf, type TarMember, tarOf } from "../support/tree.ts";

const owner = { uid: 0, gid: 0 };
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let engine: Engine;

beforeAll(async () => {
  roots = temporaryRoots();
  opened = await openEngineAt(roots);
  engine = opened.engine;
});

afterAll(async () => {
  await engine.volumes.prune({ all: ["true"] });
  await opened[Symbol.asyncDispose]();
  // Nothing half-made is left by what failed.
  expect(readdirSync(join(roots.dataRoot, "volumes"))).toEqual([".making", ".removed"]);
  for (const directory of [".making", ".removed"])
    expect(readdirSync(join(roots.dataRoot, "volumes", directory))).toEqual([]);
  roots[Symbol.dispose]();
});

const make = async (name: string) => (await engine.volumes.create({ name, owner })).path;
const pathOf = (name: string) => engine.volumes.get(name).path;
const load = (name: string, archive: Uint8Array | AsyncIterable<Uint8Array>, replaces = false) =>
  engine.volumes.import({
    ...{ name, owner, replaces, signal: new AbortController().signal },
    archive: archive instanceof Uint8Array ? streamOf(archive, 5000) : archive,
  });
const exported = (name: string) =>
  collect(engine.volumes.export(name), 1 << 30, "the archive of a volume");

/** user::rw-, user:7:r--, group::r--, mask::r--, other::---: acl(5), in the kernel's form (linux/posix_acl_xattr.h). */
const acl = Buffer.concat([
  Buffer.from("02000000", "hex"),
  ...(
    [
      [1, 6, -1],
      [2, 4, 7],
      [4, 4, -1],
      [16, 4, -1],
      [32, 0, -1],
    ] as const
  ).map(([tag, permissions, id]) => {
    const entry = Buffer.alloc(8);
    entry.writeUInt16LE(tag, 0);
    entry.writeUInt16LE(permissions, 2);
    entry.writeInt32LE(id, 4);
    return entry;
  }),
]);

/** Everything that a file system can hold and that copies are apt to lose. */
function fill(path: string): void {
  using directory = openat2(undefined, path, { flags: O_DIRECTORY });
  mkdirSync(join(path, "d/e"), { recursive: true });
  writeFileSync(join(path, "d/file"), "content\n", { mode: 0o640 });
  fchownat(directory, "d/file", { uid: 1234, gid: 4_000_000_000 });
  using below = openat2(undefined, join(path, "d"), { flags: O_DIRECTORY });
  setXattr(below, "file", "user.key", Buffer.from([0, 1, 255, 10, 61]));
  setXattr(below, "file", "system.posix_acl_access", acl);
  setXattr(below, "e", "trusted.overlay.opaque", Buffer.from("y"));
  linkSync(join(path, "d/file"), join(path, "d/link"));
  symlinkSync("../../../../etc/passwd", join(path, "out"));
  writeFileSync(join(path, ".wh.file"), "no deletion");
  writeFileSync(join(path, ".wh..wh..opq"), "");
  writeFileSync(join(path, "d/.wh.file"), "none either");
  writeFileSync(join(path, "setuid"), "", { mode: 0o4711 });
  execFileSync("chmod", ["4711", join(path, "setuid")]);
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0x0a, 0x20])]), "odd");
  writeFileSync(join(path, `long-${"n".repeat(240)}`), "");
  mknodat(directory, "fifo", { mode: S_IFIFO | 0o600 });
  mknodat(directory, "null", { mode: S_IFCHR | 0o666, major: 1, minor: 3 });
  mknodat(directory, "whiteout", { mode: S_IFCHR | 0o600, major: 0, minor: 0 });
  for (const name of ["d/file", "out", "fifo", "d/e"])
    utimensat(directory, name, { atime: 1n, mtime: 1_111_111_111_222_333_444n });
  utimensat(directory, "", { atime: 1n, mtime: -5_000_000_001n });
}

test("an export and its import make the same files, and the same archive again", async () => {
  const path = await make("everything");
  fill(path);
  const archive = await exported("everything");
  const { entries } = await load("again", archive);
  expect(describeTree(pathOf("again"))).toEqual(describeTree(path));
  expect(entries).toBe(describeTree(path).length);
  expect(statSync(join(pathOf("again"), "d/link")).ino).toBe(
    statSync(join(pathOf("again"), "d/file")).ino,
  );
  expect((await exported("again")).equals(archive)).toBe(true);
});

test("GNU tar reads an export, and an import reads GNU tar's", async () => {
  const path = await make("for-gnu");
  fill(path);
  sparse(join(path, "image"), 2 ** 33, [5 << 20, 3 * 2 ** 30]);
  const [elsewhere, file] = [join(roots.dataRoot, "gnu"), join(roots.dataRoot, "gnu.tar")];
  mkdirSync(elsewhere);
  writeFileSync(file, await exported("for-gnu"));
  const attributes = ["--xattrs", "--xattrs-include=*", "--numeric-owner"];
  execFileSync("tar", ["-x", ...attributes, "-p", "-C", elsewhere, "-f", file]);
  const content = (root: string) => describeTree(root).filter((line) => !line.startsWith("/image"));
  expect(content(elsewhere)).toEqual(content(path));
  expect(statSync(join(elsewhere, "image"))).toMatchObject({ size: 2 ** 33 });
  expect(statSync(join(elsewhere, "image")).blocks).toBeLessThan(64);
  for (const format of ["posix", "gnu"]) {
    // Its own format holds seconds and no attributes.
    const options = [...(format === "posix" ? attributes : []), `--format=${format}`];
    options.push("--sparse", "-C", path);
    const archive = execFileSync("tar", ["-c", ...options, "."], { maxBuffer: 1 << 26 });
    await load(`from-${format}`, archive);
    if (format === "posix") expect(content(pathOf("from-posix"))).toEqual(content(path));
    expect(readFileSync(join(pathOf(`from-${format}`), ".wh.file"), "utf8")).toBe("no deletion");
    expect(statSync(join(pathOf(`from-${format}`), "image")).blocks).toBeLessThan(64);
  }
});

function sparse(path: string, size: number, places: readonly number[]): void {
  const file = openSync(path, "w");
  for (const place of places) writeSync(file, "data", place);
  ftruncateSync(file, size);
  closeSync(file);
}

test("holes cost nothing: neither in the archive nor on the disk", async () => {
  const path = await make("sparse");
  const many = Array.from({ length: 17_000 }, (_, i) => i * 8192);
  sparse(join(path, "empty"), 2 ** 42, []);
  sparse(join(path, "end"), 2 ** 40, [2 ** 40 - 4]);
  sparse(join(path, "database"), 2 ** 41, [0, 2 ** 40, 2 ** 41 - 4]);
  sparse(join(path, "fragments"), 2 ** 28, many);
  const archive = await exported("sparse");
  expect(archive.length).toBeLessThan(400 << 20);
  await load("sparse-again", archive);
  for (const name of ["empty", "end", "database", "fragments"]) {
    const [before, after] = [path, pathOf("sparse-again")].map((at) => statSync(join(at, name)));
    expect(after?.size).toBe(before?.size ?? -1);
    if (name !== "fragments") expect(after?.blocks).toBe(before?.blocks ?? -1);
  }
  const read = (at: string) => readFileSync(join(at, "fragments"));
  expect(read(pathOf("sparse-again")).equals(read(path))).toBe(true);
});

test("sockets are left out", async () => {
  const path = await make("socket");
  const server = createServer().listen(join(path, "s"));
  await new Promise((resolve) => server.once("listening", resolve));
  await load("no-socket", await exported("socket"));
  expect(readdirSync(pathOf("no-socket"))).toEqual([]);
  server.close();
});

test("a volume that is a mount is mounted while it is read, and not written to", async () => {
  const device = join(roots.dataRoot, "device");
  mkdirSync(device);
  writeFileSync(join(device, "f"), "there");
  const options = { type: "none", device, o: "bind" };
  await engine.volumes.create({ name: "mounted", options, owner });
  const archive = await exported("mounted");
  const mounts = () => mountTable().filter(({ target }) => target.startsWith(roots.dataRoot));
  expect(mounts()).toEqual([]);
  expect(engine.volumes.get("mounted").lastUsed).toBe(0n);
  await load("copy", archive);
  expect(readFileSync(join(pathOf("copy"), "f"), "utf8")).toBe("there");
  expect(await outcome(load("mounted", archive))).toThrow("not here but in its device");
  // A reader that goes early leaves no mount.
  for await (const _ of engine.volumes.export("mounted")) break;
  expect(mounts()).toEqual([]);
  // A prune keeps volumes with options, as Docker's does.
  await engine.volumes.remove("mounted", { force: false });
});

test("compressed archives are told by their first bytes", async () => {
  await make("plain");
  writeFileSync(join(pathOf("plain"), "f"), "x".repeat(100_000));
  await load("gzipped", gzipSync(await exported("plain")));
  expect(statSync(join(pathOf("gzipped"), "f")).size).toBe(100_000);
});

test("files that are there stay, unless they shall be replaced", async () => {
  const path = await make("kept");
  writeFileSync(join(path, "old"), "");
  const archive = tarOf([{ name: "new" }]);
  expect(await outcome(load("kept", archive))).toThrow("volume kept has files already");
  expect(readdirSync(path)).toEqual(["old"]);
  await load("kept", archive, true);
  expect(readdirSync(path)).toEqual(["new"]);
  expect(await outcome(load("kept", archive.subarray(0, 700), true))).toThrow("cut off");
  expect(readdirSync(path)).toEqual(["new"]);
});

test("a running container keeps its files", async () => {
  await importBusybox(engine);
  const id = await startSleeper(engine, { host: { Binds: ["used:/data"] } });
  writeFileSync(join(pathOf("used"), "f"), "");
  const archive = tarOf([{ name: "new" }]);
  expect(await outcome(load("used", archive, true))).toThrow("in use by a running container");
  await engine.containers.remove(id, { force: true, volumes: false });
  await load("used", archive, true);
  expect(readdirSync(pathOf("used"))).toEqual(["new"]);
});

const hostile: readonly (readonly [string, readonly TarMember[], string])[] = [
  ["a name that leads out", [{ name: "a/../../evil" }], "leads out of the archive's root"],
  [
    "a hard link that leads out",
    [{ name: "f", type: "hardlink", linkName: "../../../etc/passwd" }],
    "leads out",
  ],
  [
    "a hard link through a symbolic link",
    [
      { name: "l", type: "symlink", linkName: "/etc" },
      { name: "f", type: "hardlink", linkName: "l/passwd" },
    ],
    "the archive has not made",
  ],
  ["a file below a file", [{ name: "f" }, { name: "f/g" }], "is not a directory"],
  ["a name of 300 bytes", [{ name: "n".repeat(300) }], "longer than 255 bytes"],
  [
    "an attribute of a megabyte",
    [{ name: "f", xattrs: new Map([["user.a", Buffer.alloc(2 << 20)]]) }],
    "more than 1048576",
  ],
];

test.each(hostile)("%s is refused, and no volume is made", async (_, members, why) => {
  expect(await outcome(load("hostile", tarOf([{ name: "ok" }, ...members])))).toThrow(why);
  expect(await outcome(Promise.resolve().then(() => engine.volumes.get("hostile")))).toThrow(
    "no such volume",
  );
});

test("links out of the volume are kept as they are, and not followed", async () => {
  const target = join(roots.dataRoot, "outside");
  mkdirSync(target);
  const members: TarMember[] = [
    { name: "l", type: "symlink", linkName: target },
    { name: "l/evil", content: "x" },
  ];
  await load("links", tarOf(members));
  expect(readdirSync(target)).toEqual([]);
  // As from inside: the link's way begins at the root of the volume.
  expect(readFileSync(join(pathOf("links"), target, "evil"), "utf8")).toBe("x");
});

test("a bomb ends before the disk is full", async () => {
  const header = tarHeader(7 * 2 ** 30);
  const blocks = Array.from({ length: 600 }, () => Buffer.alloc(1 << 20, "bomb"));
  const bomb = gzipSync(Buffer.concat([header, ...blocks]), { level: 9 });
  expect(await outcome(load("bomb", bomb))).toThrow("looks like a decompression bomb");
  expect((await engine.volumes.list({})).volumes.map(({ name }) => name)).not.toContain("bomb");
});

/** The header of a file, as GNU tar makes it. */
function tarHeader(size: number): Buffer {
  const whole = execFileSync("tar", ["-c", "--format=gnu", "-C", "/etc", "hostname"]);
  const block = Buffer.from(whole.subarray(0, 512));
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

test("a sender that stops leaves nothing", async () => {
  const archive = tarOf([{ name: "f", content: "x".repeat(10_000) }]);
  async function* stopping() {
    yield archive.subarray(0, 2000);
    throw new Error("gone");
  }
  expect(await outcome(load("stopped", stopping()))).toThrow("gone");
  expect((await engine.volumes.list({})).volumes.map(({ name }) => name)).not.toContain("stopped");
});
