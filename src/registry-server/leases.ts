/**
 * Objects that must not be removed although nothing refers to them yet, by keys of the store.
 *
 * A request pins the keys it works on; while a key is pinned, and for the grace time after its
 * release, `remove` leaves it alone. A request that pins a key which is just being removed waits
 * until it is gone, and then sees that it is. Since a collection takes a long time to learn what is
 * referred to, it leaves alone everything that was pinned since it began, however short the grace
 * is.
 *
 * All of it is memory: after a restart the times at which objects were written protect them, and a
 * client that was told of an older one has its manifest refused.
 */
export class Leases {
  readonly #letGo = new Map<string, number>();
  readonly #pins = new Map<string, number>();
  readonly #removing = new Map<string, Promise<void>>();
  readonly #now: () => number;
  #purgeAt = 10_000;
  readonly #longestMs: number;
  #graceMs: number;
  #touched: Set<string> | undefined;

  /** `now` is in milliseconds; for `longestMs` after its release a key is remembered. */
  constructor(now: () => number, longestMs: number) {
    this.#now = now;
    this.#longestMs = longestMs;
    this.#graceMs = longestMs;
  }

  /** Nothing removes the keys until this is disposed of, and for the grace time after unless it is `lapse`d. */
  async pin(keys: readonly string[]): Promise<Pin> {
    for (const key of keys) {
      this.#pins.set(key, (this.#pins.get(key) ?? 0) + 1);
      this.#touched?.add(key);
    }
    for (const key of keys) await this.#removing.get(key);
    let keeps = true;
    return {
      lapse: () => {
        keeps = false;
      },
      [Symbol.dispose]: () => this.#unpin(keys, keeps),
    };
  }

  /**
   * From here to `endCollection` everything that is pinned is safe from `remove`, and keys that
   * were released within the grace time.
   */
  beginCollection(graceMs: number): void {
    this.#touched = new Set(this.#pins.keys());
    this.#graceMs = graceMs;
    this.#purge();
  }

  endCollection(): void {
    this.#touched = undefined;
    this.#graceMs = this.#longestMs;
  }

  /** Whether somebody works, or may count, on the key. */
  holds(key: string): boolean {
    if (this.#pins.has(key) || this.#touched?.has(key)) return true;
    const letGo = this.#letGo.get(key);
    return letGo !== undefined && letGo + this.#graceMs > this.#now();
  }

  /** Does `work`, which removes the key's object, unless the key is held; whether it was done. */
  async remove(key: string, work: () => Promise<void>): Promise<boolean> {
    if (this.holds(key) || this.#removing.has(key)) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#removing.set(key, promise);
    try {
      await work();
    } finally {
      this.#removing.delete(key);
      resolve();
    }
    return true;
  }

  #unpin(keys: readonly string[], keeps: boolean): void {
    for (const key of keys) {
      const pins = (this.#pins.get(key) ?? 1) - 1;
      if (pins > 0) this.#pins.set(key, pins);
      else this.#pins.delete(key);
      if (keeps) this.#letGo.set(key, this.#now());
    }
    if (this.#letGo.size > this.#purgeAt) this.#purge();
  }

  #purge(): void {
    const oldest = this.#now() - this.#longestMs;
    for (const [key, letGo] of this.#letGo) if (letGo <= oldest) this.#letGo.delete(key);
    this.#purgeAt = Math.max(10_000, 2 * this.#letGo.size);
  }
}

export interface Pin extends Disposable {
  /** The pinned object turned out to be missing: no lease remains. */
  lapse(): void;
}
