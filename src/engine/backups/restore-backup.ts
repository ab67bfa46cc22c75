import {
  type BackupStore,
  destinationText,
  fetchBackup,
  listBackups,
  parseDestination,
  readBackup,
} from "#backup";
import { Fault } from "#base";
import { publishVolume } from "../volumes/volume-event.ts";
import type { BackupReport, RestoredVolume, RestoreRequest } from "./backup-contract.ts";
import { openKeyOf } from "./backup-keys.ts";
import { type BackupParts, named, withStore, workDirectory } from "./with-store.ts";

/** As `EngineBackups.restore`. */
export async function restoreBackup(
  parts: BackupParts,
  { volume: name, owner, place, tag: asked, replaces, opener }: RestoreRequest,
  report: BackupReport,
  signal: AbortSignal,
): Promise<RestoredVolume> {
  const { destination, tag: written } = parseDestination(place.text);
  const from = destinationText(destination);
  try {
    const restored = await withStore(parts, { place, writes: false, signal }, async (store) => {
      const tag = asked ?? written ?? (await newest(store, from));
      const backup = await readBackup(store, tag);
      let received = 0;
      let entries = 0;
      const make = async (directory: string) => {
        const fetched = await fetchBackup(store, backup, {
          target: directory,
          work: workDirectory(parts, "fetched"),
          openKey: (file) => openKeyOf(parts, file, opener),
          onProgress: (progress) => {
            const { received: current, total } = progress;
            report({ step: "fetching", current, total });
            if (progress.unpacked > 0)
              report({ step: "unpacking", current: progress.unpacked, total: progress.size });
          },
          signal,
        });
        ({ received, entries } = fetched);
      };
      const { volume, made } = await parts.volumes.copies.replace(
        { name, owner, labels: backup.config.labels },
        { replaces, make },
      );
      if (made) publishVolume(parts, "create", name);
      return { volume, tag, received, entries };
    });
    publishVolume(parts, "restore", name, { source: from, tag: restored.tag });
    return restored;
  } catch (error) {
    throw named(error, `cannot restore ${name} from ${from}`);
  }
}

/** The newest backup of a place that has those of one volume. */
async function newest(store: BackupStore, from: string): Promise<string> {
  const backups = await listBackups(store);
  const volumes = [...new Set(backups.map(({ volume }) => volume))];
  const [first] = backups;
  if (first && volumes.length === 1) return first.tag;
  if (!first) throw new Fault("not_found", "there are no backups", { about: from });
  throw new Fault(
    "invalid",
    `there are backups of ${volumes.sort().join(", ")}; choose one with --backup (see: volume backups ${from})`,
    { about: from },
  );
}
