import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collect } from "#base";
import type { Engine } from "#engine";
import { outcome, rejection } from "../../src/base/testing.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { type DiskType, loopDisk, missingMaker } from "../support/loop-disk.ts";
import { eventually, startSleeper } from "../support/run-container.ts";

const owner = { uid: 0, gid: 0 };
const pause = true;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let engine: Engine;

beforeAll(async () => {
  roots = temporaryRoots();
  opened = await openEngineAt(roots);
  engine = opened.engine;
  await importBusybox(engine);
});

afterAll(async () => {
  for (const { id } of engine.containers.list({ all: true, filters: {} }))
    await engine.containers.remove(id, { force: true, volumes: true });
  await engine.volumes.prune({ all: ["true"] });
  await opened[Symbol.asyncDispose]();
  for (const directory of [".making", ".removed"])
    expect(readdirSync(join(roots.dataRoot, "volumes", directory))).toEqual([]);
  expect(readdirSync(join(roots.dataRoot, "volumes"))).toEqual([".making", ".removed"]);
  roots[Symbol.dispose]();
});

async function make(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const { path } = await engine.volumes.create({ name, owner });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

const tags = (name: string) => engine.volumes.snapshots(name).map(({ tag }) => tag);
const read = (name: string, file: string) =>
  readFileSync(join(engine.volumes.get(name).path, file), "utf8");

test("a snapshot keeps the files, and a rollback brings them back", async () => {
  const path = await make("data", { f: "before" });
  const { snapshot } = await engine.volumes.snapshot("data", { tag: "monday", pause });
  expect(snapshot).toMatchObject({ volume: "data", tag: "monday" });
  writeFileSync(join(path, "f"), "after");
  writeFileSync(join(path, "g"), "");
  await engine.volumes.rollback("data", "monday");
  expect(readdirSync(path)).toEqual(["f"]);
  expect(read("data", "f")).toBe("before");
  // Again and again: what is written after a rollback is not in the snapshot.
  writeFileSync(join(path, "f"), "later");
  await engine.volumes.rollback("data", "monday");
  expect(read("data", "f")).toBe("before");
});

test("without a tag it is the time, also twice within a second", async () => {
  await make("timed", {});
  for (let i = 0; i < 3; i++) await engine.volumes.snapshot("timed", { pause });
  expect(tags("timed")).toHaveLength(3);
  for (const tag of tags("timed")) expect(tag).toMatch(/^\d{8}-\d{6}(\.\d)?$/);
});

test("tags are checked, and one that is taken stays", async () => {
  await make("tagged", { f: "1" });
  await engine.volumes.snapshot("tagged", { tag: "a", pause });
  const refused = (tag: string) => outcome(engine.volumes.snapshot("tagged", { tag, pause }));
  expect(await refused("a")).toThrow("volume tagged has a snapshot a already");
  for (const tag of ["../a", "", ".a", "a/b", "t".repeat(129)])
    expect(await refused(tag)).toThrow("cannot be the tag of a snapshot");
  expect(tags("tagged")).toEqual(["a"]);
  for (const name of ["tagged", "none"]) {
    const missing = await rejection(engine.volumes.rollback(name, "b"));
    expect(missing).toMatchObject({ code: "not_found" });
  }
});

test("snapshots follow their volume's new name, are no part of a clone, and go with the volume", async () => {
  await make("first", { f: "old" });
  await engine.volumes.snapshot("first", { tag: "s", pause });
  await engine.volumes.rename("first", "second");
  expect(tags("second")).toEqual(["s"]);
  writeFileSync(join(engine.volumes.get("second").path, "f"), "new");
  await engine.volumes.clone("second", { to: "clone", owner });
  await engine.volumes.clone("second@s", { to: "clone-of-s", owner });
  expect([read("clone", "f"), read("clone-of-s", "f")]).toEqual(["new", "old"]);
  expect(tags("clone")).toEqual([]);
  await engine.volumes.rollback("second", "s");
  expect(read("second", "f")).toBe("old");
  await engine.volumes.remove("second", { force: false });
  await make("second", {});
  expect(tags("second")).toEqual([]);
});

test("a snapshot can be exported and removed, and stays while it is read", async () => {
  const path = await make("read", { f: "kept" });
  await engine.volumes.snapshot("read", { tag: "s", pause });
  writeFileSync(join(path, "f"), "gone");
  const archive = engine.volumes.export("read@s")[Symbol.asyncIterator]();
  const first = await archive.next();
  expect(() => engine.volumes.removeSnapshot("read", "s")).toThrow("is being read");
  expect(await rejection(engine.volumes.remove("read", { force: false }))).toMatchObject({
    code: "conflict",
  });
  expect(Buffer.from(first.value ?? "").toString()).toContain("kept");
  await archive.return?.(undefined);
  engine.volumes.removeSnapshot("read", "s");
  expect(tags("read")).toEqual([]);
  expect(await outcome(collect(engine.volumes.export("read@s"), 1e6, "it"))).toThrow(
    "volume read has no snapshot s",
  );
});

test("what is cancelled leaves nothing", async () => {
  const path = await make("kept", { f: "1" });
  await engine.volumes.snapshot("kept", { tag: "s", pause });
  writeFileSync(join(path, "f"), "2");
  const signal = AbortSignal.abort();
  const works: readonly (() => Promise<unknown>)[] = [
    () => engine.volumes.snapshot("kept", { tag: "t", pause, signal }),
    () => engine.volumes.clone("kept", { to: "cancelled", owner, signal }),
    () => engine.volumes.rollback("kept", "s", { signal }),
  ];
  for (const work of works) expect(await rejection(work())).toMatchObject({ code: "canceled" });
  expect(tags("kept")).toEqual(["s"]);
  expect(read("kept", "f")).toBe("2");
  expect((await engine.volumes.list({})).volumes.map(({ name }) => name)).not.toContain(
    "cancelled",
  );
});

test("a rollback waits for no one: a volume in use is refused", async () => {
  await make("busy", { f: "1" });
  await engine.volumes.snapshot("busy", { tag: "s", pause });
  const id = await startSleeper(engine, { host: { Binds: ["busy:/data"] } });
  expect(await outcome(engine.volumes.rollback("busy", "s"))).toThrow(
    "volume busy is in use by a running container",
  );
  await engine.containers.remove(id, { force: true, volumes: false });
  await engine.volumes.rollback("busy", "s");
});

test("a volume with a device has no snapshots", async () => {
  const options = { type: "tmpfs", device: "tmpfs" };
  await engine.volumes.create({ name: "memory", options, owner });
  expect(await outcome(engine.volumes.snapshot("memory", { pause }))).toThrow(
    "not here but in its device",
  );
  // A prune keeps volumes with options, as Docker's does.
  await engine.volumes.remove("memory", { force: false });
});

/**
 * Two files that a container writes to in turns, so that the second never has more lines than the
 * first, and less by one at most.
 */
const writer = "i=0; while :; do i=$((i+1)); echo $i >> /data/one; echo $i >> /data/two; done";

test("containers that run with it stand still meanwhile, and go on", async () => {
  const id = await startSleeper(engine, {
    config: { Cmd: ["sh", "-c", writer] },
    host: { Binds: ["live:/data"] },
  });
  const lines = (path: string, file: string) =>
    readFileSync(join(path, file), "utf8").trimEnd().split("\n").length;
  const { path } = engine.volumes.get("live");
  const moved = (from: number) =>
    eventually(() => (lines(path, "two") > from ? true : undefined), "the writer to go on");
  await eventually(() => (readdirSync(path).includes("two") ? true : undefined), "the writer");
  for (let round = 0; round < 5; round++) {
    await moved(lines(path, "two"));
    const { snapshot, paused } = await engine.volumes.snapshot("live", { pause });
    expect(paused?.containers).toHaveLength(1);
    const [one, two] = ["one", "two"].map((file) => lines(snapshot.path, file));
    expect((one ?? 0) - (two ?? 0)).toBeOneOf([0, 1]);
  }
  const { paused, warnings } = await engine.volumes.snapshot("live", { pause: false });
  expect(paused).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining("may be torn")]);
  // One that the user has paused stays so.
  await engine.containers.pause(id);
  await engine.volumes.snapshot("live", { pause });
  expect(engine.containers.get(id).state.status).toBe("paused");
  await engine.containers.remove(id, { force: true, volumes: false });
});

