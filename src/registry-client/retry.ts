import { Fault, type Backoff as Pauses } from "#base";

export interface Backoff extends Pauses {
  /** The longest that a registry may ask us to wait (Retry-After); milliseconds. */
  readonly longest: number;
}

export const defaultBackoff: Backoff = { attempts: 5, base: 300, max: 10_000, longest: 60_000 };

/** Failures that may pass. A name that does not exist will not exist a second later either. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof Fault &&
    (error.code === "unavailable" || error.code === "timeout") &&
    error.errno !== "ENOTFOUND"
  );
}

/** Milliseconds that a Retry-After asks for: seconds or a date (RFC 9110 section 10.2.3). */
export function retryAfter(field: string | undefined, now = Date.now()): number | undefined {
  if (field === undefined) return undefined;
  if (/^\d{1,9}$/.test(field)) return Number(field) * 1000;
  const date = Date.parse(field);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
