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

/** How many failures in a row are borne, and the pauses between the tries. */
export class Patience {
  readonly #backoff: Backoff;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor(backoff: Backoff, signal?: AbortSignal) {
    this.#backoff = backoff;
    this.#signal = signal;
  }

  /** Counts a failure, or a grave one as several; false when it was the last of `attempts`. */
  bears(weight = 1): boolean {
    this.#failures += weight;
    return this.#failures < this.#backoff.attempts;
  }

  /** There was progress: the failures before it no longer count. */
  renew(): void {
    this.#failures = 0;
  }

  /**
   * Waits before the next try: `asked` milliseconds where the other side says how long, else as
   * the backoff has it, half of the time by chance, so that clients that failed together do not
   * come back together. `canceled` by the signal.
   */
  async pause(asked?: number): Promise<void> {
    const { base, factor = 2, max } = this.#backoff;
    const longest = Math.min(max, base * factor ** Math.max(0, this.#failures - 1));
    await wait(asked ?? longest * (0.5 + Math.random() / 2), this.#signal);
  }
}

/** Resolves after so many milliseconds; `canceled` when the signal fires first. */
export async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, defined({ signal }));
  } catch (error) {
    throw new Fault("canceled", "canceled", { cause: error });
  }
}

/** Tries `work` until it succeeds, fails of what another try cannot mend, or has failed `attempts` times: then its last failure is thrown. */
export async function retry<T>(
  work: () => Promise<T>,
  options: {
    readonly backoff: Backoff;
    readonly isPassing: (error: unknown) => boolean;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<T> {
  const { backoff, isPassing, signal } = options;
  const patience = new Patience(backoff, signal);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted) throw new Fault("canceled", "canceled", { cause: error });
      if (!isPassing(error) || !patience.bears()) throw error;
    }
    await patience.pause();
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
