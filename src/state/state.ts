import { Database, type Statement } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import { chmodSync, closeSync, openSync, readFileSync, statSync } from "node:fs";
import { Fault, isFault } from "#base";
import { keepReserve, reuseLog } from "./reserve.ts";

/**
 * A value for a column. Integers come back as numbers; numbers that may exceed 2^53, such as
 * nanoseconds, are stored as text.
 */
type Value = string | number | bigint | boolean | null | Uint8Array;
type Row = Record<string, unknown>;

/**
 * The database of a data root. All calls are synchronous. SQLite's errors are faults: `exhausted`
 * for a full disk, `unavailable` when another process holds the lock for 2 s, `denied` for
 * permissions, `data_loss` for damage.
 */
export interface State extends Disposable {
  /**
   * Brings the tables of one module up to date. `steps` only ever grows: step n is
   * SQL that runs once, in order, all new ones in one durable transaction. A database
   * that is ahead of `steps` (made by a newer version) is a `conflict` fault.
   */
  migrate(module: string, steps: readonly string[]): void;
  /** All rows of a statement; statements are prepared once and kept. */
  query<T = Row>(sql: string, ...values: readonly Value[]): T[];
  /** The first row, or undefined. */
  first<T = Row>(sql: string, ...values: readonly Value[]): T | undefined;
  /**
   * Runs a statement and gives the number of rows that it changed. A broken UNIQUE constraint is an
   * `exists` fault.
   */
  run(sql: string, ...values: readonly Value[]): number;
  /**
   * All of `work` or nothing: a throw rolls back. `work` is synchronous; an await would let others
   * write into the same transaction. A nested call joins the outer transaction.
   */
  transaction<T>(work: () => T): T;
  /**
   * As `transaction`, and on the disk when it returns (fsync of the log of writes); for what a user
   * is told to be done. Never inside a transaction (`internal`).
   */
  durably<T>(work: () => T): T;
  /** Random, made with the database: the identity of this data root. */
  readonly instanceId: string;
  /** The kernel's boot id now. */
  readonly bootId: string;
  /** Whether the machine has been started anew since this database was last opened. */
  readonly rebooted: boolean;
  /** Closes the database; no call is allowed after that. */
  close(): void;
}

const baseSteps = [
  "CREATE TABLE state_value (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
];

export interface StateOptions {
  /** For tests. */
  readonly bootId?: string;
  /** For a process that only reads: the next one that opens the database still sees `rebooted`. */
  readonly observe?: boolean;
}

/**
 * Opens or creates the database at `path` (":memory:" for tests). WAL with
 * synchronous=NORMAL: a crash of the process loses nothing, a power cut at most the
 * latest transactions that were not `durably`. A file that is not a database is `data_loss`.
 * The database and its log of writes are for their owner alone (0600), since they hold
 * the environments of containers; files that others may read are closed to them.
 */
export function openState(path: string, options: StateOptions = {}): State {
  let database: Database;
  if (path !== ":memory:") makePrivateFile(path);
  try {
    database = new Database(path, { create: true, readwrite: true, strict: true });
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = NORMAL");
    database.run("PRAGMA foreign_keys = ON");
    database.run("PRAGMA busy_timeout = 2000");
  } catch (error) {
    throw translate(error, `opening the state database ${path}`);
  }
  try {
    const state = new SqliteState(database, path, options);
    keepReserveIfPossible(database, path);
    return state;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * SQLite gives its -wal and -shm the mode of the database. An existing file must not be opened and
 * closed here: that would end the locks that another connection has on it.
 */
function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // It is there, or SQLite will say in its own words why it cannot be.
  }
  for (const each of [path, `${path}-wal`, `${path}-shm`]) {
    const mode = statSync(each, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) === 0) continue;
    try {
      chmodSync(each, mode & 0o600);
    } catch (cause) {
      throw new Fault(
        "denied",
        `cannot close the state database ${each} to other users: ${String(cause)}; make it yours, with mode 0600`,
        { about: each, cause },
      );
    }
  }
}

/** On a disk that is full already, the reserve of an earlier start has to do. */
function keepReserveIfPossible(database: Database, path: string): void {
  try {
    keepReserve(database, path);
  } catch (error) {
    const fault = translate(error, `setting space aside in the state database ${path}`);
    if (fault.code !== "exhausted") throw fault;
  }
}

class SqliteState implements State {
  readonly instanceId: string;
  readonly bootId: string;
  readonly rebooted: boolean;
  readonly #database: Database;
  readonly #path: string;
  readonly #statements = new Map<string, Statement>();
  #depth = 0;

