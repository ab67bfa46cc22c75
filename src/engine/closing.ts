/**
 * The end of an engine, as those who wait for something else learn of it. Not a
 * promise to race with: one that never settles keeps all that ever raced with it.
 */
export class Closing {
  readonly #stops = new Set<() => void>();
  #isClosed = false;

  /** The value of the promise, or undefined once the engine closes. */
  until<T>(promise: Promise<T>): Promise<T | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const stop = () => resolve(undefined);
      this.#stops.add(stop);
      promise.then(resolve, reject).finally(() => this.#stops.delete(stop));
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
    this.#stops.clear();
  }
}
