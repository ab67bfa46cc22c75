/**
 * Volumes of a plugin, by the real docker CLI.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { type PluginProcess, startPlugin } from "../support/volume-plugin.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("volumes of plugins [needs docker CLI]", () => {
  const driver = `conf-plugin-${process.pid}`;
  let target: DockerTarget;
  let plugin: PluginProcess;
  beforeAll(async () => {
    target = await openDockerTarget();
    // The reference has a root of its own, around the directory of its socket.
    const root = target.ours ? "" : target.socket.replace(/\/run\/.*$/, "");
    const places = `${root}/run/docker/plugins`;
    mkdirSync(places, { recursive: true });
    plugin = await startPlugin(join(places, `${driver}.sock`), join(target.shared, "plugin"));
  });
  afterAll(async () => {
    if (!target) return;
    const containers = await target.ok(["ps", "-aq", "-f", `name=conf-${process.pid}-`]);
    if (containers !== "") await target.ok(["rm", "-fv", ...containers.split("\n")]);
    const volumes = await target.ok(["volume", "ls", "-q", "-f", `driver=${driver}`]);
    if (volumes !== "") await target.ok(["volume", "rm", ...volumes.split("\n")]);
    await plugin[Symbol.asyncDispose]();
    await target[Symbol.asyncDispose]();
  });
  const made: string[] = [];
  const create = async (...flags: string[]) => {
    const name = `conf-plugged-${process.pid}-${made.length}`;
    made.push(name);
    expect(await target.ok(["volume", "create", "-d", driver, ...flags, name])).toBe(name);
    return name;
  };
  const calls = () => plugin.calls().map(({ method }) => method);
  const refusal = async (...args: string[]) => {
    const { status, stderr } = await target.docker(args);
    expect(status).not.toBe(0);
    return stderr.trim();
  };

  test("create, inspect, ls, rm", async () => {
    const name = await create("-o", "size=5", "--label", "a=b");
    const [shown] = JSON.parse(await target.ok(["volume", "inspect", name]));
    expect(shown).toMatchObject({
      ...{ Name: name, Driver: driver, Scope: "global", Labels: { a: "b" } },
      ...{ Mountpoint: "", Options: { size: "5" }, Status: { Mounts: 0, size: "5" } },
      CreatedAt: "2024-05-06T07:08:09Z",
    });
    expect(await target.ok(["volume", "ls", "-q", "-f", `driver=${driver}`])).toBe(name);
    expect(await target.ok(["volume", "rm", name])).toBe(name);
    expect(await target.ok(["volume", "ls", "-q", "-f", `driver=${driver}`])).toBe("");
    expect(calls()).toEqual(["Create", "Remove"]);
    expect(await refusal("volume", "inspect", name)).toContain(`get ${name}: no such volume`);
  });

  test("a container has the volume while it runs", async () => {
    const name = await create();
    const run = (script: string) =>
      target.ok(["run", "--rm", "-v", `${name}:/data`, image, "sh", "-c", script]);
    await run("echo kept > /data/f");
    expect(await run("cat /data/f")).toBe("kept");
    const container = target.name();
    await target.ok(["run", "-d", "--name", container, "-v", `${name}:/x`, image, "sleep", "1000"]);
    const mounts = JSON.parse(await target.ok(["inspect", "-f", "{{json .Mounts}}", container]));
    expect(mounts).toMatchObject([
      {
        ...{ Type: "volume", Name: name, Driver: driver, Destination: "/x" },
        Mode: "",
        // Where the files are, which dockerd does not say.
        Source: target.ours ? join(plugin.directory, "volumes", name) : "",
      },
    ]);
    expect(await refusal("volume", "rm", name)).toContain(`remove ${name}: volume is in use - [`);
    await target.ok(["rm", "-f", container]);
    expect(calls().filter((call) => call !== "Create")).toEqual([
      ...["Mount", "Unmount", "Mount", "Unmount", "Mount", "Unmount"],
    ]);
    await target.ok(["volume", "rm", name]);
  });

  test("a container makes the volume that it names", async () => {
    const name = `conf-plugged-${process.pid}-run`;
    await target.ok([
      ...["run", "--rm", "--mount", `src=${name},dst=/x,volume-driver=${driver},volume-opt=size=7`],
      ...[image, "true"],
    ]);
    const format = "{{.Driver}} {{json .Options}}";
    expect(await target.ok(["volume", "inspect", "-f", format, name])).toBe(
      `${driver} {"size":"7"}`,
    );
    await target.ok(["run", "--rm", "--volume-driver", driver, "-v", `${name}2:/x`, image, "true"]);
    expect(await target.ok(["volume", "inspect", "-f", "{{.Driver}}", `${name}2`])).toBe(driver);
    await target.ok(["volume", "rm", name, `${name}2`]);
  });

  test("what a plugin refuses is told", async () => {
    expect(await refusal("volume", "create", "-d", driver, "-o", "size=wrong", "bad-one")).toBe(
      "Error response from daemon: create bad-one: size: not a number",
    );
    plugin.behave("Create refuse");
    expect(await refusal("volume", "create", "-d", driver, "bad-one")).toBe(
      "Error response from daemon: create bad-one: VolumeDriver.Create: refused as told",
    );
    plugin.behave(undefined);
    expect(await refusal("volume", "create", "-d", "nope", "bad-one")).toContain(
      'create bad-one: error looking up volume plugin nope: plugin "nope" not found',
    );
    const name = await create();
    expect(await refusal("volume", "create", "-d", "local", name)).toContain(
      `create ${name}: driver '${driver}' already has volume '${name}': volume name must be unique`,
    );
    plugin.behave("Mount refuse");
    const { status, stderr } = await target.docker([
      ...["run", "--rm", "-v", `${name}:/x`, image, "true"],
    ]);
    plugin.behave(undefined);
    expect(status).not.toBe(0);
    expect(stderr).toContain("VolumeDriver.Mount: refused as told");
    await target.ok(["volume", "rm", name]);
  });
});
