import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { O_DIRECTORY, O_RDONLY, openat2 } from "#kernel";
import { openState, type State } from "#state";
import { openVolumes, type Volumes } from "#volume";
import { outcome } from "../../src/base/testing.ts";
import { eventually } from "../support/run-container.ts";
import { type PluginProcess, startPlugin } from "../support/volume-plugin.ts";

const owner = { uid: 0, gid: 0 };
let root: string;
let state: State;
let volumes: Volumes;
let plugin: PluginProcess;

/** Longer than a test may take: it fails when it waits for a plugin that it should not wait for. */
const never = 3_600_000;
/** Read at each call. */
const patience = { long: never, short: never, list: never };

/**
 * Has the plugin misbehave. Where it hangs, that call alone has a short time, which it outlasts on
 * any machine; the plugin has said before what it is.
 */
async function misbehave(how: string) {
  if (!how.startsWith("Plugin.")) await volumes.list();
  plugin.behave(how);
  if (how.endsWith(" hang")) patience[/^(Get|Plugin)/.test(how) ? "short" : "long"] = 50;
}

async function behaveAgain() {
  Object.assign(patience, { long: never, short: never });
  plugin.behave(undefined);
  await plugin.revive();
}

const open = () =>
  openVolumes({
    state,
    directory: join(root, "volumes"),
    plugins: {
      places: { sockets: [join(root, "sockets")], specs: [join(root, "specs")] },
      patience,
    },
  });

beforeEach(async () => {
  Object.assign(patience, { long: never, short: never, list: never });
  root = mkdtempSync(join(tmpdir(), "tp-"));
  for (const name of ["sockets", "specs"]) mkdirSync(join(root, name));
  state = openState(join(root, "state.db"));
  volumes = await open();
  plugin = await startPlugin(join(root, "sockets/p.sock"), join(root, "plugin"));
});

afterEach(async () => {
  await plugin[Symbol.asyncDispose]();
  state.close();
  rmSync(root, { recursive: true, force: true });
});

const provide = (name: string, more: object = {}) =>
  volumes.create({ name, owner, driver: "p", ...more });
const calls = () => plugin.calls().map(({ method, Name }) => `${method} ${Name}`);
const names = () => volumes.known().map(({ name }) => name);

