import { type ContainerId, Fault, faultOf, isFault } from "#base";
import { describeContainer, type Sent } from "#container";
import type { State } from "#state";
import {
  type ContainerRecord,
  type ContainerRow,
  decodeRow,
  encodeCourse,
  encodeDefinition,
} from "./container-record.ts";
import { sandboxStep } from "./sandbox-store.ts";

export const containerSteps = [
  `CREATE TABLE container (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     created_at TEXT NOT NULL,
     definition TEXT NOT NULL,
     course TEXT NOT NULL
   ) STRICT, WITHOUT ROWID`,
  // A row of more than 1 KiB of a table WITHOUT ROWID spills to pages of its own, which each
  // change then gives back and takes anew: five pages are written instead of one.
  `CREATE TABLE container_by_rowid (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     created_at TEXT NOT NULL,
     definition TEXT NOT NULL,
     course TEXT NOT NULL
   ) STRICT;
   INSERT INTO container_by_rowid SELECT id, name, created_at, definition, course FROM container;
   DROP TABLE container;
   ALTER TABLE container_by_rowid RENAME TO container`,
  sandboxStep,
];

/** Containers of one engine: more is a mistake or an attack, and memory holds them all. */
const maxContainers = 20_000;

/**
 * All containers, in the database and, decoded, in memory. Every change goes to the
 * database first. Names are reserved before the row exists, so that two creates of
 * one name cannot both go on.
 */
export class ContainerStore {
  readonly #state: State;
  readonly #records = new Map<ContainerId, ContainerRecord>();
  readonly #names = new Map<string, ContainerId>();

  constructor(state: State) {
    this.#state = state;
    state.migrate("engine", containerSteps);
    for (const row of state.query<ContainerRow>("SELECT * FROM container")) {
      this.#keep(decodeRow(row));
    }
  }

  get size(): number {
    return this.#records.size;
  }

  /** In no particular order. */
  all(): Iterable<ContainerRecord> {
    return this.#records.values();
  }

  get(id: ContainerId): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  isTaken(name: string): boolean {
    return this.#names.has(name);
  }

  /** By id, name (with or without its slash) or unique prefix of an id; otherwise a `not_found` or `invalid` fault. */
  find(ref: string): ContainerRecord {
    const record =
      this.#records.get(ref as ContainerId) ??
      this.#byName(ref.startsWith("/") ? ref.slice(1) : ref) ??
      this.#byPrefix(ref);
    if (!record) throw new Fault("not_found", `No such container: ${ref}`, { about: ref });
    return record;
  }

  /** Takes a name for a container that is being created or renamed; dispose gives it back unless it was used. */
  reserve(name: string, id: ContainerId): Disposable {
    const holder = this.#names.get(name);
    if (holder !== undefined && holder !== id) throw nameTaken(name, holder);
    if (this.#names.size >= maxContainers) {
      throw new Fault(
        "exhausted",
        `there are ${maxContainers} containers already; remove some, as with container prune`,
      );
    }
    this.#names.set(name, id);
    return {
      [Symbol.dispose]: () => {
        if (this.#records.get(id)?.name !== name) this.#names.delete(name);
      },
    };
  }

  /**
   * Records a new container, in one transaction with what `also` writes. Durable unless it removes
   * itself anyway once the machine was off.
   */
  insert(record: ContainerRecord, also: () => void = () => undefined): void {
    const write = () => {
      this.#state.run(
        "INSERT INTO container (id, name, created_at, definition, course) VALUES (?, ?, ?, ?, ?)",
        record.id,
        record.name,
        record.createdAt.toString(),
        encodeDefinition(record),
        encodeCourse(record),
      );
      also();
    };
    try {
      if (record.host.AutoRemove) this.#state.transaction(write);
      else this.#state.durably(write);
    } catch (error) {
      if (isFault(error, "exists")) throw nameTaken(record.name, record.id);
      throw error;
    }
    this.#keep(record);
  }

  /** Changes the part that a container's life changes; gives the new record. */
  update(id: ContainerId, change: Partial<Omit<ContainerRecord, "id" | "name">>): ContainerRecord {
    const record = { ...this.#require(id), ...change };
    this.#state.run("UPDATE container SET course = ? WHERE id = ?", encodeCourse(record), id);
    this.#records.set(id, record);
    return record;
  }

  /** Another request in place of the one that a client sent: `write` in a transaction, then `keep`. */
  redefine(id: ContainerId, sent: Sent): { write(): void; keep(): ContainerRecord } {
    const { imageDefaults } = this.#require(id);
    const change = { sent, ...describeContainer(sent, imageDefaults) };
    return {
      write: () => {
        const definition = encodeDefinition({ ...this.#require(id), ...change });
        this.#state.run("UPDATE container SET definition = ? WHERE id = ?", definition, id);
      },
      keep: () => this.assume(id, change),
    };
  }

  /**
   * As `update`, for facts that hold whether they can be written or not, as on a full disk. Gives
   * the fault of what could not be written; it then holds until this process ends.
   */
  note(id: ContainerId, change: Partial<Omit<ContainerRecord, "id" | "name">>): Fault | undefined {
    try {
      this.update(id, change);
      return undefined;
    } catch (error) {
      this.assume(id, change);
      return faultOf(error);
    }
  }

  /** Changes what this process knows of a container, and writes nothing. */
  assume(id: ContainerId, change: Partial<Omit<ContainerRecord, "id" | "name">>): ContainerRecord {
    const record = { ...this.#require(id), ...change };
    this.#records.set(id, record);
    return record;
  }

  /** The name must be reserved. */
  rename(id: ContainerId, name: string): void {
    const record = this.#require(id);
    this.#state.durably(() =>
      this.#state.run("UPDATE container SET name = ? WHERE id = ?", name, id),
    );
    this.#names.delete(record.name);
    this.#keep({ ...record, name });
  }

  /** In one transaction with what `also` writes. */
  delete(id: ContainerId, also: () => void = () => undefined): void {
    const record = this.#require(id);
    this.#state.transaction(() => {
      this.#state.run("DELETE FROM container WHERE id = ?", id);
      also();
    });
    this.#records.delete(id);
    this.#names.delete(record.name);
  }

  #keep(record: ContainerRecord): void {
    this.#records.set(record.id, record);
    this.#names.set(record.name, record.id);
  }

  #require(id: ContainerId): ContainerRecord {
    const record = this.#records.get(id);
    if (!record) throw new Fault("not_found", `No such container: ${id}`, { about: id });
    return record;
  }

  #byName(name: string): ContainerRecord | undefined {
    const id = this.#names.get(name);
    return id === undefined ? undefined : this.#records.get(id);
  }

  #byPrefix(prefix: string): ContainerRecord | undefined {
    if (!/^[0-9a-f]{1,63}$/.test(prefix)) return undefined;
    let found: ContainerRecord | undefined;
    for (const record of this.#records.values()) {
      if (!record.id.startsWith(prefix)) continue;
      if (found) {
        throw new Fault(
          "invalid",
          `Multiple IDs found with provided prefix: ${prefix}; give more digits`,
          { about: prefix },
        );
      }
      found = record;
    }
    return found;
  }
}

function nameTaken(name: string, holder: ContainerId): Fault {
  return new Fault(
    "conflict",
    `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
    { about: name },
  );
}