  constructor(database: Database, path: string, options: StateOptions) {
    const { bootId = readBootId(), observe = false } = options;
    this.#database = database;
    this.#path = path;
    this.bootId = bootId;
    this.#attempt("preparing", () =>
      database.run(
        "CREATE TABLE IF NOT EXISTS state_migration (module TEXT PRIMARY KEY, step INTEGER NOT NULL) STRICT",
      ),
    );
    this.migrate("state", baseSteps);
    const before = this.#value("boot-id");
    this.rebooted = before !== undefined && before !== bootId;
    this.instanceId = this.#value("instance-id") ?? randomUUID();
    this.durably(() => {
      if (!observe || before === undefined) this.#setValue("boot-id", bootId);
      this.#setValue("instance-id", this.instanceId);
    });
  }

  migrate(module: string, steps: readonly string[]): void {
    const at =
      this.first<{ step: number }>("SELECT step FROM state_migration WHERE module = ?", module)
        ?.step ?? 0;
    if (at === steps.length) return;
    if (at > steps.length) {
      throw new Fault(
        "conflict",
        `the state database ${this.#path} was written by a newer version (${module} is at step ${at}, this version knows ${steps.length}); use that version, or another data root`,
        { about: this.#path },
      );
    }
    this.durably(() => {
      for (const step of steps.slice(at)) {
        this.#attempt(`migrating ${module}`, () => this.#database.run(step));
      }
      this.run(
        "INSERT INTO state_migration (module, step) VALUES (?, ?) ON CONFLICT (module) DO UPDATE SET step = excluded.step",
        module,
        steps.length,
      );
    });
  }

  query<T = Row>(sql: string, ...values: readonly Value[]): T[] {
    return this.#attempt("reading", () => this.#prepare(sql).all(...values)) as T[];
  }

  first<T = Row>(sql: string, ...values: readonly Value[]): T | undefined {
    const row = this.#attempt("reading", () => this.#prepare(sql).get(...values));
    return (row ?? undefined) as T | undefined;
  }

  run(sql: string, ...values: readonly Value[]): number {
    const write = () => this.#attempt("writing", () => this.#prepare(sql).run(...values).changes);
    return this.#depth > 0 ? write() : this.#withReserve(write);
  }

  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return refusePromise(work());
    return this.#withReserve(() => this.#transaction(work));
  }

  /** On a full disk, once more in the space that was set aside. */
  #withReserve<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      if (!isFault(error, "exhausted")) throw error;
      this.#attempt("making room in", () => reuseLog(this.#database));
      return write();
    }
  }

  #transaction<T>(work: () => T): T {
    this.#attempt("beginning a transaction", () => this.#database.run("BEGIN IMMEDIATE"));
    this.#depth++;
    try {
      const result = refusePromise(work());
      this.#attempt("committing", () => this.#database.run("COMMIT"));
      return result;
    } catch (error) {
      if (this.#database.inTransaction) this.#database.run("ROLLBACK");
      throw error;
    } finally {
      this.#depth--;
    }
  }

  durably<T>(work: () => T): T {
    if (this.#depth > 0) {
      throw new Fault("internal", "durably() was called inside a transaction; call it outside");
    }
    this.#database.run("PRAGMA synchronous = FULL");
    try {
      return this.transaction(work);
    } finally {
      this.#database.run("PRAGMA synchronous = NORMAL");
    }
  }

  close(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#statements.clear();
    this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #value(name: string): string | undefined {
    return this.first<{ value: string }>("SELECT value FROM state_value WHERE name = ?", name)
      ?.value;
  }

  #setValue(name: string, value: string): void {
    this.run("INSERT OR REPLACE INTO state_value (name, value) VALUES (?, ?)", name, value);
  }

  #attempt<T>(doing: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translate(error, `${doing} the state database ${this.#path}`);
    }
  }
}

function refusePromise<T>(result: T): T {
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw new Fault("internal", "a transaction must not be asynchronous; do the waiting outside");
  }
  return result;
}

/** SQLite's result codes (https://www.sqlite.org/rescode.html) as faults. */
function translate(error: unknown, doing: string): Fault {
  if (error instanceof Fault) return error;
  const code = (error as { code?: string }).code ?? "";
  const message = `${doing}: ${error instanceof Error ? error.message : String(error)}`;
  const detail = { cause: error };
  if (/^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)/.test(code))
    return new Fault("exists", message, detail);
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return new Fault("data_loss", `${message}; restore it from a backup or move it away`, detail);
  }
  if (code.startsWith("SQLITE_FULL")) {
    return new Fault("exhausted", `${message}; make room, as by removing images`, detail);
  }
  if (code.startsWith("SQLITE_NOMEM")) return new Fault("exhausted", message, detail);
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return new Fault("unavailable", message, detail);
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|AUTH)/.test(code))
    return new Fault("denied", message, detail);
  if (/^SQLITE_IOERR/.test(code)) return new Fault("data_loss", message, detail);
  return new Fault("internal", message, detail);
}

function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
