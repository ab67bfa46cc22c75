import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backupCrashPoints } from "#backup";
import { openEngineAt } from "../support/engine.ts";

type Step = (typeof backupCrashPoints)[number];

/** How many backups there are afterwards; a volume that was restored is whole or not there. */
const expectations: Record<Step, readonly [scenario: string, backups: number]> = {
  "backup:pack-stored": ["backup", 1],
  "backup:blobs-stored": ["backup", 1],
  "backup:manifest-stored": ["backup", 2],
  "restore:blobs-fetched": ["restore", 1],
  "restore:unpacked": ["restore", 1],
};

test("every crash step has its test", () => {
  expect(Object.keys(expectations)).toEqual([...backupCrashPoints]);
});

test.each(backupCrashPoints.map((step) => [step, ...expectations[step]] as const))(
  "killed at %s of a %s: %d whole backups",
  async (step, scenario, backups) => {
    const root = mkdtempSync(join(tmpdir(), "tb-"));
    try {
      const victim = join(import.meta.dirname, "backup-victim.ts");
      const child = Bun.spawn([process.execPath, victim, root, scenario, step], {
        stdout: "inherit",
        stderr: "inherit",
      });
      await child.exited;
      expect(child.signalCode).toBe("SIGKILL");

      await using opened = await openEngineAt({
        dataRoot: join(root, "data"),
        runRoot: join(root, "run"),
      });
      const { engine } = opened;
      const { signal } = new AbortController();
      const place = { text: join(root, "backups") };
      expect((await engine.volumes.list({ name: ["^back$"] })).volumes).toEqual([]);
      const found = await engine.backups.list(place, signal);
      expect(found.length).toBe(backups);
      const restore = async (volume: string, tag?: string) => {
        const request = { volume, place, tag, owner: { uid: 0, gid: 0 }, replaces: false };
        await engine.backups.restore(request, () => undefined, signal);
        return engine.volumes.get(volume).path;
      };
      for (const { tag } of found) {
        const path = await restore(tag, tag);
        expect(readFileSync(join(path, "first"), "utf8")).toBe("first");
      }
      await engine.backups.create(
        { volume: "data", place, retention: {} },
        () => undefined,
        signal,
      );
      const path = await restore("back");
      expect(readFileSync(join(path, "second"), "utf8")).toBe("second");
      const pruned = { volume: "data", place, retention: { last: 1 } };
      await engine.backups.prune(pruned, signal);
      expect(readFileSync(join(await restore("again"), "second"), "utf8")).toBe("second");
      for (const each of readdirSync(join(root, "data/backups")))
        expect(readdirSync(join(root, "data/backups", each))).toEqual([]);
      expect(existsSync(join(root, "backups/.lock"))).toBe(true);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
);
