import { setTimeout as delay } from "node:timers/promises";
import { Fault, faultOf } from "./fault.ts";
import type { Log } from "./log.ts";

/** The items that a pool holds, and how many. */
export interface ReadyPoolOptions<T> {
  /** How many to keep ready. */
  readonly size: number;
  /** Makes one; the pool asks for one at a time when it refills. */
  readonly make: () => T | Promise<T>;
  readonly discard: (item: T) => void;
  readonly log: Log;
  /** A noun for the items, for messages. */
  readonly what: string;
  /** Milliseconds that a pool which is not empty waits before it refills, for the one who took an item to be done; 100 by default. */
  readonly courtesyMs?: number;
}

/** A short run is over by then: making an item may stop this program, and takes locks of the kernel's. */
const usualCourtesyMs = 100;

/** Things made ahead, each given out once. */
export class ReadyPool<T> {
  readonly #options: ReadyPoolOptions<T>;
  readonly #ready: T[] = [];
  #refilling: Promise<void> | undefined;
  /** Ends a wait of courtesy. */
  #hurry = new AbortController();
  readonly #closing = new AbortController();

  constructor(options: ReadyPoolOptions<T>) {
    this.#options = options;
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  get ready(): number {
    return this.#ready.length;
  }

  /** Those that are ready. */
  get items(): readonly T[] {
    return this.#ready;
  }

  /** One that is ready, else a new one; then the pool fills itself up again. */
  async take(): Promise<T> {
    if (this.#isClosed)
      throw new Fault("unavailable", `no more ${this.#options.what}: closing down`);
    const item = this.#ready.shift() ?? (await this.#options.make());
    this.#refillSoon();
    return item;
  }

  /** One that is ready; undefined when the pool is empty, which then fills itself up again. */
  takeReady(): T | undefined {
    const item = this.#ready.shift();
    if (!this.#isClosed) this.#refillSoon();
    return item;
  }

  #refillSoon(): void {
    if (this.#ready.length === 0) this.#hurry.abort();
    void this.fill();
  }

  /** Resolves when the pool is full, or has failed and said so; the next `take` tries again. */
  fill(): Promise<void> {
    this.#refilling ??= this.#refill().finally(() => {
      this.#refilling = undefined;
    });
    return this.#refilling;
  }

  async #refill(): Promise<void> {
    const { size, make, discard, log, what, courtesyMs = usualCourtesyMs } = this.#options;
    // The caller who took one goes on first, with the processor and the kernel's locks to itself.
    if (this.#ready.length > 0) {
      this.#hurry = new AbortController();
      const signal = AbortSignal.any([this.#closing.signal, this.#hurry.signal]);
      await delay(courtesyMs, undefined, { signal }).catch(() => undefined);
    } else await new Promise((resolve) => setImmediate(resolve));
    while (!this.#isClosed && this.#ready.length < size) {
      try {
        const item = await make();
        if (this.#isClosed) discard(item);
        else this.#ready.push(item);
      } catch (error) {
        log.warn(`cannot prepare ${what}`, { error: faultOf(error).message });
        return;
      }
    }
  }

  /** Gives up those among the ready ones. */
  evict(unfit: (item: T) => boolean): void {
    for (const item of this.#ready.splice(0)) {
      if (unfit(item)) this.#options.discard(item);
      else this.#ready.push(item);
    }
  }

  /** Gives up the items that are ready. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const item of this.#ready.splice(0)) this.#options.discard(item);
    await this.#refilling;
  }
}
