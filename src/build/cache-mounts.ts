import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, faultOf, KeyedLock, type Log, Scope, unlessAborted } from "#base";
import { diskUsage, makePrivateDirectory } from "#kernel";
import type { State } from "#state";

const steps = [
  `CREATE TABLE cache_mount (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    uses INTEGER NOT NULL
  ) STRICT`,
  "CREATE INDEX cache_mount_id ON cache_mount (id)",
];

/** A directory that is kept from build to build, as it is listed. Times are milliseconds since 1970. */
export interface CacheMountRecord {
  readonly number: number;
  readonly id: string;
  readonly created: number;
  readonly used: number;
  readonly uses: number;
}

/** The directory that a step gets. */
export interface OpenCacheMount extends AsyncDisposable {
  readonly directory: string;
}

/** Which directory a step asks for. */
export interface CacheMountWish {
  readonly id: string;
  readonly sharing: "shared" | "private" | "locked";
  /** Of the directory when it is new. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Fills a new one; what fails leaves none. */
  readonly fill?: ((directory: string) => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

/**
 * The directories of `RUN --mount=type=cache`, by their ids: ROOT/<number>. Several of one id exist
 * where steps at the same time want one for themselves. A directory is made before its row, and one
 * without a row is removed at the next start.
 */
export class CacheMounts {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #root: string;
  readonly #log: Log;
  readonly #locks = new KeyedLock();
  /** How many steps use a directory. */
  readonly #users = new Map<number, number>();

  constructor(parts: {
    readonly state: State;
    readonly clock: Clock;
    readonly root: string;
    readonly log: Log;
  }) {
    this.#state = parts.state;
    this.#clock = parts.clock;
    this.#root = parts.root;
    this.#log = parts.log;
    parts.state.migrate("build-cache-mount", steps);
    makePrivateDirectory(this.#root);
  }

  /** Removes directories that have no row. */
  async sweep(): Promise<void> {
    const known = new Set(this.list().map(({ number }) => String(number)));
    const strays = readdirSync(this.#root).filter((name) => !known.has(name));
    for (const name of strays) await rm(join(this.#root, name), { recursive: true, force: true });
  }

  /**
   * The directory for a step until that is over: the one of its id, shared with others; with
   * "locked" for one step after the other; with "private" one that no other step has.
   */
  async open(wish: CacheMountWish): Promise<OpenCacheMount> {
    const { id, sharing, signal } = wish;
    await using scope = new Scope();
    if (sharing === "locked") scope.use(await this.#waitFor(`use ${id}`, signal));
    const number = await this.#locks.run(`make ${id}`, () => this.#take(wish));
    const lock = scope.release();
    return {
      directory: this.#path(number),
      [Symbol.asyncDispose]: async () => {
        this.#leave(number);
        await lock.disposeAsync();
      },
    };
  }

  /** A build that is cancelled does not wait for the steps of others. */
  async #waitFor(key: string, signal: AbortSignal): Promise<Disposable> {
    const lock = this.#locks.hold(key);
    try {
      return await unlessAborted(lock, signal);
    } catch (error) {
      void lock.then((held) => held[Symbol.dispose]());
      throw error;
    }
  }

  /** Those used longest ago first. */
  list(): CacheMountRecord[] {
    return this.#state.query<CacheMountRecord>("SELECT * FROM cache_mount ORDER BY used, number");
  }

  isUsed(number: number): boolean {
    return this.#users.has(number);
  }

  /** Bytes of its files. */
  async size(number: number): Promise<number> {
    return (await diskUsage(this.#path(number))).bytes;
  }

  /** Removes a directory that no step uses; false when one does. */
  async remove(number: number): Promise<boolean> {
    if (this.isUsed(number)) return false;
    this.#state.run("DELETE FROM cache_mount WHERE number = ?", number);
    await rm(this.#path(number), { recursive: true, force: true });
    return true;
  }

  #leave(number: number): void {
    const left = (this.#users.get(number) ?? 1) - 1;
    if (left > 0) this.#users.set(number, left);
    else this.#users.delete(number);
    this.#note(number);
  }

  async #take(wish: CacheMountWish): Promise<number> {
    const known = this.#state
      .query<{ number: number }>(
        "SELECT number FROM cache_mount WHERE id = ? ORDER BY number",
        wish.id,
      )
      .map(({ number }) => number);
    const isFree = (number: number) => wish.sharing !== "private" || !this.isUsed(number);
    const number = known.find(isFree) ?? (await this.#make(wish));
    this.#users.set(number, (this.#users.get(number) ?? 0) + 1);
    return number;
  }

  async #make({ id, mode, uid, gid, fill }: CacheMountWish): Promise<number> {
    const taken = readdirSync(this.#root).map(Number);
    const number = taken.reduce((most, each) => Math.max(most, each), 0) + 1;
    const path = this.#path(number);
    mkdirSync(path, { mode: 0o700 });
    try {
      await fill?.(path);
      chownSync(path, uid, gid);
      chmodSync(path, mode);
      const now = this.#now();
      this.#state.run(
        "INSERT INTO cache_mount (number, id, created, used, uses) VALUES (?, ?, ?, ?, 0)",
        ...[number, id, now, now],
      );
    } catch (error) {
      await rm(path, { recursive: true, force: true });
      throw error;
    }
    return number;
  }

  /** A full disk must not fail a step that is over. */
  #note(number: number): void {
    try {
      this.#state.run(
        "UPDATE cache_mount SET used = ?, uses = uses + 1 WHERE number = ?",
        ...[this.#now(), number],
      );
    } catch (error) {
      this.#log.warn("the use of a cache mount is not noted", {
        error: faultOf(error).message,
      });
    }
  }

  #path(number: number): string {
    return join(this.#root, String(number));
  }

  #now(): number {
    return Number(this.#clock.now() / 1_000_000n);
  }
}
