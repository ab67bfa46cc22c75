/** An engine that dies in the middle of a squash leaves the image as it was, and nothing else. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { squashCrashPoints } from "#rootfs";
import { directory, file, layeredArchive } from "../support/layered-image.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;

const archive = layeredArchive({
  name: "web:1",
  layers: [[directory("etc"), file("etc/a", 1000)], [file("etc/a", 1200)], [file("etc/b", 10)]],
});

const expectations: Record<(typeof squashCrashPoints)[number], "web:1"> = {
  "squash:merged": "web:1",
  "squash:packed": "web:1",
};

function enginePid(cli: ThimbleCli): number {
  return Number(readFileSync(join(cli.directory, "run/engine.pid"), "utf8"));
}

/** A process that dies closes one connection after another; the listening one may be the last. */
async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await Bun.sleep(5);
}

describe.skipIf(!isRoot)("squash [needs root]", () => {
  test("every crash step has its test", () => {
    expect(Object.keys(expectations)).toEqual([...squashCrashPoints]);
  });

  test.each([...squashCrashPoints])("killed at %s", async (step) => {
    await using cli = new ThimbleCli();
    await cli.ok(["load"], { input: archive });
    const blobs = join(cli.directory, "data/content/blobs/sha256");
    const before = readdirSync(blobs).sort();
    const first = enginePid(cli);
    process.kill(first, "SIGTERM");
    await gone(first);
    const squash = ["squash", "-q", "-t", "web:small", "web:1"];
    const died = await cli.run(squash, { env: { THIMBLE_CRASH_AT: step } });
    expect(died.status).not.toBe(0);
    await gone(enginePid(cli));
    const names = ["images", "--format", "{{.Repository}}:{{.Tag}}"];
    expect(await cli.ok(names)).toBe(expectations[step]);
    expect(readdirSync(blobs).sort()).toEqual(before);
    const work = join(cli.directory, "data/work");
    expect(existsSync(work) ? readdirSync(work) : []).toEqual([]);
    expect(await cli.ok(squash)).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});
