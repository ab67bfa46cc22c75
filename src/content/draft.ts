import { randomUUID } from "node:crypto";
import { faultOf, type Log } from "#base";
import type { Snapshotter } from "#snapshot";

/** A snapshot to unpack into, over nothing; gone at the end of its scope unless it was committed. */
export interface DraftSpace extends AsyncDisposable {
  readonly key: string;
  readonly directory: string;
}

const prefix = "unpack-";

/** Makes drafts, and tells those in use from the leftovers of a crash. */
export class Drafts {
  readonly #snapshots: Snapshotter;
  readonly #log: Log;
  readonly #live = new Set<string>();

  constructor(snapshots: Snapshotter, log: Log) {
    this.#snapshots = snapshots;
    this.#log = log;
  }

  async make(): Promise<DraftSpace> {
    const key = prefix + randomUUID();
    this.#live.add(key);
    try {
      await this.#snapshots.prepare(key, undefined);
    } catch (error) {
      this.#live.delete(key);
      throw error;
    }
    return {
      key,
      directory: this.#snapshots.directory(key),
      [Symbol.asyncDispose]: () => this.#drop(key),
    };
  }

  /** Drafts that no operation works on. */
  async abandoned(): Promise<readonly string[]> {
    const keys = await this.#snapshots.activeKeys();
    return keys.filter((key) => key.startsWith(prefix) && !this.#live.has(key));
  }

  async #drop(key: string): Promise<void> {
    try {
      if (this.#snapshots.stat(key)) await this.#snapshots.remove(key);
    } catch (error) {
      this.#log.warn("cannot remove a half unpacked layer", {
        key,
        error: faultOf(error).message,
      });
    } finally {
      this.#live.delete(key);
    }
  }
}
