import { setTimeout as delay } from "node:timers/promises";
import { defined } from "./defined.ts";
import { Fault } from "./fault.ts";

/** How often something is tried, and how long the pauses are: milliseconds, except `attempts` and `factor`. */
export interface Backoff {
  /** Tries in all. */
  readonly attempts: number;
  /** Before the second try; `factor` times as long before each further one. */
  readonly base: number;
  /** Default 2. */
  readonly factor?: number;
  readonly max: number;
}

/**
 * Waits before try number `failures` + 1: between half and all of `base * factor ** (failures - 1)`
 * milliseconds, at most `max`, by chance, so that clients that failed together do not come back
 * together. `canceled` when the signal fires first.
 */
export async function pause(
  { base, factor = 2, max }: Backoff,
  failures: number,
  signal?: AbortSignal,
): Promise<void> {
  const longest = Math.min(max, base * factor ** (failures - 1));
  await wait(longest * (0.5 + Math.random() / 2), signal);
}

/** Resolves after so many milliseconds; `canceled` when the signal fires first. */
export async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, defined({ signal }));
  } catch (error) {
    throw new Fault("canceled", "canceled", { cause: error });
  }
}

/**
 * Tries `work` until it succeeds, fails with an error for which `isPassing` is false, or has failed
 * `attempts` times; then throws the last error. `canceled` when the signal fires first.
 */
export async function retry<T>(
  work: () => Promise<T>,
  options: {
    readonly backoff: Backoff;
    readonly isPassing: (error: unknown) => boolean;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<T> {
  const { backoff, isPassing, signal } = options;
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted) throw new Fault("canceled", "canceled", { cause: error });
      if (failures >= backoff.attempts || !isPassing(error)) throw error;
    }
    await pause(backoff, failures, signal);
  }
}

/**
 * Asks until the answer is yes, at most `attempts` times; false when it was no each time. The
 * pauses are as `backoff` says, without chance: for what happens on this machine.
 */
export async function poll(
  isSo: () => boolean | Promise<boolean>,
  { attempts, base, factor = 2, max }: Backoff,
): Promise<boolean> {
  for (let asked = 1; ; asked++) {
    if (await isSo()) return true;
    if (asked >= attempts) return false;
    await wait(Math.min(max, base * factor ** (asked - 1)));
  }
}
