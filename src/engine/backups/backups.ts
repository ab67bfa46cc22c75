import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#base";
import type { Parts } from "../parts.ts";
import type { EngineBackups } from "./backup-contract.ts";
import type { BackupParts } from "./with-store.ts";

/** The verbs of backups over the parts of one engine; their code is loaded with the first. */
export function createBackups(parts: BackupParts): EngineBackups {
  return {
    create: async (...args) => (await import("./make-backup.ts")).makeBackup(parts, ...args),
    restore: async (...args) => (await import("./restore-backup.ts")).restoreBackup(parts, ...args),
    async list(place, signal) {
      const { listBackups } = await import("#backup");
      const { withStore } = await import("./with-store.ts");
      return await withStore(parts, { place, writes: false, signal }, (store) =>
        listBackups(store),
      );
    },
    async prune({ volume, place, retention }, signal) {
      const { pruneBackups } = await import("#backup");
      const { checkRetention } = await import("./make-backup.ts");
      const { withStore } = await import("./with-store.ts");
      checkRetention(retention);
      return await withStore(parts, { place, writes: true, signal }, (store) =>
        pruneBackups(store, { volume, retention }),
      );
    },
    async unschedule(volume, text) {
      const { destinationText, parseDestination } = await import("#backup");
      const destination = destinationText(parseDestination(text).destination);
      if (parts.backupTable.unschedule(volume, destination)) return;
      throw new Fault("not_found", `there is no schedule for backups of ${volume} to ${text}`, {
        about: volume,
      });
    },
    schedules: () => parts.backupTable.schedules(),
  };
}

/** Begins to make the backups that are due, and removes what broken-off ones left long ago. */
export function startBackups(parts: BackupParts & Parts<"background">): void {
  parts.backupRuns.start(async (schedule, signal) => {
    const { runSchedule } = await import("./make-backup.ts");
    return await runSchedule(parts, schedule, signal);
  });
  void parts.background.run("removing leftovers of backups", () => removeOld(parts.paths.backups));
}

/** Milliseconds for which the blobs of a broken-off restore are kept for the next attempt. */
const keptMs = 7 * 24 * 3600_000;

async function removeOld(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (Date.now() - (await stat(path)).mtimeMs > keptMs) await rm(path, { recursive: true });
  }
}
