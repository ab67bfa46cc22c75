import { afterAll, beforeAll, expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { isFault } from "#base";
import type { Engine, EngineEvent } from "#engine";
import { TarWriter } from "#tar";
import { createRequest } from "../support/create-request.ts";
import {
  busyboxTree,
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { eventually, runContainer, startSleeper } from "../support/run-container.ts";

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

afterAll(async () => {
  for (const { id } of engine.containers.list({ all: true, filters: {} })) {
    await engine.containers.remove(id, { force: true, volumes: false });
  }
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  }
  return "none";
}

const silent = () => undefined;
const { signal } = new AbortController();

test("an imported image has its name, configuration and history", async () => {
  const image = await engine.images.get("busybox");
  expect(image.tags).toEqual(["busybox:latest"]);
  expect(image.config.config?.Cmd).toEqual(["sh"]);
  expect(image.size).toBeGreaterThan(1_000_000);
  expect(await engine.images.get(image.id.slice(7, 19))).toEqual(image);
  expect(await engine.images.history("busybox")).toMatchObject([
    { id: image.id, tags: ["busybox:latest"], size: image.size },
  ]);
});

test("tags, filters and events", async () => {
  const seen: EngineEvent[] = [];
  const stop = new AbortController();
  const events = engine.events.subscribe({ filters: { type: ["image"] }, signal: stop.signal });
  const listening = (async () => {
    for await (const event of events) seen.push(event);
  })();
  await engine.images.tag("busybox", "example.org/box:1");
  const named = async (reference: string) =>
    (await engine.images.list({ all: false, filters: { reference: [reference] } })).map(
      ({ tags }) => tags,
    );
  expect(await named("example.org/*")).toEqual([["example.org/box:1"]]);
  expect(await named("busybox")).toEqual([["busybox:latest"]]);
  expect(await named("nothing*")).toEqual([]);
  expect(await codeOf(engine.images.list({ all: false, filters: { refrence: ["x"] } }))).toBe(
    "invalid",
  );
  expect(await engine.images.remove("example.org/box:1", { force: false, prune: true })).toEqual([
    { untagged: "example.org/box:1" },
  ]);
  await eventually(() => seen[1], "the second event");
  stop.abort();
  await listening;
  expect(
    seen.map(({ action, attributes }) => `${action} ${attributes.name?.slice(0, 17)}`),
  ).toEqual(["tag example.org/box:1", `untag ${seen[0]?.id.slice(0, 17)}`]);
});

test("an image that a container uses stays", async () => {
  const id = await startSleeper(engine);
  expect((await engine.images.get("busybox")).containers).toBe(1);
  expect(await codeOf(engine.images.remove("busybox", { force: false, prune: true }))).toBe(
    "conflict",
  );
  expect((await engine.images.prune({ dangling: ["false"] })).deleted).toEqual([]);
  await engine.containers.remove(id, { force: true, volumes: false });
});

test("layers of an image that was removed by force go with its last container", async () => {
  const snapshots = () => readdirSync(join(roots.dataRoot, "snapshots")).length;
  const before = snapshots();
  async function* tree() {
    const chunks: Uint8Array[] = [];
    const tar = new TarWriter((bytes) => chunks.push(bytes));
    const owner = { uid: 0, gid: 0, mtime: 0n, linkName: "" };
    tar.entry({ ...owner, type: "file", name: "only-here", mode: 0o644, size: 0 }, Buffer.alloc(0));
    tar.finish();
    yield* chunks;
  }
  const image = await engine.images.import(tree(), { changes: [] }, silent);
  const { id } = await engine.containers.create(createRequest(image, ["/only-here"]));
  expect(snapshots()).toBe(before + 2);
  await engine.images.remove(image, { force: true, prune: true });
  expect(snapshots()).toBe(before + 2);
  await engine.containers.remove(id, { force: true, volumes: false });
  await eventually(() => (snapshots() === before ? true : undefined), "the layer to go");
});

test("saved, removed and loaded again, it runs", async () => {
  const { id } = await engine.images.get("busybox");
  const archive: Uint8Array[] = [];
  for await (const chunk of engine.images.save(["busybox"])) archive.push(chunk);
  const removed = await engine.images.remove("busybox", { force: false, prune: true });
  expect(removed).toContainEqual({ deleted: id });
  expect(await codeOf(engine.images.get("busybox"))).toBe("not_found");
  async function* stream() {
    yield* archive;
  }
  expect(await engine.images.load(stream(), {}, silent)).toEqual([{ id, tag: "busybox:latest" }]);
  const run = await runContainer(engine, ["echo", "again"], { host: { AutoRemove: true } });
  expect(run.stdout).toBe("again\n");
});

test("a damaged archive leaves no image", async () => {
  const before = await engine.images.list({ all: true, filters: {} });
  const whole = Buffer.concat(await Array.fromAsync(busyboxTree()));
  async function* damaged() {
    yield whole.subarray(0, 200_000);
  }
  expect(await codeOf(engine.images.load(damaged(), {}, silent))).not.toBe("none");
  const imported = engine.images.import(damaged(), { reference: "bad", changes: [] }, silent);
  expect(await codeOf(imported)).not.toBe("none");
  expect(await engine.images.list({ all: true, filters: {} })).toEqual(before);
});

test("an image made of a static binary runs; its tree is gone from the work directory", async () => {
  const busybox = await Bun.file("/bin/busybox").bytes();
  async function* files() {
    const chunks: Uint8Array[] = [];
    const tar = new TarWriter((bytes) => chunks.push(bytes));
    tar.entry(
      {
        name: "busybox",
        type: "file",
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: busybox.byteLength,
        mtime: 0n,
        linkName: "",
      },
      busybox,
    );
    tar.finish();
    yield* chunks;
  }
  const cmd = ["/busybox", "echo", "made"];
  const request = { method: "scratch", reference: "made", files: files(), cmd } as const;
  const id = await engine.images.make(request, silent, signal);
  expect((await engine.images.get("made")).id).toBe(id);
  const { id: container } = await engine.containers.create(createRequest("made", []));
  const { result } = await engine.containers.wait(container, "next-exit");
  await engine.containers.start(container);
  expect((await result).exitCode).toBe(0);
  expect(readdirSync(join(roots.dataRoot, "work"))).toEqual([]);
});

test("commit and squash take hundreds of megabytes of zeros, and keep them as holes", async () => {
  const seek = String(700 << 20);
  const make = ["dd", "if=/dev/zero", "of=/hole", "bs=1", "count=1", `seek=${seek}`];
  const { id } = await runContainer(engine, make);
  const request = { reference: "holes", pause: true, changes: [], config: {} };
  await engine.containers.commit(id, request, signal);
  const squashed = { reference: "squashed" };
  await engine.analysis.squash("holes", squashed, silent, signal);
  for (const image of ["holes", "squashed"]) {
    const { stdout } = await runContainer(engine, ["stat", "-c", "%s %b", "/hole"], {
      config: { Image: image },
    });
    const [size, blocks] = stdout.split(" ").map(Number);
    expect([image, size]).toEqual([image, (700 << 20) + 1]);
    expect(blocks).toBeLessThan(1000);
  }
});

test("a container's changes include its sockets", async () => {
  const { id } = await runContainer(engine, ["touch", "/made"]);
  const active = readdirSync(join(roots.dataRoot, "snapshots"), { withFileTypes: true })
    .map(({ name }) => join(roots.dataRoot, "snapshots", name, "fs"))
    .find((path) => existsSync(join(path, "made")));
  const server = createServer().listen(join(active ?? "", "socket"));
  await once(server, "listening");
  const changes = await engine.containers.changes(id);
  expect(changes).toContainEqual({ path: "/socket", kind: "added" });
  server.close();
  await engine.containers.remove(id, { force: true, volumes: false });
});

test("an export is the container's tree, running or not", async () => {
  const id = await startSleeper(engine);
  let names = "";
  for await (const chunk of engine.containers.export(id))
    names += Buffer.from(chunk).toString("latin1");
  expect(names).toContain("bin/busybox");
  expect(names).toContain("etc/passwd");
  await engine.containers.remove(id, { force: true, volumes: false });
});

test("a plan is the launcher's own and makes nothing", async () => {
  const before = readdirSync(join(roots.dataRoot, "containers"));
  const plan = await engine.containers.plan(
    createRequest("busybox", ["true"], { name: "planned" }),
  );
  expect(plan.byteLength).toBeGreaterThan(1000);
  expect(readdirSync(join(roots.dataRoot, "containers"))).toEqual(before);
  expect(() => engine.containers.get("planned")).toThrow("No such container");
});

test("size and pruning", async () => {
  const { id } = await runContainer(engine, ["dd", "if=/dev/zero", "of=/big", "bs=1k", "count=64"]);
  const size = await engine.containers.size(id);
  expect(size.writable).toBeGreaterThanOrEqual(65_536);
  expect(size.total).toBeGreaterThan(size.writable + 1_000_000);
  const pruned = await engine.containers.prune({});
  expect(pruned.removed).toContain(id);
  expect(pruned.bytes).toBeGreaterThanOrEqual(65_536);
  expect(existsSync(join(roots.dataRoot, "containers", id))).toBe(false);
});