const reflinks: readonly DiskType[] = ["xfs", "btrfs"];
for (const type of reflinks) {
  const lacks = missingMaker(type);
  describe.skipIf(lacks !== undefined)(`${type} [needs mkfs.${type}]`, () => {
    test("clones, snapshots and rollbacks share the data", async () => {
      using place = temporaryRoots();
      mkdirSync(place.runRoot, { recursive: true });
      using disk = loopDisk(type, place.runRoot, { bytes: 2 ** 30 });
      const own = { ...place, dataRoot: disk.path };
      await using engineHere = await openEngineAt(own);
      const { volumes } = engineHere.engine;
      const { path } = await volumes.create({ name: "data", owner });
      const content = Buffer.alloc(64 << 20, "0123456789abcdef-");
      for (const name of ["a", "b", "c"]) writeFileSync(join(path, name), content);
      await Bun.$`sync -f ${path}`;
      const free = () => statfsSync(path).bfree * statfsSync(path).bsize;
      const before = free();
      const { copied } = await volumes.clone("data", { to: "clone", owner });
      const snapshot = await volumes.snapshot("data", { tag: "s", pause });
      const rollback = await volumes.rollback("data", "s");
      expect([copied, snapshot.copied, rollback.copied]).toEqual([0, 0, 0]);
      await Bun.$`sync -f ${path}`;
      expect(before - free()).toBeLessThan(32 << 20);
      for (const name of ["data", "clone"])
        expect(readFileSync(join(volumes.get(name).path, "c")).equals(content)).toBe(true);
      // What is written to one is not seen in the others.
      writeFileSync(join(path, "a"), "new");
      expect(readFileSync(join(volumes.get("clone").path, "a")).length).toBe(content.length);
      await volumes.rollback("data", "s");
      expect(readFileSync(join(path, "a")).length).toBe(content.length);
    });
  });
}
