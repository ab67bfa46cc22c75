/** The engine's data root on a disk that is full: a pull, a load and a `run` say so, leave nothing, and go well once there is room. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountAll } from "#kernel";
import { logFiles, logSettled } from "../support/compressed-log.ts";
import { makeImage } from "../support/content-images.ts";
import { isRoot } from "../support/docker-cli.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { freePort } from "../support/free-port.ts";
import { Gate } from "../support/gate.ts";
import { HostileRegistry, plainImage } from "../support/hostile-registry.ts";
import { syslogLines } from "../support/log-protocols.ts";
import { StreamReceiver } from "../support/log-receiver.ts";
import { startRegistry } from "../support/registry-process.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";
import { tarOf } from "../support/tree.ts";

const kib = 1024;

describe.skipIf(!isRoot)("a full disk [needs root]", () => {
  const cli = new ThimbleCli();
  const dataRoot = join(cli.directory, "data");
  const archive = join(cli.directory, "saved.tar");
  let registry: HostileRegistry;
  let disk: AsyncDisposable;
  let holdings: ReturnType<typeof engineHoldings>;
  let name: string;

  beforeAll(async () => {
    mkdirSync(dataRoot);
    disk = await mountAll([{ type: "tmpfs", source: "tmpfs", options: ["size=24m"] }], dataRoot);
    registry = await HostileRegistry.start();
    const layer = (top: string) =>
      tarOf([
        { name: `${top}/large`, content: randomBytes(300 * kib).toString("latin1") },
        ...Array.from({ length: 20 }, (_, n) => ({ name: `${top}/small${n}`, content: "x" })),
      ]);
    registry.image("large", makeImage({ layers: ["a", "b", "c"].map(layer) }));
    registry.image("small", plainImage("small"));
    name = `${registry.host}/large`;
    await cli.ok(["pull", "-q", `${registry.host}/small`]);
    await cli.ok(["pull", "-q", name]);
    await cli.ok(["save", "-o", archive, name]);
    await cli.ok(["rmi", name]);
    holdings = engineHoldings({ dataRoot, runRoot: join(cli.directory, "run") });
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    const { directory } = cli;
    const disposal = cli[Symbol.asyncDispose]();
    // The engine's directory goes last, and the disk in it must be gone by then.
    await disposal.catch(() => undefined);
    await disk[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  const withFree = async <T>(free: number, work: () => Promise<T>): Promise<T> => {
    const filler = join(dataRoot, "filler");
    const { bavail, bsize } = statfsSync(dataRoot);
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - free)));
    try {
      return await work();
    } finally {
      rmSync(filler);
    }
  };

  const works = {
    pull: () => cli.run(["pull", "-q", name]),
    load: () => cli.run(["load", "-q", "-i", archive]),
  };
  test.each(Object.entries(works))("at every point of a %s", async (_, work) => {
    for (const free of [0, 150, 500, 900, 1200, 1500, 1800]) {
      const { status, stdout, stderr } = await withFree(free * kib, async () => {
        const ended = await work();
        // The engine goes on meanwhile.
        expect(await cli.ok(["images", "-q"])).not.toContain("\n");
        return ended;
      });
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toMatch(/no space left on the device.*; make room where the engine keeps/);
      await holdings.settled();
    }
    expect(await work()).toMatchObject({ status: 0, stderr: "" });
    expect(await cli.ok(["system", "fsck"])).toContain("all is well");
    await cli.ok(["rmi", name]);
    await holdings.settled();
  });

  test("at every point of a push that compresses", async () => {
    await using target = await startRegistry([]);
    const image = `${target.host}/plain`;
    const tar = tarOf([{ name: "large", content: randomBytes(400 * kib).toString("base64") }]);
    await cli.ok(["import", "-", image], { input: tar });
    await cli.ok(["tag", image, `${target.host}/other`]);
    for (const free of [0, 100, 300]) {
      const { status, stderr } = await withFree(free * kib, () => cli.run(["push", "-q", image]));
      expect(status).toBe(1);
      expect(stderr).toContain("no space left on the device");
      expect(await cli.ok(["system", "fsck"])).toContain("all is well");
    }
    for (const each of [image, `${target.host}/other`]) await cli.ok(["push", "-q", each]);
    await cli.ok(["rmi", "-f", image, `${target.host}/other`]);
    await cli.ok(["pull", "-q", image]);
    await cli.ok(["rmi", image]);
    await holdings.settled();
  });

  test("rotated logs stay plain until there is room, and no line is lost", async () => {
    const options = ["max-size=8k", "max-file=100", "compress=true"];
    const flags = options.flatMap((each) => ["--log-opt", each]);
    await cli.importBusybox("busybox");
    using gate = new Gate();
    flags.push("-v", gate.bind);
    const script = `${Gate.wait}; seq 1 3000`;
    await cli.ok(["run", "-d", "--name", "writer", ...flags, "busybox", "sh", "-c", script]);
    const id = await cli.ok(["inspect", "-f", "{{.Id}}", "writer"]);
    // Without an engine nothing is compressed.
    await cli.stopEngine();
    gate.open();
    const ended = join(cli.directory, "run/containers", id.slice(0, 32), "exit");
    while (!existsSync(ended)) await Bun.sleep(20);
    expect(logFiles(dataRoot, id)).toContain(".20");
    const numbers = Array.from({ length: 3000 }, (_, n) => `${n + 1}`).join("\n");
    await withFree(0, async () => {
      expect(await cli.ok(["wait", "writer"])).toBe("0");
      expect(await cli.ok(["logs", "writer"])).toBe(numbers);
      expect(logFiles(dataRoot, id).filter((each) => each.endsWith(".gz"))).toEqual([]);
    });
    await cli.stopEngine();
    expect(await cli.ok(["logs", "writer"])).toBe(numbers);
    await logSettled(dataRoot, id);
    expect(await cli.ok(["logs", "writer"])).toBe(numbers);
    await cli.ok(["rm", "writer"]);
    await cli.ok(["rmi", "busybox"]);
    await holdings.settled();
  });

  test("a log is shipped while nothing can be written", async () => {
    await cli.importBusybox("busybox");
    const port = await freePort();
    const flags = ["--log-driver", "syslog", "--log-opt", `syslog-address=tcp://127.0.0.1:${port}`];
    await cli.ok(["run", "-d", "--name", "shipped", ...flags, "busybox", "seq", "500"]);
    expect(await cli.ok(["wait", "shipped"])).toBe("0");
    await cli.stopEngine();
    await using receiver = await StreamReceiver.open({ at: port });
    await withFree(0, async () => {
      await cli.ok(["ps"]);
      await receiver.until(() => receiver.connections.at(-1)?.includes("]: 500\n") === true);
    });
    const numbers = Array.from({ length: 500 }, (_, n) => `${n + 1}`);
    expect(syslogLines(receiver.connections[0] ?? Buffer.alloc(0))).toEqual(numbers);
    await cli.ok(["rm", "shipped"]);
    await cli.ok(["rmi", "busybox"]);
    await holdings.settled();
  });

  test("containers are stopped, killed and removed while nothing can be written", async () => {
    await cli.importBusybox("busybox");
    const policy = ["--network", "none", "--restart", "always"];
    const start = (each: string, ...command: string[]) =>
      cli.ok(["run", "-d", "--name", each, ...policy, "busybox", ...command]);
    for (const each of ["stopped", "killed", "paused"]) await start(each, "sleep", "1000");
    await start("failing", "false");
    await cli.ok(["pause", "paused"]);
    const state = (each: string) => cli.ok(["inspect", "-f", "{{.State.Status}}", each]);
    while ((await state("failing")) !== "restarting") await Bun.sleep(5);
    await withFree(0, async () => {
      await cli.ok(["stop", "-t", "0", "stopped"]);
      await cli.ok(["kill", "killed"]);
      await cli.ok(["stop", "failing"]);
      for (const each of ["stopped", "killed", "failing"]) expect(await state(each)).toBe("exited");
      await cli.ok(["unpause", "paused"]);
      expect(await state("paused")).toBe("running");
    });
    await cli.ok(["rm", "-f", "stopped", "killed", "paused", "failing"]);
    await cli.ok(["rmi", "busybox"]);
    await holdings.settled();
  });

  test("run says it with Docker's status for a start that failed", async () => {
    const { status, stderr } = await withFree(0, () => cli.run(["run", "--rm", name, "/a"]));
    expect(status).toBe(125);
    expect(stderr).toContain("no space left on the device");
    await holdings.settled();
  });
});