test("a volume is made, mounted for each holder, unmounted and removed", async () => {
  const { volume, made } = await provide("data", { options: { size: "1" }, labels: { a: "b" } });
  expect(made).toBe(true);
  expect(volume).toMatchObject({ driver: "p", options: { size: "1" }, path: "" });
  const place = join(plugin.directory, "volumes/data");
  expect(await volumes.holders.hold("data", "one")).toBe(place);
  expect(await volumes.holders.hold("data", "one")).toBe(place);
  expect(await volumes.holders.hold("data", "two")).toBe(place);
  expect(volumes.pathOf("data")).toBe(place);
  expect(await outcome(volumes.remove("data"))).toThrow("remove data: volume is in use");
  await volumes.holders.release("data", "one");
  await volumes.holders.release("data", "two");
  expect((await volumes.inspect("data")).path).toBe("");
  await volumes.remove("data");
  expect(plugin.calls()).toMatchObject([
    { method: "Create", Name: "data", Opts: { size: "1" } },
    { method: "Mount", ID: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { method: "Mount" },
    { method: "Unmount" },
    { method: "Unmount" },
    { method: "Remove", Name: "data" },
  ]);
  expect(volumes.known()).toEqual([]);
});

test("a volume shows what its plugin tells of it", async () => {
  await provide("data", { options: { size: "1" } });
  expect(await volumes.inspect("data")).toMatchObject({
    ...{ name: "data", driver: "p", scope: "global" },
    status: { Mounts: 0, size: "1" },
    createdAt: BigInt(Date.parse("2024-05-06T07:08:09Z")) * 1_000_000n,
  });
});

test("volumes that only a plugin has are listed, found and taken by their names", async () => {
  await provide("data");
  await plugin.revive();
  state.run("DELETE FROM volume");
  volumes = await open();
  await volumes.create({ name: "own", owner });
  const { volumes: listed, warnings } = await volumes.list();
  expect(warnings).toEqual([]);
  expect(listed.map(({ name, driver, scope }) => [name, driver, scope])).toEqual([
    ["data", "p", "global"],
    ["own", "local", undefined],
  ]);
  expect(await volumes.inspect("data")).toMatchObject({ driver: "p" });
  const { made } = await volumes.create({ name: "data", owner });
  expect(made).toBe(false);
  expect(volumes.get("data").driver).toBe("p");
  expect(calls()).toEqual(["Create data"]);
});

test("one name has one driver", async () => {
  await volumes.create({ name: "own", owner });
  expect(await outcome(provide("own"))).toThrow(
    "create own: driver 'local' already has volume 'own': volume name must be unique",
  );
  await provide("data");
  expect(await outcome(volumes.create({ name: "data", owner, driver: "local" }))).toThrow(
    "create data: driver 'p' already has volume 'data': volume name must be unique",
  );
  expect((await volumes.create({ name: "data", owner })).made).toBe(false);
});

test.each([
  ["nope", {}, 'create xx: error looking up volume plugin nope: plugin "nope" not found'],
  ["../p", {}, 'create xx: error looking up volume plugin ../p: plugin "../p" not found'],
  ["p", { size: "wrong" }, "create xx: size: not a number"],
])("a volume of %s with %j is refused", async (driver, options, message) => {
  expect(await outcome(volumes.create({ name: "xx", owner, driver, options }))).toThrow(message);
  expect(names()).toEqual([]);
  expect(volumes.find("xx")).toBeUndefined();
});

test.each([
  ["Create hang", "create xx: VolumeDriver.Create: the plugin p did not answer within 0.05 s"],
  [
    "Create garbage",
    "create xx: VolumeDriver.Create: the plugin p answered what is no JSON object",
  ],
  ["Create die", "create xx: VolumeDriver.Create: the plugin p cannot be asked"],
  ["Create refuse", "create xx: VolumeDriver.Create: refused as told"],
  ["Get hang", "create xx: VolumeDriver.Get: the plugin p did not answer within 0.05 s"],
  ['Get {"Volume":{"Name":"y"}}', 'answered with a volume of the name "y"'],
  ["Get []", "what is no JSON object"],
  ["Plugin.Activate hang", "error looking up volume plugin p: Plugin.Activate: the plugin p did"],
  ['Plugin.Activate {"Implements":["NetworkDriver"]}', "does not implement VolumeDriver"],
  ['Plugin.Activate {"Implements":7}', "does not implement VolumeDriver"],
])("a plugin that does %s makes nothing", async (how, message) => {
  await misbehave(how);
  expect(await outcome(provide("xx"))).toThrow(message);
  expect(volumes.find("xx")).toBeUndefined();
  await behaveAgain();
  expect((await provide("xx")).volume.driver).toBe("p");
});

test.each([
  ["Mount hang", "did not answer within 0.05 s"],
  ["Mount die", "cannot be asked"],
  ["Mount {}", "answered with the mountpoint undefined, which is no path"],
  ['Mount {"Mountpoint":"relative"}', 'answered with the mountpoint "relative", which is no path'],
  [
    'Mount {"Mountpoint":"/nonexistent/x"}',
    'answered with the mountpoint "/nonexistent/x", which is no',
  ],
  [
    'Mount {"Mountpoint":"/etc/passwd"}',
    'answered with the mountpoint "/etc/passwd", which is no directory',
  ],
])("a plugin that does %s mounts nothing", async (how, message) => {
  await provide("data");
  await misbehave(how);
  expect(await outcome(volumes.holders.hold("data", "one"))).toThrow(
    `error while mounting volume 'data': VolumeDriver.Mount: the plugin p ${message}`,
  );
  expect(volumes.holders.has("data", "one")).toBe(false);
  await behaveAgain();
  expect(await volumes.holders.hold("data", "one")).toBe(join(plugin.directory, "volumes/data"));
  await volumes.holders.release("data", "one");
  await volumes.remove("data");
});

test("the end of a holder does not fail over a plugin that is away, which is asked again later", async () => {
  await provide("data");
  await volumes.holders.hold("data", "one");
  await plugin.kill();
  await volumes.holders.release("data", "one");
  expect(volumes.holders.has("data", "one")).toBe(false);
  await plugin.revive();
  plugin.calls();
  volumes = await open();
  await volumes.holders.settle();
  await eventually(() => (calls().includes("Unmount data") ? true : undefined), "the unmount");
  // The plugin lets it go now.
  await volumes.remove("data");
});

test("opening waits for no plugin, and holders that are still there keep their mounts", async () => {
  await provide("data");
  await volumes.holders.hold("data", "alive");
  await volumes.holders.hold("data", "lost");
  plugin.calls();
  plugin.behave("Unmount hang");
  volumes = await open();
  volumes.holders.adopt("data", "alive");
  await volumes.holders.settle();
  await eventually(() => (calls().includes("Unmount data") ? true : undefined), "the unmount");
  expect(volumes.pathOf("data")).toBe(join(plugin.directory, "volumes/data"));
});

test("a removal that the plugin refuses leaves the volume; one by force forgets it when the plugin is away", async () => {
  await provide("data");
  plugin.behave("Remove refuse");
  expect(await outcome(volumes.remove("data"))).toThrow(
    "remove data: VolumeDriver.Remove: refused as told",
  );
  expect(await outcome(volumes.remove("data", { force: true }))).toThrow("refused as told");
  expect(names()).toEqual(["data"]);
  await plugin.kill();
  expect(await outcome(volumes.remove("data"))).toThrow("cannot be asked");
  await volumes.remove("data", { force: true });
  expect(names()).toEqual([]);
});

test("a volume that its plugin has lost can be removed, and is not shown", async () => {
  await provide("data");
  rmSync(join(plugin.directory, "volumes.json"));
  expect(await outcome(volumes.inspect("data"))).toThrow("get data: no such volume");
  await volumes.remove("data");
  expect(names()).toEqual([]);
});

test("a list has what it can, and a warning for each plugin that does not answer", async () => {
  await provide("data");
  plugin.behave("List garbage");
  const { volumes: listed, warnings } = await volumes.list();
  expect(listed.map(({ name }) => name)).toEqual(["data"]);
  expect(warnings).toEqual([
    expect.stringContaining("list volumes of p: VolumeDriver.List: the plugin p answered what is"),
  ]);
});

test("a list does not wait for a plugin that hangs", async () => {
  await provide("data");
  const hung = createServer(() => undefined);
  await new Promise<void>((resolve) => hung.listen(join(root, "sockets/hung.sock"), resolve));
  patience.list = 50;
  const { volumes: listed, warnings } = await volumes.list();
  expect(listed.map(({ name }) => name)).toEqual(["data"]);
  expect(warnings).toContainEqual(
    expect.stringContaining("list volumes of hung: error looking up volume plugin hung"),
  );
  hung.closeAllConnections();
  hung.close();
});

test("an empty volume is filled, mounted for that alone; one that is not is left", async () => {
  await provide("data");
  using from = openat2(undefined, import.meta.dir, { flags: O_RDONLY | O_DIRECTORY });
  expect(await volumes.copies.fill("data", from)).toBe(true);
  expect(readdirSync(join(plugin.directory, "volumes/data"))).toEqual(readdirSync(import.meta.dir));
  expect(await volumes.copies.fill("data", from)).toBe(false);
  expect(calls()).toEqual([
    ...["Create data", "Mount data", "Unmount data", "Mount data", "Unmount data"],
  ]);
});

test("a volume that was made for a claimant goes with it; one that the plugin had stays", async () => {
  await provide("theirs");
  state.run("DELETE FROM volume");
  volumes = await open();
  await volumes.create({ name: "theirs", owner, driver: "p" }, "claimant");
  await volumes.create({ name: "new", owner, driver: "p" }, "claimant");
  plugin.calls();
  await volumes.unclaim("claimant");
  expect(calls()).toEqual(["Remove new"]);
  expect(names()).toEqual(["theirs"]);
});

test("what only the driver local can do is refused", async () => {
  await provide("data");
  expect(await outcome(volumes.rename("data", "other", undefined))).toThrow(
    "rename data: it is a volume of the plugin p, which cannot do that",
  );
  expect(await outcome(volumes.copies.clone({ name: "data" }, { name: "copy", owner }))).toThrow(
    "the files of volume data are not here but with the plugin p",
  );
  expect(names()).toEqual(["data"]);
});

test("plugins are found by .spec and .json files, on unix and TCP sockets", async () => {
  const socket = join(root, "sockets/p.sock");
  const proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      const body = await request.text();
      return await fetch(`http://plugin${pathname}`, { unix: socket, method: "POST", body });
    },
  });
  writeFileSync(join(root, "specs/unix.spec"), `unix://${socket}\n`);
  writeFileSync(join(root, "specs/tcp.spec"), `tcp://127.0.0.1:${proxy.port}`);
  mkdirSync(join(root, "specs/nested"));
  writeFileSync(
    join(root, "specs/nested/nested.json"),
    JSON.stringify({ Name: "nested", Addr: `http://127.0.0.1:${proxy.port}` }),
  );
  writeFileSync(join(root, "specs/bad.json"), "{");
  writeFileSync(join(root, "specs/nowhere.spec"), "ftp://x");
  for (const driver of ["unix", "tcp", "nested"])
    expect((await provide(`of-${driver}`, { driver })).volume.driver).toBe(driver);
  for (const driver of ["bad", "nowhere"])
    expect(await outcome(provide("xx", { driver }))).toThrow(
      `error looking up volume plugin ${driver}: cannot understand ${root}/specs/${driver}.`,
    );
  await proxy.stop(true);
});
