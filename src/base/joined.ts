import { Fault } from "./fault.ts";

/** Work that several may ask for at once. */
export interface JoinedWork<T, P> {
  /** Begins the work when it is not under way. Its signal fires once no caller waits any more. */
  readonly start: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>;
  readonly onReport?: ((progress: P) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Running<T, P> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  readonly listeners: Set<(progress: P) => void>;
  users: number;
  /** The last reports, for callers that come later. */
  readonly recent: P[];
}

/**
 * Work that is done once for all who ask for the same while it is under way. The result
 * is disposed of when the last of them has used it. The work stops when the last has
 * gone away; who leaves last waits until it has stopped and cleaned up.
 */
export class Joined<K, T extends AsyncDisposable, P> {
  readonly #running = new Map<K, Running<T, P>>();
  readonly #remembered: number;

  /** @param remembered how many of the last reports a caller is told that comes later */
  constructor(remembered = 1) {
    this.#remembered = remembered;
  }

  /** Whether the work is under way. */
  has(key: K): boolean {
    return this.#running.has(key);
  }

  /** When the work of another fails, it is tried again as one's own: with its own source and credentials. */
  async share<R>(key: K, work: JoinedWork<T, P>, use: (result: T) => Promise<R>): Promise<R> {
    for (;;) {
      const joined = this.#running.get(key);
      const running = joined ?? this.#begin(key, work);
      const listener = (progress: P) => work.onReport?.(progress);
      running.users++;
      running.listeners.add(listener);
      for (const progress of joined?.recent ?? []) listener(progress);
      try {
        let result: T;
        try {
          result = await unlessAborted(running.result, work.signal);
        } catch (error) {
          if (joined && work.signal?.aborted !== true) continue;
          throw error;
        }
        return await use(result);
      } finally {
        running.listeners.delete(listener);
        await this.#leave(key, running);
      }
    }
  }

  #begin(key: K, { start }: JoinedWork<T, P>): Running<T, P> {
    const stop = new AbortController();
    const { promise: result, resolve } = Promise.withResolvers<T>();
    const running: Running<T, P> = {
      ...{ result, stop, users: 0, recent: [] },
      listeners: new Set(),
    };
    const report = (progress: P) => {
      running.recent.push(progress);
      if (running.recent.length > this.#remembered) running.recent.shift();
      for (const listener of running.listeners) listener(progress);
    };
    resolve(start(stop.signal, report));
    this.#running.set(key, running);
    // A caller that comes after a failure begins anew.
    running.result.catch(() => this.#forget(key, running));
    return running;
  }

  async #leave(key: K, running: Running<T, P>): Promise<void> {
    if (--running.users > 0) return;
    this.#forget(key, running);
    running.stop.abort();
    const result = await running.result.catch(() => undefined);
    await result?.[Symbol.asyncDispose]();
  }

  #forget(key: K, running: Running<T, P>): void {
    if (this.#running.get(key) === running) this.#running.delete(key);
  }
}

/** Stops waiting when the signal fires; the work itself goes on. */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!signal) return await work;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new Fault("canceled", "canceled"));
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
