/** Mutual exclusion per key, first come first served; different keys never wait for each other. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /**
   * Runs `work` once all earlier calls with this key have ended, and settles as it does; its
   * failure does not stop the next one. It must not wait for another `run` with the same key.
   */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    using _held = await this.hold(key);
    return await work();
  }

  /** The same until it is disposed of. */
  async hold(key: string): Promise<Disposable> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const { promise: tail, resolve: release } = Promise.withResolvers<void>();
    this.#tails.set(key, tail);
    await before;
    return {
      [Symbol.dispose]: () => {
        release();
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      },
    };
  }
}
