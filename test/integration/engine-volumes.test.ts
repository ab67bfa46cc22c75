import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Engine, EngineEvent } from "#engine";
import { mountTable } from "#kernel";
import { outcome } from "../../src/base/testing.ts";
import { createRequest } from "../support/create-request.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { collectOutput, runContainer, startSleeper } from "../support/run-container.ts";

const owner = { uid: 0, gid: 0 };
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
  for (const { id } of engine.containers.list({ all: true, filters: {} }))
    await engine.containers.remove(id, { force: true, volumes: true });
  await engine.volumes.prune({ all: ["true"] });
  expect((await engine.volumes.list({})).volumes).toEqual([]);
  await opened[Symbol.asyncDispose]();
  expect(readdirSync(join(roots.dataRoot, "volumes"))).toEqual([".making", ".removed"]);
  roots[Symbol.dispose]();
  await leaks.settled();
});

const remove = (id: string, volumes = false) =>
  engine.containers.remove(id, { force: true, volumes });
const names = async () => (await engine.volumes.list({})).volumes.map(({ name }) => name);
const deviceMounts = () =>
  mountTable().filter(({ target }) => target.startsWith(join(roots.dataRoot, "volumes")));

test("a named volume outlives its containers and is theirs while they exist", async () => {
  const host = { Binds: ["keep:/data"] };
  const first = await runContainer(engine, ["sh", "-c", "echo hi > /data/f"], { host });
  expect(first.exitCode).toBe(0);
  expect(await outcome(engine.volumes.remove("keep", { force: true }))).toThrow(
    `remove keep: volume is in use - [${first.id}]`,
  );
  await remove(first.id, true);
  const second = await runContainer(engine, ["cat", "/data/f"], { host });
  expect(second.stdout).toBe("hi\n");
  expect(engine.volumes.get("keep").lastUsed).toBeGreaterThan(0n);
  await remove(second.id);
  await engine.volumes.remove("keep", { force: false });
  expect(await names()).toEqual([]);
});

test("an empty volume gets what the image has, with owners and modes, and one that is not is left", async () => {
  const script = "ls /bin | wc -l; stat -c '%a %u' /tmp; ls -A /etc";
  const host = { Binds: ["bins:/bin", "temps:/tmp", "bare:/etc:nocopy"] };
  const { stdout, id } = await runContainer(engine, ["/bin/sh", "-c", script], { host });
  const [count = "", tmp = "", ...etc] = stdout.trim().split("\n");
  expect(Number(count)).toBeGreaterThan(20);
  expect(tmp).toBe("1777 0");
  // What the engine mounts there itself.
  expect(etc).toEqual(["hostname", "hosts", "resolv.conf"]);
  await remove(id);
  const again = await runContainer(engine, ["/bin/ls", "/root"], {
    host: { Binds: ["bins:/root"] },
  });
  expect(again.stdout).toContain("busybox");
  await remove(again.id);
  await engine.volumes.prune({ all: ["1"] });
});

test("anonymous volumes go with `rm -v` and with `--rm`, unless another container has them", async () => {
  const config = { Volumes: { "/a": {} } };
  const once = await runContainer(engine, ["sh", "-c", "echo x > /a/x"], {
    config,
    host: { AutoRemove: true },
  });
  expect(once.exitCode).toBe(0);
  expect(await names()).toEqual([]);
  const { id } = await engine.containers.create(
    createRequest("busybox", ["true"], { name: "one", config, host: { Binds: ["/b"] } }),
  );
  expect(await names()).toHaveLength(2);
  const other = await engine.containers.create(
    createRequest("busybox", ["true"], { host: { VolumesFrom: ["one:ro"] } }),
  );
  await remove(id, true);
  expect(await names()).toHaveLength(2);
  const { placed } = engine.containers.get(other.id);
  expect(placed).toMatchObject([
    { target: "/b", readonly: true },
    { target: "/a", readonly: true },
  ]);
  await remove(other.id, false);
  expect(await names()).toHaveLength(2);
  expect((await engine.volumes.prune({})).removed).toHaveLength(2);
});

