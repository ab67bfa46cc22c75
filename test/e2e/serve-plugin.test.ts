import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { mountTable } from "#kernel";
import { type Running, ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
/** A dockerd in a root of its own, as bench/peers starts it. */
const peerRoot = process.env.PEERS_ROOT ?? "/srv/peers";
const peer = join(peerRoot, "run/peers/docker.sock");
const hasPeer =
  isRoot &&
  existsSync(peer) &&
  (await fetch("http://d/_ping", { unix: peer }).then(
    ({ ok }) => ok,
    () => false,
  ));

/** An engine whose volumes are where another root sees them too, and its plugin at a socket. */
async function openServed(places?: string) {
  const cli = new ThimbleCli("/dev/shm/ts-");
  const socket = join(places ?? cli.directory, `thimble-${process.pid}.sock`);
  await cli.ok(["info"]);
  const serving = cli.start(["volume", "serve-plugin", "--socket", socket]);
  await serving.until("serving volumes at");
  return { cli, serving, socket };
}

describe.skipIf(!isRoot)("the engine's volumes as a plugin [needs root]", () => {
  let cli: ThimbleCli;
  let serving: Running;
  let socket: string;
  beforeAll(async () => {
    ({ cli, serving, socket } = await openServed());
  });
  afterAll(async () => {
    serving?.signal("SIGTERM");
    await cli[Symbol.asyncDispose]();
  });

  const ask = async (method: string, body: object = {}) => {
    const response = await fetch(`http://p/${method}`, {
      unix: socket,
      method: "POST",
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Readonly<Record<string, unknown>>;
    return { ...answer, status: response.status } as Readonly<Record<string, unknown>>;
  };
  const drive = (method: string, body?: object) => ask(`VolumeDriver.${method}`, body);

  test("speaks the protocol", async () => {
    expect(await ask("Plugin.Activate")).toMatchObject({ Implements: ["VolumeDriver"] });
    expect(await drive("Capabilities")).toMatchObject({ Capabilities: { Scope: "local" } });
    expect(await drive("Create", { Name: "data", Opts: null })).toEqual({ status: 200 });
    const { Mountpoint, ...rest } = await drive("Mount", { Name: "data", ID: "one" });
    expect(rest).toEqual({ status: 200 });
    expect(statSync(Mountpoint as string).isDirectory()).toBe(true);
    expect(await drive("Get", { Name: "data" })).toMatchObject({
      Volume: { Name: "data", Mountpoint, CreatedAt: expect.stringMatching(/^20/) },
    });
    expect(await drive("Path", { Name: "data" })).toMatchObject({ Mountpoint });
    expect(await drive("List")).toMatchObject({ Volumes: [{ Name: "data", Mountpoint }] });
    expect(await drive("Remove", { Name: "data" })).toEqual({
      status: 500,
      Err: "remove data: volume is in use",
    });
    expect((await cli.run(["volume", "rm", "data"])).stderr).toContain("volume is in use");
    expect(await drive("Unmount", { Name: "data", ID: "one" })).toEqual({ status: 200 });
    expect(await drive("Remove", { Name: "data" })).toEqual({ status: 200 });
    expect(await drive("Get", { Name: "data" })).toEqual({
      status: 500,
      Err: "get data: no such volume",
    });
  });

  test("refuses what it cannot do", async () => {
    expect(await drive("Nonsense")).toMatchObject({ status: 404 });
    expect(await drive("Create", { Name: "a/b" })).toMatchObject({
      status: 500,
      Err: expect.stringContaining("includes invalid characters for a local volume name"),
    });
    expect(await drive("Create", { Name: "xx", Opts: { colour: "1" } })).toMatchObject({
      Err: 'create xx: invalid option: "colour"',
    });
    const garbage = await fetch("http://p/VolumeDriver.Get", {
      unix: socket,
      method: "POST",
      body: "{",
    });
    expect(garbage.status).toBe(500);
    const second = await cli.run(["volume", "serve-plugin", "--socket", socket]);
    expect(second.stderr).toContain(`a plugin is served at ${socket} already`);
    expect(statSync(socket).mode & 0o777).toBe(0o600);
  });

  test("what is lent stays lent, and mounted, over a restart of the engine", async () => {
    const Opts = { type: "tmpfs", device: "tmpfs", o: "size=1m" };
    await drive("Create", { Name: "memory", Opts });
    const { Mountpoint } = await drive("Mount", { Name: "memory", ID: "one" });
    const isMounted = () => mountTable().some(({ target }) => target === Mountpoint);
    expect(isMounted()).toBe(true);
    await cli.stopEngine();
    await cli.ok(["info"]);
    expect(isMounted()).toBe(true);
    expect((await cli.run(["volume", "rm", "memory"])).stderr).toContain("volume is in use");
    await drive("Unmount", { Name: "memory", ID: "one" });
    expect(isMounted()).toBe(false);
    await cli.ok(["volume", "rm", "memory"]);
  });

  test("an engine that serves itself is no driver to itself", async () => {
    const driver = `thimble-own-${process.pid}`;
    const own = join("/run/docker/plugins", `${driver}.sock`);
    const again = cli.start(["volume", "serve-plugin", "--socket", own]);
    await again.until("serving volumes at");
    expect(await cli.ok(["volume", "create", "mine"])).toBe("mine");
    expect(await cli.ok(["volume", "ls", "-q"])).toBe("mine");
    const { stderr } = await cli.run(["volume", "create", "-d", driver, "loop"]);
    expect(stderr).toContain("is this engine; use the driver local");
    expect((await cli.run(["volume", "inspect", "nope"])).stderr).toContain("no such volume");
    await cli.ok(["volume", "rm", "mine"]);
    again.signal("SIGTERM");
    await again.ended;
    expect(existsSync(own)).toBe(false);
  });
});

describe.skipIf(!hasPeer)("a real dockerd with our volumes [needs a peer dockerd]", () => {
  const driver = `thimble-${process.pid}`;
  const image = `thimble-served-${process.pid}`;
  let cli: ThimbleCli;
  let serving: Running;
  const docker = async (...args: string[]) => {
    const child = Bun.spawn(["docker", "-H", `unix://${peer}`, ...args], { stderr: "pipe" });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { status: await child.exited, stdout: stdout.trim(), stderr: stderr.trim() };
  };
  beforeAll(async () => {
    const places = join(peerRoot, "run/docker/plugins");
    mkdirSync(places, { recursive: true });
    ({ cli, serving } = await openServed(places));
    const tar = join(cli.directory, "image.tar");
    await cli.importBusybox(image);
    await cli.ok(["save", "-o", tar, image]);
    expect((await docker("load", "-i", tar)).status).toBe(0);
  });
  afterAll(async () => {
    await docker("rmi", "-f", image);
    serving?.signal("SIGTERM");
    await cli[Symbol.asyncDispose]();
  });

  test("makes, fills, mounts, shows and removes them", async () => {
    expect(await docker("volume", "create", "-d", driver, "served")).toMatchObject({ status: 0 });
    expect(await cli.ok(["volume", "ls", "-q"])).toBe("served");
    const run = (script: string) =>
      docker("run", "--rm", "-v", "served:/data", image, "sh", "-c", script);
    expect(await run("echo from-docker > /data/f")).toMatchObject({ status: 0, stderr: "" });
    const { Mountpoint } = JSON.parse(
      await cli.ok(["volume", "inspect", "-f", "{{json .}}", "served"]),
    );
    expect(readFileSync(join(Mountpoint, "f"), "utf8")).toBe("from-docker\n");
    const ours = ["run", "--rm", "-v", "served:/data", image, "cat", "/data/f"];
    expect(await cli.ok(ours)).toBe("from-docker");
    expect((await docker("volume", "inspect", "-f", "{{.Driver}}", "served")).stdout).toBe(driver);
    const { stdout: id } = await docker("run", "-d", "-v", "served:/x", image, "sleep", "1000");
    expect((await cli.run(["volume", "rm", "served"])).stderr).toContain("volume is in use");
    await docker("rm", "-f", id);
    const filled = await docker(
      ...["run", "--rm", "--volume-driver", driver, "-v", "filled:/bin", image],
      ...["/bin/sh", "-c", "ls /bin | wc -l"],
    );
    expect(Number(filled.stdout)).toBeGreaterThan(20);
    expect((await docker("volume", "rm", "served", "filled")).status).toBe(0);
    expect(await cli.ok(["volume", "ls", "-q"])).toBe("");
  });
});
