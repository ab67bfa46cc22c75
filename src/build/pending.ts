import { randomBytes } from "node:crypto";
import { Fault } from "#base";

/** Milliseconds for which something waits for its client. */
const patience = 10 * 60_000;
/** So many may wait at once. */
const maxPending = 256;

interface Entry<T> {
  readonly value: T;
  timer: ReturnType<typeof setTimeout>;
}

/** Things that a client made with one request and uses with another; what it never fetches goes after ten minutes. */
export class Pending<T extends AsyncDisposable> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #what: string;

  /** @param what a name for one of them: "context" */
  constructor(what: string) {
    this.#what = what;
  }

  /** The id by which the client knows it from now on. */
  add(value: T): string {
    const id = `${this.#what}-${randomBytes(16).toString("hex")}`;
    this.#entries.set(id, { value, timer: this.#expiry(id) });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxPending && oldest !== undefined) void this.#drop(oldest);
    return id;
  }

  /** `not_found` for an id that is unknown, or waited too long. */
  get(id: string): T {
    const entry = this.#entries.get(id);
    if (!entry) throw new Fault("not_found", `No such ${this.#what}: ${id}`, { about: id });
    clearTimeout(entry.timer);
    entry.timer = this.#expiry(id);
    return entry.value;
  }

  /** As `get`, and it is the caller's to dispose of. */
  take(id: string): T {
    const value = this.get(id);
    clearTimeout(this.#entries.get(id)?.timer);
    this.#entries.delete(id);
    return value;
  }

  #expiry(id: string): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => void this.#drop(id), patience);
    timer.unref();
    return timer;
  }

  async #drop(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    clearTimeout(entry.timer);
    this.#entries.delete(id);
    await entry.value[Symbol.asyncDispose]();
  }
}
