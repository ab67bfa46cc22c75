/**
 * Containers whose own files have a limit (--storage-opt size). Few kernels of test machines have
 * quotas; the guest of the vm suite runs this file too.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directoryLimit } from "#kernel";
import { outcome } from "../../src/base/testing.ts";
import { createRequest } from "../support/create-request.ts";
import { importBusybox, type OpenedEngine, openEngineAt } from "../support/engine.ts";
import { lackOfQuotas, loopDisk } from "../support/loop-disk.ts";
import { runContainer } from "../support/run-container.ts";

const isRoot = process.getuid?.() === 0;
const directory = mkdtempSync(join(tmpdir(), "tcq-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function openOn(place: string): Promise<OpenedEngine> {
  const opened = await openEngineAt({ dataRoot: join(place, "data"), runRoot: join(place, "run") });
  await importBusybox(opened.engine);
  return opened;
}

/** A test where there are none is cheap in memory. */
describe.skipIf(!isRoot)("without quotas [needs root]", () => {
  test("a limit is refused in Docker's words and with the reason, and no container is made", async () => {
    const place = mkdtempSync("/dev/shm/tcq-");
    const opened = await openOn(place);
    const create = (StorageOpt: Record<string, string>) =>
      outcome(
        opened.engine.containers.create(
          createRequest("busybox", ["true"], { host: { StorageOpt } }),
        ),
      );
    expect(await create({ size: "1g" })).toThrow(
      /--storage-opt is supported only for overlay over xfs with 'pquota' mount option: the file system of .* \(tmpfs\) has no project quotas/,
    );
    expect(await create({ nosuch: "1" })).toThrow("Unknown option nosuch");
    expect(opened.engine.containers.list({ all: true, filters: {} })).toEqual([]);
    await opened[Symbol.asyncDispose]();
    rmSync(place, { recursive: true });
  });
});

for (const type of ["ext4", "xfs"] as const) {
  const lack = isRoot ? lackOfQuotas(type, directory) : "root";
  describe.skipIf(lack !== undefined)(`quotas [needs ${lack ?? "nothing"}]`, () => {
    let disk: ReturnType<typeof loopDisk>;
    let opened: OpenedEngine;
    beforeAll(async () => {
      const place = join(directory, type);
      mkdirSync(place);
      disk = loopDisk(type, place, { bytes: 320 << 20, options: ["prjquota"] });
      opened = await openOn(disk.path);
    });
    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]();
      disk?.[Symbol.dispose]();
    });
    const host = { StorageOpt: { size: "4m" } };
    const write = (megabytes: number) => `dd if=/dev/zero of=/large bs=1M count=${megabytes}`;
    const snapshots = () => join(disk.path, "data/snapshots");
    const limits = () =>
      readdirSync(snapshots()).flatMap((name) => directoryLimit(join(snapshots(), name)) ?? []);

    test(`a container of a limited size on ${type}`, async () => {
      const { containers } = opened.engine;
      const run = (script: string, change: object = { host }) =>
        runContainer(opened.engine, ["sh", "-c", script], change);
      const { id, exitCode, stdout } = await run(
        `echo more >> /etc/passwd; ${write(1)} && df -k /`,
      );
      expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^overlay +4096 /m)]);
      expect(limits()).toEqual([{ limit: 4 << 20, used: expect.any(Number) }]);
      const full = await run(write(5));
      expect([full.exitCode, full.stderr]).toEqual([
        1,
        expect.stringMatching(/No space left|quota exceeded/i),
      ]);
      expect((await run(write(10), {})).exitCode).toBe(0);
      // It holds in the next run as well, and for what is copied in.
      const { result } = await containers.wait(id, "next-exit");
      await containers.start(id);
      expect((await result).exitCode).toBe(0);
      for (const each of containers.list({ all: true, filters: {} }))
        await containers.remove(each.id, { force: true, volumes: false });
      expect(limits()).toEqual([]);
      const bad = createRequest("busybox", ["true"], { host: { StorageOpt: { size: "lots" } } });
      expect(await outcome(containers.create(bad))).toThrow("invalid size: 'lots'");
    });
  });
}
