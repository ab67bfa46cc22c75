import { Fault, isFault } from "#base";
import type { State } from "#state";
import type { SnapshotKind } from "./snapshotter.ts";

export interface SnapshotRow {
  /** Also the name of its directory. */
  readonly id: number;
  readonly name: string;
  readonly kind: SnapshotKind;
  readonly parent: number | null;
  readonly volatile: number;
  readonly size: number;
  /** Whether a committed one has reached the disk. */
  readonly synced: number;
}

const steps = [
  `CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    parent INTEGER REFERENCES snapshot (id),
    volatile INTEGER NOT NULL,
    size INTEGER NOT NULL,
    synced INTEGER NOT NULL
  ) STRICT`,
  "CREATE INDEX snapshot_parent ON snapshot (parent)",
];

/** The rows behind a snapshotter. A row exists only while its directory does, crashes aside. */
export class SnapshotTable {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("snapshot", steps);
  }

  all(): readonly SnapshotRow[] {
    return this.#state.query<SnapshotRow>("SELECT * FROM snapshot ORDER BY id");
  }

  find(name: string): SnapshotRow | undefined {
    return this.#state.first<SnapshotRow>("SELECT * FROM snapshot WHERE name = ?", name);
  }

  get(name: string): SnapshotRow {
    const row = this.find(name);
    if (!row) throw new Fault("not_found", `there is no snapshot ${name}`, { about: name });
    return row;
  }

  byId(id: number): SnapshotRow | undefined {
    return this.#state.first<SnapshotRow>("SELECT * FROM snapshot WHERE id = ?", id);
  }

  insert(row: SnapshotRow): void {
    const { id, name, kind, parent, volatile, size, synced } = row;
    try {
      this.#state.run(
        "INSERT INTO snapshot (id, name, kind, parent, volatile, size, synced) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ...[id, name, kind, parent, volatile, size, synced],
      );
    } catch (error) {
      throw isFault(error, "exists") ? taken(name, error) : error;
    }
  }

  /** Active to committed, in one statement. */
  commit(row: Pick<SnapshotRow, "id" | "name" | "parent" | "size">): void {
    const { id, name, parent, size } = row;
    try {
      this.#state.run(
        "UPDATE snapshot SET name = ?, kind = 'committed', parent = ?, size = ?, synced = 0 WHERE id = ?",
        ...[name, parent, size, id],
      );
    } catch (error) {
      throw isFault(error, "exists") ? taken(name, error) : error;
    }
  }

  markSynced(id: number, synced = 1): void {
    this.#state.run("UPDATE snapshot SET synced = ? WHERE id = ?", synced, id);
  }

  /** Fails with `conflict` while there are children. */
  delete(row: SnapshotRow): void {
    const child = this.#state.first<{ readonly name: string }>(
      "SELECT name FROM snapshot WHERE parent = ? LIMIT 1",
      row.id,
    );
    if (child) {
      throw new Fault(
        "conflict",
        `snapshot ${row.name} cannot be removed: ${child.name} is built on it`,
        { about: row.name },
      );
    }
    this.#state.run("DELETE FROM snapshot WHERE id = ?", row.id);
  }
}

function taken(name: string, cause: unknown): Fault {
  return new Fault("exists", `the snapshot ${name} exists already`, { about: name, cause });
}