test("the volumes of an image are made, except where something else is mounted", async () => {
  await engine.images.import(
    (await import("../support/engine.ts")).busyboxTree(),
    { reference: "withvolumes:latest", changes: ["VOLUME /v /w /x"] },
    () => undefined,
  );
  const { id } = await engine.containers.create(
    createRequest("withvolumes", ["true"], { host: { Binds: ["own:/v"], Tmpfs: { "/w": "" } } }),
  );
  const { placed, config } = engine.containers.get(id);
  expect(placed.map(({ target, volume }) => [target, volume])).toEqual([
    ["/v", "own"],
    ["/x", expect.stringMatching(/^[0-9a-f]{64}$/)],
  ]);
  expect(Object.keys(config.Volumes).sort()).toEqual(["/v", "/w", "/x"]);
  await remove(id, true);
  await engine.volumes.remove("own", { force: false });
});

test("mounts that are read-only, and parts of volumes", async () => {
  const { path } = await engine.volumes.create({ name: "parts", owner });
  await runContainer(engine, ["sh", "-c", "mkdir -p /v/sub; echo part > /v/sub/f"], {
    host: { Binds: ["parts:/v"], AutoRemove: true },
  });
  writeFileSync(join(roots.dataRoot, "secret"), "secret");
  symlinkSync("../../../..", join(path, "up"));
  symlinkSync("sub", join(path, "link"));
  const mount = (Subpath: string, Target: string, ReadOnly = false) => ({
    ...{ Type: "volume", Source: "parts", Target, ReadOnly, VolumeOptions: { Subpath } },
  });
  const script = "cat /a/f /b /c/f; echo x > /a/new; ls /up";
  const { stdout, stderr } = await runContainer(engine, ["sh", "-c", script], {
    host: {
      AutoRemove: true,
      Mounts: [
        mount("sub", "/a", true),
        mount("sub/f", "/b"),
        mount("link", "/c"),
        mount("up", "/up"),
      ],
    },
  });
  // A link that leads out of the volume ends at its root.
  expect(stdout).toBe("part\npart\npart\nlink\nsub\nup\n");
  expect(stderr).toContain("Read-only file system");
  const { id } = await engine.containers.create(
    createRequest("busybox", ["true"], { host: { Mounts: [mount("nope", "/a")] } }),
  );
  expect(await outcome(engine.containers.start(id))).toThrow(`cannot access path ${path}/nope: `);
  await remove(id);
  await engine.volumes.remove("parts", { force: false });
});

test("a part that changes into a link while it is mounted never leads out of its volume", async () => {
  const { path } = await engine.volumes.create({ name: "raced", owner });
  const outside = join(roots.dataRoot, "outside");
  for (const at of [outside, join(path, "part")]) mkdirSync(at);
  writeFileSync(join(outside, "f"), "of the host");
  writeFileSync(join(path, "part/f"), "of the volume");
  // Each turn the name is a directory, then links of both kinds to the host's, then again.
  const turn = `mv part real; ln -s ${outside} part; rm part; ln -s ../../../outside part; rm part; mv real part`;
  const script = `i=0; while [ $i -lt 400 ]; do ${turn}; i=$((i+1)); done`;
  const attacker = Bun.spawn(["/bin/busybox", "sh", "-c", script], { cwd: path, stderr: "ignore" });
  const mount = (Subpath: string) => ({
    ...{ Type: "volume", Source: "raced", Target: "/a", VolumeOptions: { Subpath } },
  });
  const found = new Set<string>();
  while (attacker.exitCode === null) {
    const { id } = await engine.containers.create(
      createRequest("busybox", ["cat", "/a/f"], { host: { Mounts: [mount("part")] } }),
    );
    // It may find nothing there.
    await engine.containers.start(id).catch(() => undefined);
    await (await engine.containers.wait(id, "not-running")).result;
    const streams = { follow: false, stdout: true, stderr: true, timestamps: false };
    found.add((await collectOutput(engine.containers.logs(id, streams))).stdout);
    await remove(id);
  }
  expect([...found].filter((text) => text.includes("of the host"))).toEqual([]);
  await engine.volumes.remove("raced", { force: false });
});

