/** The engine's data root on a disk that is full: a pull, a load and a `run` say so, leave nothing, and go well once there is room. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountAll } from "#kernel";
import { makeImage } from "../support/content-images.ts";
import { isRoot } from "../support/docker-cli.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { HostileRegistry, plainImage } from "../support/hostile-registry.ts";
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

  test("run says it with Docker's status for a start that failed", async () => {
    const { status, stderr } = await withFree(0, () => cli.run(["run", "--rm", name, "/a"]));
    expect(status).toBe(125);
    expect(stderr).toContain("no space left on the device");
    await holdings.settled();
  });
});
