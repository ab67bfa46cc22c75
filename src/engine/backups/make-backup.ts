import {
  type BackupStore,
  backupTag,
  createBackup,
  type Destination,
  destinationText,
  listBackups,
  parseDestination,
  pruneBackups,
} from "#backup";
import { Fault } from "#base";
import type { VolumeSource } from "#volume";
import { publishVolume } from "../volumes/volume-event.ts";
import { parseSource } from "../volumes/volume-snapshots.ts";
import type {
  BackupPlace,
  BackupReport,
  BackupRequest,
  MadeBackup,
  Retention,
} from "./backup-contract.ts";
import { keyNameFor } from "./backup-keys.ts";
import { openSource } from "./backup-source.ts";
import type { StoredSchedule } from "./backup-table.ts";
import { type BackupParts, named, withStore, workDirectory } from "./with-store.ts";

const nanoseconds = 1_000_000n;
/** Seconds: a schedule that is more frequent would never end. */
const shortestEvery = 60;

/** `invalid` for counts that are none. */
export function checkRetention(retention: Retention): Retention {
  for (const [name, count] of Object.entries(retention))
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 1))
      throw new Fault("invalid", `--keep-${name} ${count}: a number from 1 on is expected`);
  return retention;
}

/** As `EngineBackups.create`. */
export async function makeBackup(
  parts: BackupParts,
  { volume: text, place, tag, holders, retention, every, fromSnapshot = false }: BackupRequest,
  report: BackupReport,
  signal: AbortSignal,
): Promise<MadeBackup> {
  checkRetention(retention);
  if (every !== undefined && !(Number.isSafeInteger(every) && every >= shortestEvery))
    throw new Fault("invalid", `--every ${every}s: one minute is the shortest`);
  const source = parseSource(text);
  const { name: volume } = source;
  if (source.snapshot !== undefined && every !== undefined)
    throw new Fault("invalid", `${text} does not change: a schedule is for a volume`, {
      about: text,
    });
  const parsed = parseDestination(place.text);
  refuseInside(parts.volumes.get(volume).path, parsed.destination);
  if (parsed.tag !== undefined && tag === undefined)
    throw new Fault(
      "invalid",
      `${place.text} has a tag, and backups make their own; leave it out, or use: volume push`,
      { about: place.text },
    );
  const destination = destinationText(parsed.destination);
  const keyName = holders && (await keyNameFor(parts, destination, holders));
  const now = millisecondsOf(parts);
  const made = await runBackup(
    parts,
    { source, place, tag: tag ?? parsed.tag, keyName, retention, fromSnapshot },
    report,
    signal,
  );
  if (every !== undefined) {
    const { text: _, ...access } = place;
    const schedule = { volume, destination, every, retention, access, fromSnapshot };
    parts.backupTable.schedule({ ...schedule, holders: keyName, next: now + every * 1000 });
    parts.backupTable.began(volume, destination, { last: now, next: now + every * 1000 });
    parts.backupTable.ended(volume, destination, { tag: made.tag });
    parts.backupRuns.wake();
  }
  return made;
}

function refuseInside(volume: string, destination: Destination): void {
  if (destination.kind !== "directory" || !`${destination.path}/`.startsWith(`${volume}/`)) return;
  throw new Fault("invalid", `${destination.path} is in the volume itself`, {
    about: destination.path,
  });
}

/** Makes the backup of a schedule that is due. */
export async function runSchedule(
  parts: BackupParts,
  { volume, destination, access, holders, retention, fromSnapshot }: StoredSchedule,
  signal: AbortSignal,
): Promise<MadeBackup> {
  const place = { text: destination, ...access };
  const source = { name: volume };
  const run = { source, place, tag: undefined, keyName: holders, retention, fromSnapshot };
  return await runBackup(parts, run, () => undefined, signal);
}

interface Run {
  readonly source: VolumeSource;
  readonly fromSnapshot: boolean;
  readonly place: BackupPlace;
  readonly tag: string | undefined;
  readonly keyName: string | undefined;
  readonly retention: Retention;
}

async function runBackup(
  parts: BackupParts,
  { source, place, tag: asked, keyName, retention, fromSnapshot }: Run,
  report: BackupReport,
  signal: AbortSignal,
): Promise<MadeBackup> {
  const destination = destinationText(parseDestination(place.text).destination);
  const { name: volume } = source;
  try {
    const made = await withStore(parts, { place, writes: true, signal }, async (store) => {
      const { labels } = parts.volumes.get(volume);
      const { tag, created } = await freeTag(parts, store, { volume, asked });
      const key = keyName === undefined ? undefined : parts.backupTable.key(destination, keyName);
      const options = { fromSnapshot, destination, signal };
      await using opened = await openSource(parts, source, options);
      const result = await createBackup(store, {
        ...{ volume, labels, directory: opened.path, tag, created, key, signal },
        work: workDirectory(parts, `${destination}\n${volume}`),
        onProgress: ({ read, sent }) => {
          report({ step: "reading", current: read });
          report({ step: "sending", current: sent });
        },
      });
      const isPruned = retention.last !== undefined || retention.daily !== undefined;
      const pruned = isPruned && (await pruneBackups(store, { volume, retention }));
      return { ...result, removed: pruned ? pruned.removed : [], warnings: opened.warnings };
    });
    publishVolume(parts, "backup", volume, { destination, tag: made.tag });
    return made;
  } catch (error) {
    const fault = named(error, `cannot back up ${volume} to ${destination}`);
    if (fault.code !== "canceled")
      publishVolume(parts, "backup-failed", volume, { destination, error: fault.message });
    throw fault;
  }
}

/** A tag of a second in which there is no backup yet. */
async function freeTag(
  parts: BackupParts,
  store: BackupStore,
  { volume, asked }: { readonly volume: string; readonly asked: string | undefined },
): Promise<{ readonly tag: string; readonly created: Date }> {
  const now = millisecondsOf(parts);
  if (asked !== undefined) return { tag: asked, created: new Date(now) };
  const taken = new Set((await listBackups(store, volume)).map(({ tag }) => tag));
  for (let time = now; ; time += 1000) {
    const created = new Date(time);
    const tag = backupTag(volume, created);
    if (!taken.has(tag)) return { tag, created };
  }
}

function millisecondsOf({ clock }: BackupParts): number {
  return Number(clock.now() / nanoseconds);
}
