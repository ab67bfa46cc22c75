/**
 * Volumes of a limited size. Few kernels of test machines have quotas; the guest of the vm suite
 * runs this file too.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openState, type State } from "#state";
import { openVolumes, type Volumes } from "#volume";
import { outcome } from "../../src/base/testing.ts";
import { lackOfQuotas, loopDisk } from "../support/loop-disk.ts";

const owner = { uid: 0, gid: 0 };
const options = { size: "4m" };
const limit = 4 << 20;
const directory = mkdtempSync(join(tmpdir(), "tq-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("a size where there are no quotas is refused, and no volume is made", async () => {
  using state = openState(":memory:");
  const volumes = await openVolumes({ state, directory: join("/dev/shm", `tq-${process.pid}`) });
  expect(await outcome(volumes.create({ name: "data", options, owner }))).toThrow(
    /quota size requested but no quota support: the file system of .* \(tmpfs\) has no project quotas/,
  );
  expect(volumes.known()).toEqual([]);
  rmSync(join("/dev/shm", `tq-${process.pid}`), { recursive: true });
});

test.each([
  [{ size: "lots" }, "invalid size: 'lots'"],
  [{ size: "1g", type: "tmpfs", device: "tmpfs" }, "a mount has its own"],
])("%p are refused", async (bad, why) => {
  using state = openState(":memory:");
  const volumes = await openVolumes({ state, directory: join(directory, "bad") });
  expect(await outcome(volumes.create({ name: "data", options: bad, owner }))).toThrow(why);
});

for (const type of ["ext4", "xfs"] as const) {
  const lack = process.getuid?.() === 0 ? lackOfQuotas(type, directory) : "root";
  describe.skipIf(lack !== undefined)(`quotas [needs ${lack ?? "nothing"}]`, () => {
    let disk: ReturnType<typeof loopDisk>;
    let state: State;
    let volumes: Volumes;
    beforeAll(async () => {
      const place = join(directory, type);
      mkdirSync(place);
      disk = loopDisk(type, place, { bytes: 320 << 20, options: ["prjquota"] });
      state = openState(":memory:");
      volumes = await openVolumes({ state, directory: join(disk.path, "volumes") });
    });
    afterAll(async () => {
      await volumes?.drained();
      state?.[Symbol.dispose]();
      disk?.[Symbol.dispose]();
    });

    const write = (path: string, megabytes: number) =>
      writeFileSync(path, Buffer.alloc(megabytes << 20, "x"));
    /** As a user does who has no CAP_SYS_RESOURCE, which ext4 lets pass. */
    const isFull = (path: string) => {
      chmodSync(path, 0o777);
      const user = ["--reuid=1000", "--regid=1000", "--clear-groups"];
      const command = ["dd", "if=/dev/zero", "of=large", "bs=1M", "count=5"];
      const options = { cwd: path, encoding: "utf8" } as const;
      const { status, stderr } = spawnSync("setpriv", [...user, "--", ...command], options);
      rmSync(join(path, "large"), { force: true });
      expect(stderr).toMatch(/No space left|quota exceeded/i);
      expect(status).toBe(1);
    };

    test(`a volume of a limited size on ${type}`, async () => {
      const { path } = (await volumes.create({ name: "data", options, owner })).volume;
      expect(volumes.quota("data")).toMatchObject({ limit });
      write(join(path, "small"), 1);
      isFull(path);
      mkdirSync(join(path, "d"));
      isFull(join(path, "d"));
      const used = () => volumes.quota("data")?.used ?? 0;
      expect(used()).toBeGreaterThanOrEqual(1 << 20);
      // xfs gives the blocks of what was removed back a moment later.
      while (used() >= 2 << 20) await Bun.sleep(10);
      // df in a container shows the limit.
      expect(statfsSync(path).blocks * statfsSync(path).bsize).toBe(limit);
      // Another volume has room of its own, one without a limit all there is.
      const other = (await volumes.create({ name: "other", options, owner })).volume;
      write(join(other.path, "f"), 3);
      const free = (await volumes.create({ name: "free", owner })).volume;
      write(join(free.path, "f"), 10);
      expect(volumes.quota("free")).toBeUndefined();
    });

    test(`its clones, rollbacks and imports on ${type} keep the limit, and snapshots do not count`, async () => {
      const { path } = volumes.get("data");
      const holding = (copy: () => Promise<number>) => copy();
      await volumes.copies.snapshot("data", { tag: "s", holding });
      const snapshot = volumes.copies.snapshots("data")[0]?.path ?? "";
      write(join(path, "small"), 3);
      expect(readFileSync(join(snapshot, "small")).length).toBe(1 << 20);
      await volumes.copies.rollback("data", "s");
      expect(readFileSync(join(path, "small")).length).toBe(1 << 20);
      expect(volumes.quota("data")).toMatchObject({ limit });
      isFull(path);
      await volumes.copies.clone({ name: "data" }, { name: "clone", options, owner });
      isFull(volumes.get("clone").path);
      const make = async (target: string) => isFull(target);
      await volumes.copies.replace({ name: "data", owner }, { replaces: true, make });
      await volumes.rename("data", "renamed", undefined);
      expect(volumes.quota("renamed")).toMatchObject({ limit });
    });
  });
}