test("a container whose volume another creation has made keeps it when that fails", async () => {
  // Fails late: after its volumes were claimed.
  const failing = engine.containers.create(
    createRequest("busybox", ["true"], { host: { Binds: ["both:/a", "both:/bin/busybox"] } }),
  );
  const made = engine.containers.create(
    createRequest("busybox", ["true"], { host: { Binds: ["both:/a"] } }),
  );
  expect(await outcome(failing)).toThrow("is not directory");
  const { id } = await made;
  await engine.containers.start(id);
  await remove(id);
  await engine.volumes.remove("both", { force: false });
});

test("a start with a part of a volume leaves no descriptor open", async () => {
  await engine.volumes.create({ name: "parts", owner });
  const open = () =>
    readdirSync("/proc/self/fd").filter((fd) => linkOf(fd).includes("/volumes/parts/")).length;
  const mount = { Type: "volume", Source: "parts", Target: "/a", VolumeOptions: { Subpath: "." } };
  const id = await startSleeper(engine, { host: { Mounts: [mount] } });
  expect(open()).toBe(0);
  await remove(id);
  await engine.volumes.remove("parts", { force: false });
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

test("a clone of a volume in use warns, and a volume in use keeps its name", async () => {
  const id = await startSleeper(engine, {
    host: { Binds: ["busy:/bin2"], Mounts: [{ Type: "volume", Source: "busy", Target: "/bin" }] },
  });
  const { volume, warnings } = await engine.volumes.clone("busy", { to: "copy", owner });
  expect(warnings).toEqual([expect.stringContaining("a running container has busy")]);
  expect(readdirSync(volume.path)).toContain("busybox");
  expect(await outcome(engine.volumes.rename("busy", "other"))).toThrow(
    `rename busy: volume is in use - [${id}]`,
  );
  await remove(id);
  expect((await engine.volumes.clone("busy", { to: "again", owner })).warnings).toEqual([]);
  expect((await engine.volumes.rename("busy", "other")).name).toBe("other");
  expect(await names()).toEqual(["again", "copy", "other"]);
  expect((await engine.volumes.prune({ all: ["true"] })).removed).toHaveLength(3);
});

test("an anonymous volume with a name of its own is no longer pruned", async () => {
  const { name } = await engine.volumes.create({ labels: { a: "b" }, owner });
  expect(await engine.volumes.rename(name, "mine")).toMatchObject({ labels: { a: "b" } });
  expect((await engine.volumes.prune({})).removed).toEqual([]);
  await engine.volumes.remove("mine", { force: false });
});

test("a volume with options is a mount while a container runs, also over a restart of the engine", async () => {
  const options = { type: "tmpfs", device: "tmpfs", o: "size=1m" };
  await engine.volumes.create({ name: "memory", options, owner });
  const one = await startSleeper(engine, { host: { Binds: ["memory:/m"] } });
  const { stdout } = await runContainer(
    engine,
    ["sh", "-c", "grep ' /m ' /proc/mounts; echo 1 > /m/f"],
    {
      host: { Binds: ["memory:/m"], AutoRemove: true },
    },
  );
  expect(stdout).toMatch(/^tmpfs \/m tmpfs .*size=1024k/);
  expect(deviceMounts()).toHaveLength(1);
  await opened[Symbol.asyncDispose]();
  opened = await openEngineAt(roots);
  engine = opened.engine;
  expect(deviceMounts()).toHaveLength(1);
  const { path } = engine.volumes.get("memory");
  expect(readFileSync(join(path, "f"), "utf8")).toBe("1\n");
  await remove(one);
  expect(deviceMounts()).toEqual([]);
  expect(existsSync(join(path, "f"))).toBe(false);
  await engine.volumes.remove("memory", { force: false });
});

test("a start whose volume cannot be mounted says why, and holds nothing", async () => {
  const options = { type: "none", device: "/nonexistent", o: "bind" };
  await engine.volumes.create({ name: "bad", options, owner });
  const { id } = await engine.containers.create(
    createRequest("busybox", ["true"], { host: { Binds: ["bad:/x", "good:/y"] } }),
  );
  expect(await outcome(engine.containers.start(id))).toThrow("failed to mount local volume");
  await remove(id);
  await engine.volumes.remove("bad", { force: false });
  await engine.volumes.remove("good", { force: false });
});

test.each([
  [{ Binds: ["x y:/a"] }, "create x y: "],
  [{ Binds: ["fine:/a"], VolumeDriver: "nope" }, 'plugin "nope" not found'],
  [{ Binds: ["fine:/a", "fine:/bin/busybox"] }, "source /bin/busybox is not directory"],
  [{ VolumesFrom: ["nobody"] }, "No such container: nobody"],
  [{ Binds: ["fine:/a"], Tmpfs: { "/a/": "" } }, "Duplicate mount point: /a"],
])("a create that fails leaves no volume: %j", async (host, message) => {
  expect(
    await outcome(engine.containers.create(createRequest("busybox", ["true"], { host }))),
  ).toThrow(message);
  expect(await names()).toEqual([]);
  expect(engine.containers.list({ all: true, filters: {} })).toEqual([]);
});

test("events tell of volumes as Docker's do", async () => {
  const signal = new AbortController();
  const events: EngineEvent[] = [];
  const subscription = engine.events.subscribe({
    filters: { type: ["volume"] },
    signal: signal.signal,
  });
  const reading = (async () => {
    for await (const event of subscription) {
      events.push(event);
      if (event.action === "destroy") signal.abort();
    }
  })();
  const twice = [
    { Type: "volume", Source: "twice", Target: "/b" },
    { Type: "volume", Source: "twice", Target: "/c" },
  ];
  await remove((await runContainer(engine, ["true"], { host: { Mounts: twice } })).id);
  const host = { Mounts: [{ Type: "volume", Target: "/a" }], AutoRemove: true };
  const { id } = await runContainer(engine, ["true"], { host });
  await reading;
  // As dockerd 28: each mount has its end.
  expect(events.splice(0, 5).map(({ action }) => action)).toEqual([
    ...["create", "mount", "mount", "unmount", "unmount"],
  ]);
  await engine.volumes.remove("twice", { force: false });
  expect(events.map(({ action, attributes }) => [action, attributes])).toEqual([
    ["create", { driver: "local" }],
    [
      "mount",
      {
        ...{ container: id, destination: "/a", driver: "local" },
        ...{ propagation: "", "read/write": "true" },
      },
    ],
    ["unmount", { container: id, driver: "local" }],
    ["destroy", { driver: "local" }],
  ]);
});

test("lists are filtered, and what nobody uses is pruned by its label", async () => {
  await engine.volumes.create({ name: "red", labels: { color: "red" }, owner });
  await engine.volumes.create({ name: "blue", labels: { color: "blue" }, owner });
  const { id } = await engine.containers.create(
    createRequest("busybox", ["true"], { host: { Binds: ["red:/a"] } }),
  );
  const listed = async (filters: Record<string, string[]>) =>
    (await engine.volumes.list(filters)).volumes.map(({ name }) => name);
  expect(await listed({})).toEqual(["blue", "red"]);
  expect(await listed({ name: ["lu"] })).toEqual(["blue"]);
  expect(await listed({ label: ["color=red"] })).toEqual(["red"]);
  expect(await listed({ dangling: ["true"] })).toEqual(["blue"]);
  expect(await listed({ dangling: ["0"] })).toEqual(["red"]);
  expect(await listed({ driver: ["other"] })).toEqual([]);
  expect(await outcome(engine.volumes.list({ dangling: ["x"] }))).toThrow(
    "invalid filter 'dangling=[x]'",
  );
  expect((await engine.volumes.prune({})).removed).toEqual([]);
  const all = { all: ["true"], "label!": ["color=blue"] };
  expect((await engine.volumes.prune(all)).removed).toEqual([]);
  const usage = await engine.volumes.usage();
  expect(usage.map(({ volume, containers }) => [volume.name, containers])).toEqual([
    ["blue", 0],
    ["red", 1],
  ]);
  await remove(id);
  expect((await engine.volumes.prune({ all: ["true"] })).removed).toEqual(["blue", "red"]);
});
