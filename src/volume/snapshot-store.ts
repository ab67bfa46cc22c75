import type { State } from "#state";

/** The row of a snapshot; its directory is in that of its volume, under its tag. */
export interface StoredSnapshot {
  /** Names the directory that a removal sets aside. */
  readonly id: string;
  readonly volumeId: string;
  readonly tag: string;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
}

const steps = [
  `CREATE TABLE volume_snapshot (
     id TEXT PRIMARY KEY,
     volume_id TEXT NOT NULL REFERENCES volume (id) ON DELETE CASCADE,
     tag TEXT NOT NULL,
     created_at TEXT NOT NULL,
     pending INTEGER NOT NULL DEFAULT 1,
     UNIQUE (volume_id, tag)
   ) STRICT`,
];

interface Row {
  readonly id: string;
  readonly volume_id: string;
  readonly tag: string;
  readonly created_at: string;
}

/** The snapshots of volumes in the database; those that are being made are pending. */
export class SnapshotStore {
  readonly #state: State;

  /** To be made after the table of volumes. */
  constructor(state: State) {
    this.#state = state;
    state.migrate("volume-snapshot", steps);
  }

  /** The oldest first; without those that are pending. */
  of(volumeId: string): StoredSnapshot[] {
    return this.#state
      .query<Row>(
        "SELECT * FROM volume_snapshot WHERE volume_id = ? AND pending = 0 ORDER BY rowid",
        volumeId,
      )
      .map(decode);
  }

  pending(): StoredSnapshot[] {
    return this.#state.query<Row>("SELECT * FROM volume_snapshot WHERE pending = 1").map(decode);
  }

  /** Also one that is pending. */
  find(volumeId: string, tag: string): StoredSnapshot | undefined {
    return this.#first("volume_id = ? AND tag = ?", volumeId, tag);
  }

  byId(id: string): StoredSnapshot | undefined {
    return this.#first("id = ?", id);
  }

  #first(condition: string, ...values: readonly string[]): StoredSnapshot | undefined {
    const sql = `SELECT * FROM volume_snapshot WHERE ${condition}`;
    const row = this.#state.first<Row>(sql, ...values);
    return row && decode(row);
  }

  /** Pending, until `keepForGood`. */
  insert({ id, volumeId, tag, createdAt }: StoredSnapshot): void {
    this.#state.run(
      "INSERT INTO volume_snapshot (id, volume_id, tag, created_at) VALUES (?, ?, ?, ?)",
      id,
      volumeId,
      tag,
      createdAt.toString(),
    );
  }

  /** On the disk when it returns. */
  keepForGood(id: string): void {
    this.#state.durably(() =>
      this.#state.run("UPDATE volume_snapshot SET pending = 0 WHERE id = ?", id),
    );
  }

  /** On the disk when it returns. */
  delete(id: string): void {
    this.#state.durably(() => this.#state.run("DELETE FROM volume_snapshot WHERE id = ?", id));
  }
}

function decode(row: Row): StoredSnapshot {
  return {
    id: row.id,
    volumeId: row.volume_id,
    tag: row.tag,
    createdAt: BigInt(row.created_at),
  };
}
