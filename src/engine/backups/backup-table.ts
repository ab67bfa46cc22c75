import type { BackupKey } from "#chunk";
import type { State } from "#state";
import type { BackupPlace, BackupSchedule, Retention } from "./backup-contract.ts";

const steps = [
  `CREATE TABLE backup_key (
    destination TEXT NOT NULL,
    holders TEXT NOT NULL,
    identity TEXT NOT NULL,
    recipient TEXT NOT NULL,
    file BLOB NOT NULL,
    PRIMARY KEY (destination, holders)
  ) STRICT;
  CREATE TABLE backup_schedule (
    volume TEXT NOT NULL,
    destination TEXT NOT NULL,
    every INTEGER NOT NULL,
    retention TEXT NOT NULL,
    access TEXT NOT NULL,
    holders TEXT,
    last INTEGER,
    tag TEXT,
    error TEXT,
    next INTEGER NOT NULL,
    PRIMARY KEY (volume, destination)
  ) STRICT`,
  "ALTER TABLE backup_schedule ADD COLUMN snapshot INTEGER NOT NULL DEFAULT 0",
];

/** A key with the age file that holds it. */
export interface StoredKey {
  readonly key: BackupKey;
  readonly file: Uint8Array;
}

/** A schedule with what a run of it needs. */
export interface StoredSchedule extends BackupSchedule {
  readonly access: Omit<BackupPlace, "text">;
  /** Names the key. */
  readonly holders: string | undefined;
}

interface ScheduleRow {
  readonly volume: string;
  readonly destination: string;
  readonly every: number;
  readonly retention: string;
  readonly access: string;
  readonly holders: string | null;
  readonly last: number | null;
  readonly tag: string | null;
  readonly error: string | null;
  readonly next: number;
  readonly snapshot: number;
}

interface KeyRow {
  readonly identity: string;
  readonly recipient: string;
  readonly file: Uint8Array;
}

/** Schedules of backups and the keys of encrypted ones, in the engine's database. */
export class BackupTable {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("backup", steps);
  }

  /** All, by volume and destination. */
  schedules(): readonly StoredSchedule[] {
    return this.#state
      .query<ScheduleRow>("SELECT * FROM backup_schedule ORDER BY volume, destination")
      .map(scheduleOf);
  }

  /** Adds a schedule, or gives the one of the volume and destination other settings. */
  schedule(
    schedule: Pick<
      StoredSchedule,
      | "volume"
      | "destination"
      | "every"
      | "retention"
      | "access"
      | "holders"
      | "fromSnapshot"
      | "next"
    >,
  ): void {
    const { volume, destination, every, retention, access, holders, next } = schedule;
    this.#state.durably(() =>
      this.#state.run(
        `INSERT INTO backup_schedule
          (volume, destination, every, retention, access, holders, next, snapshot)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET every = excluded.every, retention = excluded.retention,
          access = excluded.access, holders = excluded.holders, next = excluded.next,
          snapshot = excluded.snapshot`,
        volume,
        destination,
        every,
        JSON.stringify(retention),
        JSON.stringify(access),
        holders ?? null,
        next,
        schedule.fromSnapshot ? 1 : 0,
      ),
    );
  }

  /** A run has begun, and the next one is due then: a crash does not repeat it at once. */
  began(volume: string, destination: string, times: { last: number; next: number }): void {
    this.#state.run(
      "UPDATE backup_schedule SET last = ?, next = ? WHERE volume = ? AND destination = ?",
      ...[times.last, times.next, volume, destination],
    );
  }

  /** How a run ended. */
  ended(
    volume: string,
    destination: string,
    outcome: { readonly tag: string } | { readonly error: string },
  ): void {
    const [tag, error] = "tag" in outcome ? [outcome.tag, null] : [null, outcome.error];
    this.#state.run(
      `UPDATE backup_schedule SET tag = coalesce(?, tag), error = ?
        WHERE volume = ? AND destination = ?`,
      ...[tag, error, volume, destination],
    );
  }

  /** Whether there was one. */
  unschedule(volume: string, destination: string): boolean {
    return this.#state.durably(
      () =>
        this.#state.run(
          "DELETE FROM backup_schedule WHERE volume = ? AND destination = ?",
          volume,
          destination,
        ) > 0,
    );
  }

  /** The schedules of a volume that is no more. */
  forget(volume: string): void {
    this.#state.run("DELETE FROM backup_schedule WHERE volume = ?", volume);
  }

  /** They go with the volume. */
  rename(volume: string, to: string): void {
    this.#state.run("UPDATE backup_schedule SET volume = ? WHERE volume = ?", to, volume);
  }

  /** The key of backups at a place for its holders. */
  key(destination: string, holders: string): StoredKey | undefined {
    return this.#keyWhere("destination = ? AND holders = ?", destination, holders);
  }

  /** The key that a file holds. */
  keyIn(file: Uint8Array): StoredKey | undefined {
    return this.#keyWhere("file = ?", file);
  }

  /** Keeps a key, in place of one for the same holders. */
  keepKey(destination: string, holders: string, { key, file }: StoredKey): void {
    this.#state.durably(() =>
      this.#state.run(
        "INSERT OR REPLACE INTO backup_key VALUES (?, ?, ?, ?, ?)",
        destination,
        holders,
        key.identity,
        key.recipient,
        file,
      ),
    );
  }

  #keyWhere(condition: string, ...values: readonly (string | Uint8Array)[]): StoredKey | undefined {
    const row = this.#state.first<KeyRow>(`SELECT * FROM backup_key WHERE ${condition}`, ...values);
    if (!row) return undefined;
    const { identity, recipient, file } = row;
    return { key: { identity, recipient }, file };
  }
}

function scheduleOf(row: ScheduleRow): StoredSchedule {
  const { volume, destination, every, next } = row;
  return {
    volume,
    destination,
    every,
    next,
    retention: JSON.parse(row.retention) as Retention,
    access: JSON.parse(row.access) as StoredSchedule["access"],
    holders: row.holders ?? undefined,
    encrypted: row.holders !== null,
    fromSnapshot: row.snapshot === 1,
    last: row.last ?? undefined,
    tag: row.tag ?? undefined,
    error: row.error ?? undefined,
  };
}
