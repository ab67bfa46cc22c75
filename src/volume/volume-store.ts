import type { State } from "#state";
import type { Volume } from "./contract.ts";

/** The row of a volume; its path is made from the data root and the name. */
export interface StoredVolume extends Omit<Volume, "path"> {
  /**
   * Names the directory that a removal sets aside, so that it is never taken for a later volume of
   * the same name.
   */
  readonly id: string;
}

const steps = [
  `CREATE TABLE volume (
     name TEXT PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     driver TEXT NOT NULL,
     options TEXT,
     labels TEXT,
     created_at TEXT NOT NULL,
     anonymous INTEGER NOT NULL,
     owner_uid INTEGER NOT NULL,
     owner_gid INTEGER NOT NULL,
     last_used TEXT NOT NULL DEFAULT '0',
     pending INTEGER NOT NULL DEFAULT 0
   ) STRICT`,
];

interface Row {
  readonly name: string;
  readonly id: string;
  readonly driver: string;
  readonly options: string | null;
  readonly labels: string | null;
  readonly created_at: string;
  readonly anonymous: number;
  readonly owner_uid: number;
  readonly owner_gid: number;
  readonly last_used: string;
  readonly pending: number;
}

/** The volumes of one data root. What was listed is kept, so that a list reads only what has changed since. */
export class VolumeStore {
  readonly #state: State;
  readonly #listed = new Map<string, StoredVolume>();
  /** The same in order; undefined until there is a list. */
  #ordered: readonly StoredVolume[] | undefined;
  /** Written since then, though perhaps in a transaction that was undone. */
  readonly #changed = new Set<string>();

  constructor(state: State) {
    this.#state = state;
    state.migrate("volume", steps);
  }

  /** By name, without those that are pending. Not within a transaction, which may be undone. */
  all(): readonly StoredVolume[] {
    if (!this.#ordered) {
      for (const row of this.#state.query<Row>("SELECT * FROM volume WHERE pending = 0"))
        this.#listed.set(row.name, decode(row));
    } else if (this.#changed.size === 0) return this.#ordered;
    for (const name of this.#changed) {
      const row = this.#row(name);
      if (row?.pending === 0) this.#listed.set(name, decode(row));
      else this.#listed.delete(name);
    }
    this.#changed.clear();
    this.#ordered = [...this.#listed.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#ordered;
  }

  pending(): StoredVolume[] {
    return this.#state.query<Row>("SELECT * FROM volume WHERE pending = 1").map(decode);
  }

  get(name: string): StoredVolume | undefined {
    const row = this.#row(name);
    return row && decode(row);
  }

  isPending(name: string): boolean {
    return this.#row(name)?.pending === 1;
  }

  #row(name: string): Row | undefined {
    return this.#state.first<Row>("SELECT * FROM volume WHERE name = ?", name);
  }

  nameOf(id: string): string | undefined {
    return this.#state.first<{ name: string }>("SELECT name FROM volume WHERE id = ?", id)?.name;
  }

  /** On the disk when it returns, unless it is pending. */
  insert(volume: StoredVolume, isPending: boolean): void {
    this.#changed.add(volume.name);
    const write = () =>
      this.#state.run(
        `INSERT INTO volume
           (name, id, driver, options, labels, created_at, anonymous, owner_uid, owner_gid, pending)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        volume.name,
        volume.id,
        volume.driver,
        encode(volume.options),
        encode(volume.labels),
        volume.createdAt.toString(),
        volume.anonymous ? 1 : 0,
        volume.owner.uid,
        volume.owner.gid,
        isPending ? 1 : 0,
      );
    if (isPending) write();
    else this.#state.durably(write);
  }

  setPending(name: string, isPending: boolean): void {
    this.#changed.add(name);
    this.#state.run("UPDATE volume SET pending = ? WHERE name = ?", isPending ? 1 : 0, name);
  }

  /** On the disk when it returns. */
  keepForGood(name: string): void {
    this.#state.durably(() => this.setPending(name, false));
  }

  /** On the disk when it returns. */
  rename(name: string, to: string, labels: Readonly<Record<string, string>> | undefined): void {
    this.#changed.add(name).add(to);
    this.#state.durably(() =>
      this.#state.run(
        "UPDATE volume SET name = ?, labels = ?, anonymous = 0 WHERE name = ?",
        to,
        encode(labels),
        name,
      ),
    );
  }

  used(name: string, time: bigint): void {
    this.#changed.add(name);
    this.#state.run("UPDATE volume SET last_used = ? WHERE name = ?", time.toString(), name);
  }

  delete(name: string): void {
    this.#changed.add(name);
    this.#state.durably(() => this.#state.run("DELETE FROM volume WHERE name = ?", name));
  }
}

function encode(map: Readonly<Record<string, string>> | undefined): string | null {
  return map === undefined ? null : JSON.stringify(map);
}

function decode(row: Row): StoredVolume {
  return {
    name: row.name,
    id: row.id,
    driver: row.driver,
    options: row.options === null ? undefined : JSON.parse(row.options),
    labels: row.labels === null ? undefined : JSON.parse(row.labels),
    createdAt: BigInt(row.created_at),
    anonymous: row.anonymous === 1,
    owner: { uid: row.owner_uid, gid: row.owner_gid },
    lastUsed: BigInt(row.last_used),
  };
}
