import { setTimeout as delay } from "node:timers/promises";
import { Fault } from "#base";

/** Milliseconds, except `attempts`. */
export interface Backoff {
  /** Tries in all. */
  readonly attempts: number;
  /** Before the second try; doubled before each further one. */
  readonly base: number;
  readonly max: number;
  /** The longest that a registry may ask us to wait (Retry-After). */
  readonly longest: number;
}

export const defaultBackoff: Backoff = { attempts: 5, base: 300, max: 10_000, longest: 60_000 };

/** What may go better the next time. A name that does not exist will not exist in a second, either. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof Fault &&
    (error.code === "unavailable" || error.code === "timeout") &&
    error.errno !== "ENOTFOUND"
  );
}

/**
 * Waits before try number `failures` + 1: twice as long each time, of which half is by
 * chance, so that clients that failed together do not come back together.
 */
export async function pause(
  backoff: Backoff,
  failures: number,
  signal?: AbortSignal,
): Promise<void> {
  const longest = Math.min(backoff.max, backoff.base * 2 ** (failures - 1));
  await wait(longest * (0.5 + Math.random() / 2), signal);
}

export async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, signal ? { signal } : {});
  } catch (error) {
    throw new Fault("canceled", "canceled", { cause: error });
  }
}

/** Milliseconds that a Retry-After asks for: seconds or a date (RFC 9110 section 10.2.3). */
export function retryAfter(field: string | undefined, now = Date.now()): number | undefined {
  if (field === undefined) return undefined;
  if (/^\d{1,9}$/.test(field)) return Number(field) * 1000;
  const date = Date.parse(field);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
