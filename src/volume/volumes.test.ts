import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { O_DIRECTORY, O_RDONLY, openat2 } from "#kernel";
import { openState, type State } from "#state";
import { outcome } from "../base/testing.ts";
import { openVolumes, type Volumes } from "./index.ts";

const owner = { uid: 7, gid: 8 };
let directory: string;
let state: State;
let volumes: Volumes;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "tv-"));
  state = openState(join(directory, "state.db"));
  volumes = await open();
});

afterEach(async () => {
  await volumes.drained();
  state.close();
  rmSync(directory, { recursive: true, force: true });
});

const open = () => openVolumes({ state, directory: join(directory, "volumes") });
const create = (name: string) => volumes.create({ name, owner });
const openDirectory = (path: string) => openat2(undefined, path, { flags: O_RDONLY | O_DIRECTORY });

test("a volume is there once, with what was sent for it first", async () => {
  const request = { name: "data", labels: { a: "b" }, owner };
  const { volume, made } = await volumes.create(request);
  expect(made).toBe(true);
  expect(volume).toMatchObject({ name: "data", driver: "local", labels: { a: "b" }, owner });
  expect(volume).toMatchObject({ options: undefined, anonymous: false, lastUsed: 0n });
  expect(volume.path).toBe(join(directory, "volumes/data/_data"));
  expect(statSync(volume.path).mode & 0o7777).toBe(0o755);
  expect(await volumes.create({ name: "data", labels: { c: "d" }, owner })).toEqual({
    volume,
    made: false,
  });
  expect(volumes.known()).toEqual([volume]);
  expect(volumes.get("data")).toEqual(volume);
});

test("a volume without a name gets one", async () => {
  const { volume } = await volumes.create({ owner });
  expect(volume).toMatchObject({ name: expect.stringMatching(/^[0-9a-f]{64}$/), anonymous: true });
});

test.each([
  ["a", "create a: volume name is too short, names should be at least two alphanumeric characters"],
  ["a/b", 'create a/b: "a/b" includes invalid characters for a local volume name'],
  ["..", 'create ..: ".." includes invalid characters'],
  ["-x", 'create -x: "-x" includes invalid characters'],
  [".removed", "includes invalid characters"],
  ["é1", "includes invalid characters"],
  ["x".repeat(256), "the name has 256 characters"],
])("the name %p is refused", async (name, message) => {
  expect(() => create(name)).toThrow(message);
  expect(volumes.known()).toEqual([]);
});

test.each([
  [{ foo: "bar" }, 'create xx: invalid option: "foo"'],
  [{ type: "tmpfs" }, 'create xx: missing required option: "device"'],
  [{ device: "x" }, 'create xx: missing required option: "type"'],
  [{ o: "x" }, 'create xx: missing required option: "device"'],
])("the options %p are refused", async (options, message) => {
  expect(await outcome(volumes.create({ name: "xx", options, owner }))).toThrow(message);
});

test("a driver that is not there is named", async () => {
  expect(await outcome(volumes.create({ name: "xx", driver: "nope", owner }))).toThrow(
    'create xx: error looking up volume plugin nope: plugin "nope" not found',
  );
});

test("a removed volume is gone with its files, and its name is free", async () => {
  writeFileSync(join((await create("data")).volume.path, "f"), "1");
  await volumes.remove("data");
  expect(() => volumes.get("data")).toThrow("get data: no such volume");
  expect(existsSync(join(directory, "volumes/data"))).toBe(false);
  expect(readdirSync((await create("data")).volume.path)).toEqual([]);
  await volumes.drained();
  expect(readdirSync(join(directory, "volumes/.removed"))).toEqual([]);
});

test("a held or claimed volume is not removed", async () => {
  const { path } = (await create("data")).volume;
  expect(await volumes.holders.hold("data", "one")).toBe(path);
  expect(await outcome(volumes.remove("data"))).toThrow("remove data: volume is in use");
  await volumes.holders.release("data", "another");
  expect(await outcome(volumes.remove("data"))).toThrow("volume is in use");
  await volumes.holders.release("data", "one");
  volumes.claim("data", "two");
  expect(await outcome(volumes.remove("data"))).toThrow("volume is in use");
  await volumes.unclaim("two");
  await volumes.remove("data");
});

test("a hold is remembered as the last use", async () => {
  await create("data");
  await volumes.holders.hold("data", "one");
  expect(volumes.get("data").lastUsed).toBeGreaterThan(0n);
});

test("a volume made for a claimant goes with the last claim", async () => {
  await volumes.create({ name: "data", owner }, "one");
  expect(volumes.known()).toEqual([]);
  expect((await volumes.create({ name: "data", owner }, "two")).made).toBe(false);
  await volumes.unclaim("one");
  expect(volumes.find("data")?.name).toBe("data");
  await volumes.unclaim("two");
  expect(volumes.find("data")).toBeUndefined();
});

test("a volume that a user makes as well stays when its claimant goes", async () => {
  await volumes.create({ name: "data", owner }, "one");
  expect((await create("data")).made).toBe(false);
  await volumes.unclaim("one");
  expect(volumes.known()).toHaveLength(1);
});

test("a volume kept for a claimant stays", async () => {
  await volumes.create({ name: "data", owner }, "one");
  volumes.keep(["data"]);
  await volumes.unclaim("one");
  expect(volumes.known()).toHaveLength(1);
});

test("a volume made for a claimant is gone when the volumes are opened again", async () => {
  await volumes.create({ name: "data", owner }, "one");
  volumes = await open();
  expect(volumes.find("data")).toBeUndefined();
});

