/** Copies in and out of containers: what is shown, what is kept, and that nothing leads out of them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type ContainerId, collect, isFault, limitStalls } from "#base";
import type { Engine } from "#engine";
import { readTar } from "#tar";
import { outcome, random, rounds } from "../../src/base/testing.ts";
import { createRequest } from "../support/create-request.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { execIn } from "../support/run-container.ts";
import {
  describeTree,
  streamOf,
  type TarMember,
  tarOf,
  temporaryDirectory,
} from "../support/tree.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let engine: Engine;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  engine = opened.engine;
  await importBusybox(engine);
});

afterEach(async () => {
  for (const { id } of engine.containers.list({ all: true, filters: {} }))
    await engine.containers.remove(id, { force: true, volumes: true });
});

afterAll(async () => {
  await engine.volumes.prune({ all: ["true"] });
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

const never = new AbortController().signal;

async function put(
  ref: string,
  path: string,
  members: readonly TarMember[] | Uint8Array,
  rules: { readonly keepsKinds?: boolean; readonly toUser?: boolean } = {},
): Promise<void> {
  const bytes = members instanceof Uint8Array ? members : tarOf(members);
  const { keepsKinds = false, toUser = false } = rules;
  await engine.files.put(ref, path, {
    ...{ archive: streamOf(bytes), keepsKinds, toUser, signal: never },
  });
}

async function archiveOf(ref: string, path: string, holes = false): Promise<Uint8Array> {
  await using files = await engine.files.open(ref, path);
  return await collect(files.archive({ holes }), 64 << 20, "an archive");
}

async function names(ref: string, path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const header of readTar(streamOf(await archiveOf(ref, path)))) found.push(header.name);
  return found;
}

async function content(ref: string, path: string): Promise<string> {
  for await (const header of readTar(streamOf(await archiveOf(ref, path))))
    if (header.type === "file")
      return Buffer.from(await collect(header.body, 1 << 20, "a file")).toString();
  throw new Error(`${path} is no file`);
}

async function created(change: Parameters<typeof createRequest>[2] = {}): Promise<ContainerId> {
  return (await engine.containers.create(createRequest("busybox", ["sleep", "1000"], change))).id;
}

describe.each(["created", "running", "paused", "stopped"])("a container that is %s", (state) => {
  async function container(change: Parameters<typeof created>[0] = {}): Promise<ContainerId> {
    const id = await created(change);
    if (state === "created") return id;
    await engine.containers.start(id);
    if (state === "paused") await engine.containers.pause(id);
    if (state === "stopped") await engine.containers.stop(id, { timeout: 0 });
    return id;
  }

  test("gives what was put into it", async () => {
    const id = await container();
    await put(id, "/root", [
      { name: "d/", type: "directory", mode: 0o711, uid: 5, gid: 6 },
      { name: "d/f", content: "one", uid: 7, gid: 8, mode: 0o4755 },
      { name: "d/h", type: "hardlink", linkName: "d/f" },
      { name: "d/l", type: "symlink", linkName: "f" },
      { name: "d/p", type: "fifo" },
    ]);
    expect(await names(id, "/root/d")).toEqual(["d/", "d/f", "d/h", "d/l", "d/p"]);
    expect(await names(id, "/root/d/.")).toEqual(["./", "./f", "./h", "./l", "./p"]);
    expect(await content(id, "root/d/f")).toBe("one");
    const found: object[] = [];
    for await (const header of readTar(streamOf(await archiveOf(id, "/root/d"))))
      found.push(header);
    expect(found).toMatchObject([
      { mode: 0o711, uid: 5, gid: 6 },
      { mode: 0o4755, uid: 7, gid: 8, size: 3 },
      { type: "hardlink", linkName: "d/f" },
      { type: "symlink", linkName: "f" },
      { type: "fifo" },
    ]);
    expect(await engine.files.stat(id, "/root/d/l")).toMatchObject({
      name: "l",
      linkTarget: "/root/d/f",
    });
  });

  test("shows volumes and binds, and nothing that is in memory", async () => {
    using bound = temporaryDirectory("bound");
    writeFileSync(join(bound.path, "of-the-host"), "host");
    const host = { Binds: [`${bound.path}:/bound:ro`, "data:/data"], Tmpfs: { "/scratch": "" } };
    const id = await container({ host });
    await put(id, "/data", [{ name: "f", content: "in the volume" }]);
    expect(readFileSync(join(roots.dataRoot, "volumes/data/_data/f"), "utf8")).toBe(
      "in the volume",
    );
    expect(await names(id, "/bound")).toEqual(["bound/", "bound/of-the-host"]);
    expect(await names(id, "/proc")).toEqual(["proc/"]);
    expect(await outcome(engine.files.stat(id, "/proc/version"))).toThrow("no such file");
    const written = await outcome(put(id, "/bound", [{ name: "f" }]));
    expect(written).toThrow("mounted volume is marked read-only");
    expect(existsSync(join(bound.path, "f"))).toBe(false);
  });

  test("starts again after it", async () => {
    const id = await container();
    await put(id, "/root", [{ name: "f", content: "kept" }]);
    if (state === "paused") await engine.containers.unpause(id);
    await engine.containers.stop(id, { timeout: 0 }).catch(() => undefined);
    await engine.containers.start(id);
    expect((await execIn(engine, id, ["cat", "/root/f"])).stdout).toBe("kept");
  });
});

test("what is mounted in a container that runs is not replaced", async () => {
  const id = await created({ host: { Binds: ["data:/root/below/data"] } });
  await engine.containers.start(id);
  const mounts = async () => (await execIn(engine, id, ["cat", "/proc/mounts"])).stdout;
  const before = await mounts();
  for (const [path, name] of [
    ["/root/below", "data"],
    ["/root", "below"],
    ["/etc", "hosts"],
  ] as const)
    expect(await outcome(put(id, path, [{ name, content: "x" }]))).toThrow("EBUSY");
  expect(await mounts()).toBe(before);
});

/** One chunk at a time, so that a container gets its turns in between. */
async function* slowly(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 4096) {
    yield bytes.subarray(at, at + 4096);
    await setImmediate();
  }
}

