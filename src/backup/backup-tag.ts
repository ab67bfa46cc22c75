import { Fault } from "#base";

/** A backup by its tag: "VOLUME-20260102T030405Z". */
export interface BackupTag {
  readonly tag: string;
  readonly volume: string;
  /** When it was made; in seconds. */
  readonly time: Date;
}

const pattern = /^(.+)-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
/** The most that a registry takes (distribution-spec, "Pulling manifests"). */
const maxTag = 128;

/** The tag of a backup; `invalid` for a volume whose name is too long for one. */
export function backupTag(volume: string, time: Date): string {
  const stamp = time.toISOString().replace(/[-:]|\.\d+/g, "");
  const tag = `${volume}-${stamp}`;
  if (tag.length <= maxTag) return tag;
  throw new Fault(
    "invalid",
    `the name ${volume} is too long for a backup: ${maxTag - stamp.length - 1} characters at most`,
    { about: volume },
  );
}

/** The volume and time in a tag; undefined when it is another. */
export function parseBackupTag(tag: string): BackupTag | undefined {
  const [, volume, year, month, day, hour, minute, second] = pattern.exec(tag) ?? [];
  if (volume === undefined) return undefined;
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time.getTime()) ? undefined : { tag, volume, time };
}

/** What is kept of a volume's backups; absent: nothing for that reason. */
export interface Retention {
  /** The newest ones. */
  readonly last?: number | undefined;
  /** The newest of each of that many days (UTC) that have one. */
  readonly daily?: number | undefined;
}

/** The backups that go: those of none of the reasons to stay. Without any reason none go. */
export function expired(
  backups: readonly BackupTag[],
  { last, daily }: Retention,
): readonly BackupTag[] {
  if (last === undefined && daily === undefined) return [];
  const newest = backups.toSorted((a, b) => b.time.getTime() - a.time.getTime());
  const days = new Map<string, BackupTag>();
  for (const backup of newest) {
    const day = backup.time.toISOString().slice(0, 10);
    if (!days.has(day)) days.set(day, backup);
  }
  const kept = new Set([...newest.slice(0, last ?? 0), ...[...days.values()].slice(0, daily ?? 0)]);
  return newest.filter((backup) => !kept.has(backup));
}