test("the directory of a row is made when it is missing; one without a row is left alone", async () => {
  const { path } = (await create("data")).volume;
  rmSync(path, { recursive: true });
  const foreign = join(directory, "volumes/foreign/_data");
  mkdirSync(foreign, { recursive: true });
  writeFileSync(join(foreign, "precious"), "");
  volumes = await open();
  await volumes.holders.hold("data", "one");
  expect(existsSync(path)).toBe(true);
  expect(readdirSync(foreign)).toEqual(["precious"]);
});

test("a copy has modes, times, links, holes and names of every kind", async () => {
  const source = join(directory, "source");
  mkdirSync(join(source, "sub/deep"), { recursive: true, mode: 0o750 });
  writeFileSync(join(source, "file"), "text", { mode: 0o4711 });
  linkSync(join(source, "file"), join(source, "sub/again"));
  symlinkSync("../../etc/passwd", join(source, "sub/link"));
  writeFileSync(join(source, "sub/deep/ü\n"), "x");
  using sparse = openat2(undefined, source, { flags: O_RDONLY | O_DIRECTORY });
  writeFileSync(join(source, "hole"), "");
  Bun.spawnSync(["truncate", "-s", "10M", join(source, "hole")]);
  const { path } = (await create("data")).volume;
  expect(await volumes.copies.fill("data", sparse)).toBe(true);
  const at = (name: string) => statSync(join(path, name));
  expect(readdirSync(path).sort()).toEqual(["file", "hole", "sub"]);
  expect(at("file").mode).toBe(statSync(join(source, "file")).mode);
  expect(at("sub").mtimeMs).toBe(statSync(join(source, "sub")).mtimeMs);
  expect(at("file").ino).toBe(at("sub/again").ino);
  expect(readFileSync(join(path, "file"), "utf8")).toBe("text");
  expect(readFileSync(join(path, "sub/deep/ü\n"), "utf8")).toBe("x");
  expect(at("hole").size).toBe(10 << 20);
  expect(at("hole").blocks).toBe(0);
  expect(readdirSync(join(directory, "volumes/data"))).toEqual(["_data"]);
});

test("a clone has the files and is a volume of its own", async () => {
  const { path } = (await create("data")).volume;
  writeFileSync(join(path, "f"), "one");
  const { volume, copied } = await volumes.copies.clone(
    { name: "data" },
    {
      name: "copy",
      labels: { a: "b" },
      owner,
    },
  );
  expect(volume).toMatchObject({ name: "copy", labels: { a: "b" }, anonymous: false });
  expect(copied === 0 || copied === 3).toBe(true);
  writeFileSync(join(path, "f"), "two");
  expect(readFileSync(join(volume.path, "f"), "utf8")).toBe("one");
  expect(await outcome(volumes.copies.clone({ name: "data" }, { name: "copy", owner }))).toThrow(
    "there is a volume copy already; choose another name",
  );
  expect(await outcome(volumes.copies.clone({ name: "nope" }, { name: "new", owner }))).toThrow(
    "no such volume",
  );
  expect(volumes.known().map(({ name }) => name)).toEqual(["copy", "data"]);
  await volumes.remove("data");
});

test("a new name has the files and the history", async () => {
  const { volume } = await volumes.create({ owner });
  writeFileSync(join(volume.path, "f"), "one");
  await volumes.holders.hold(volume.name, "one");
  expect(await outcome(volumes.rename(volume.name, "data", {}))).toThrow("volume is in use");
  await volumes.holders.release(volume.name, "one");
  const { lastUsed } = volumes.get(volume.name);
  const renamed = await volumes.rename(volume.name, "data", { a: "b" });
  const path = join(directory, "volumes/data/_data");
  expect(renamed).toEqual({ ...volume, ...{ name: "data", path, lastUsed }, ...named });
  expect(readFileSync(join(path, "f"), "utf8")).toBe("one");
  expect(volumes.find(volume.name)).toBeUndefined();
  await create("other");
  expect(await outcome(volumes.rename("data", "other", {}))).toThrow("a volume other already");
  expect(await outcome(volumes.rename("data", "a/b", {}))).toThrow("invalid characters");
  mkdirSync(join(directory, "volumes/foreign"));
  expect(await outcome(volumes.rename("data", "foreign", {}))).toThrow("belongs to no volume");
  expect(volumes.known().map(({ name }) => name)).toEqual(["data", "other"]);
});

const named = { anonymous: false, labels: { a: "b" } };

test("a volume that has something is not filled", async () => {
  const { path } = (await create("data")).volume;
  writeFileSync(join(path, "own"), "");
  using from = openDirectory("/sys/kernel");
  expect(await volumes.copies.fill("data", from)).toBe(false);
  expect(readdirSync(path)).toEqual(["own"]);
});

test("a copy that fails leaves the volume empty", async () => {
  const { path } = (await create("data")).volume;
  const file = join(directory, "file");
  writeFileSync(file, "");
  using from = openat2(undefined, file, { flags: O_RDONLY });
  expect(await outcome(volumes.copies.fill("data", from))).toThrow("not a directory");
  expect(readdirSync(path)).toEqual([]);
  expect(readdirSync(join(directory, "volumes/data"))).toEqual(["_data"]);
});

test("10,000 volumes are listed from their rows alone", async () => {
  state.transaction(() => {
    for (let n = 0; n < 10_000; n++)
      state.run(
        `INSERT INTO volume (name, id, driver, labels, created_at, anonymous, owner_uid, owner_gid)
         VALUES (?, ?, 'local', '{"a":"b"}', '1', 0, 0, 0)`,
        `v${n}`,
        `id${n}`,
      );
  });
  expect(volumes.known()).toHaveLength(10_000);
});
