import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  getXattr,
  mkdirat,
  mountAll,
  mountTable,
  O_DIRECTORY,
  O_RDONLY,
  openat2,
  removeTree,
  renameat2,
  setXattr,
} from "#kernel";
import { openState, type State } from "#state";
import { openVolumes, type Volumes } from "#volume";
import { outcome } from "../../src/base/testing.ts";

const owner = { uid: 0, gid: 0 };
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
  expect(mounts()).toEqual([]);
  state.close();
  rmSync(directory, { recursive: true, force: true });
});

const open = () => openVolumes({ state, directory: join(directory, "volumes") });
const mounts = () => mountTable().filter(({ target }) => target.startsWith(`${directory}/`));
const openDirectory = (path: string) => openat2(undefined, path, { flags: O_RDONLY | O_DIRECTORY });

const make = async (options: Readonly<Record<string, string>>) =>
  (await volumes.create({ name: "data", options, owner })).volume;

const sized = { type: "tmpfs", device: "tmpfs", o: "size=1m,mode=700,uid=5" };

test("a mount is made for the first holder and undone after the last", async () => {
  const { path } = await make(sized);
  expect(mounts()).toEqual([]);
  await volumes.holders.hold("data", "one");
  await volumes.holders.hold("data", "two");
  expect(mounts()).toHaveLength(1);
  expect(statSync(path)).toMatchObject({ mode: 0o40700, uid: 5 });
  expect(statfsSync(path).blocks * statfsSync(path).bsize).toBe(1 << 20);
  await volumes.holders.release("data", "one");
  expect(mounts()).toHaveLength(1);
  await volumes.holders.release("data", "two");
  expect(mounts()).toEqual([]);
});

test("a mount that a dead engine left is used by its holders, and undone without one", async () => {
  await make(sized);
  await volumes.holders.hold("data", "one");
  volumes = await open();
  volumes.holders.adopt("data", "one");
  await volumes.holders.settle();
  expect(mounts()).toHaveLength(1);
  volumes = await open();
  await volumes.holders.settle();
  expect(mounts()).toEqual([]);
});

test("a bound directory is never deleted with its volume", async () => {
  const precious = join(directory, "precious");
  mkdirSync(precious);
  writeFileSync(join(precious, "file"), "");
  await make({ type: "none", device: precious, o: "bind" });
  await volumes.holders.hold("data", "one");
  expect(await outcome(volumes.remove("data"))).toThrow("volume is in use");
  // The engine that held it is gone.
  volumes = await open();
  await volumes.remove("data");
  await volumes.drained();
  expect(readdirSync(precious)).toEqual(["file"]);
});

test("a volume in which someone else has mounted something stays", async () => {
  const { path } = (await volumes.create({ name: "data", owner })).volume;
  mkdirSync(join(path, "sub"));
  {
    await using _ = await mountAll(
      [{ type: "tmpfs", source: "tmpfs", options: [] }],
      join(path, "sub"),
    );
    expect(await outcome(volumes.remove("data"))).toThrow(
      `remove data: something is mounted at ${path}/sub; unmount it first`,
    );
  }
  await volumes.remove("data");
});

test.each([
  [{ ...sized, o: "size=bogus" }, "mount tmpfs:.*, data: size=bogus: .*EINVAL"],
  [{ type: "none", device: "/nonexistent", o: "bind" }, "mount /nonexistent:.*no such file"],
  // Named by its server where the kernel knows the file system.
  [
    { type: "nfs", device: ":/export", o: "addr=server.invalid,vers=4" },
    'mount :/export:.*, data: addr=server.invalid,vers=4: .*(no file system "nfs"|server.invalid)',
  ],
  [
    { type: "cifs", device: "//server/share", o: "addr=server.invalid,password=secret" },
    'data: addr=server.invalid,password=\\*+: .*(no file system "cifs"|server.invalid)',
  ],
  [{ type: "xyzfs", device: "x" }, 'this kernel has no file system "xyzfs"'],
  [
    { type: "xyzfs", device: "//h/s", o: "username=me,password=secret" },
    "data: username=me,password=\\*+: ",
  ],
])("a mount that fails says why: %j", async (options, message) => {
  const { path } = await make(options);
  expect(await outcome(volumes.holders.hold("data", "one"))).toThrow(
    new RegExp(
      `^error while mounting volume '${path}': failed to mount local volume: .*${message}`,
    ),
  );
  await volumes.remove("data");
});

test("a copy has owners and extended attributes, and a mounted volume is filled in place", async () => {
  const source = join(directory, "source");
  mkdirSync(source);
  chmodSync(source, 0o1777);
  writeFileSync(join(source, "f"), "");
  chownSync(join(source, "f"), 12, 34);
  chownSync(source, 56, 78);
  using from = openDirectory(source);
  setXattr(from, "f", "user.color", Buffer.from("red"));
  Bun.spawnSync(["mkfifo", join(source, "pipe")]);
  const { path } = await make({ ...sized, o: "size=1m" });
  await volumes.holders.hold("data", "one");
  expect(await volumes.copies.fill("data", from)).toBe(true);
  expect(statSync(path)).toMatchObject({ mode: 0o41777, uid: 56, gid: 78 });
  expect(statSync(join(path, "f"))).toMatchObject({ uid: 12, gid: 34 });
  expect(statSync(join(path, "pipe")).isFIFO()).toBe(true);
  using to = openDirectory(path);
  expect(getXattr(to, "f", "user.color")?.toString()).toBe("red");
  await volumes.holders.release("data", "one");
});

/** Deeper than any path can name. */
function makeDeep(levels: number): string {
  const path = mkdtempSync("/dev/shm/tv-");
  using root = openDirectory(path);
  for (let level = 0; level < levels; level++) {
    mkdirat(root, "next", 0o755);
    if (level > 0) renameat2({ directory: root, path: "d" }, { directory: root, path: "next/d" });
    renameat2({ directory: root, path: "next" }, { directory: root, path: "d" });
  }
  return path;
}

test("a tree that is too deep to copy is refused, and one of any depth is removed", async () => {
  const deep = makeDeep(20_000);
  await volumes.create({ name: "data", owner });
  {
    using from = openDirectory(deep);
    expect(await outcome(volumes.copies.fill("data", from))).toThrow(
      /the name is too long .*, at d\/d\//,
    );
  }
  await removeTree(deep);
  expect(existsSync(deep)).toBe(false);
});

test("a removal stops at a mount", async () => {
  const target = join(directory, "tree/sub");
  mkdirSync(target, { recursive: true });
  {
    await using _ = await mountAll([{ type: "tmpfs", source: "t", options: [] }], target);
    writeFileSync(join(target, "file"), "");
    expect(await outcome(removeTree(join(directory, "tree")))).toThrow("cannot remove");
    expect(readdirSync(target)).toEqual(["file"]);
  }
  await removeTree(join(directory, "tree"));
});