test("a container that swaps a directory for a link leads no copy out of it", async () => {
  using outside = temporaryDirectory("outside");
  writeFileSync(join(outside.path, "secret"), "of the host");
  mkdirSync(join(outside.path, "sub"));
  const before = describeTree(outside.path);
  const swap = `mkdir -p /w/d/sub; echo ready > /w/ready; b=/bin/busybox; while :; do
    $b mv /w/d /w/e; $b ln -s ${outside.path} /w/d; $b rm /w/d; $b mv /w/e /w/d
    $b mv /w/d/sub /w/d/old; $b ln -s ${outside.path} /w/d/sub; $b rm /w/d/sub; $b mv /w/d/old /w/d/sub
  done`;
  const { id } = await engine.containers.create(createRequest("busybox", ["sh", "-c", swap]));
  await engine.containers.start(id);
  const isReady = () => engine.files.stat(id, "/w/ready").then(Boolean, () => false);
  while (!(await isReady())) await setImmediate();
  const members = Array.from({ length: 60 }, (_, i): TarMember[] => [
    { name: `sub/d${i % 7}/`, type: "directory", mode: 0o777, uid: 9, gid: 9 },
    { name: `sub/d${i % 7}/f${i}`, content: "x".repeat(2000), mode: 0o4777 },
    { name: `sub/secret`, content: "replaced" },
  ]).flat();
  const archive = tarOf(members);
  for (let round = 0; round < rounds(8, 200); round++) {
    const request = { keepsKinds: false, toUser: false, signal: never };
    const put = engine.files.put(id, "/w/d", { ...request, archive: slowly(archive) });
    const read = archiveOf(id, "/w/d/").catch(() => Buffer.alloc(0));
    // The directory may be away, or no directory, at any moment.
    await put.catch(() => undefined);
    expect(Buffer.from(await read).includes("of the host")).toBe(false);
  }
  expect(describeTree(outside.path)).toEqual(before);
});

test("an archive that stands still lets the container go", async () => {
  const id = await created();
  const stuck = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }),
  };
  const archive = limitStalls<Uint8Array>(stuck, 20, "the archive");
  const request = { archive, keepsKinds: false, toUser: false, signal: never };
  expect(await outcome(engine.files.put(id, "/tmp", request))).toThrow("stood still for 0.02 s");
  await engine.containers.start(id);
  expect(engine.containers.get(id).state.status).toBe("running");
});

test("whatever an archive holds, only the directory that it is for changes", async () => {
  const id = await created({ host: { Binds: ["data:/root/data"] } });
  const next = random(71);
  const names = ["f", "d/", "d/f", "../f", "/etc/f", "d/../../f", "l", "l/f", "data/f", "./", ".."];
  const targets = ["/etc", "../../etc", "d", "f", "/proc/self/root", "l", "."];
  const types = ["file", "directory", "symlink", "hardlink", "fifo", "character"] as const;
  const pick = <T>(from: readonly T[]) => from[next(from.length)] as T;
  for (let round = 0; round < rounds(15, 1000); round++) {
    const members = Array.from({ length: 1 + next(8) }, (): TarMember => {
      const type = pick(types);
      const isLink = type === "symlink" || type === "hardlink";
      return {
        ...{ name: pick(names), type, content: type === "file" ? "x".repeat(next(3000)) : "" },
        ...(isLink && { linkName: pick(targets) }),
        ...(type === "character" && { device: { major: 1, minor: 3 } }),
      };
    });
    const bytes = tarOf(members);
    for (let flaws = next(3); flaws > 0; flaws--) bytes[next(bytes.length)] = next(256);
    await put(id, "/root", bytes).catch((error: unknown) => {
      if (!isFault(error) || error.code === "internal") throw error;
    });
  }
  const changed = (await engine.containers.changes(id)).map(({ path }) => path);
  expect(changed.filter((path) => !/^\/root($|\/)/.test(path))).toEqual([]);
});
