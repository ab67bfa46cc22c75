/** The time of day, as a port, so that tests can set it. */
export interface Clock {
  /** Nanoseconds since the epoch. */
  now(): bigint;
}

const origin = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

/** Wall-clock time of nanosecond resolution that never repeats a value within one process. */
export const systemClock: Clock = {
  now() {
    const drift = BigInt(Date.now()) * 1_000_000n - origin - process.hrtime.bigint();
    const steady = origin + process.hrtime.bigint();
    const jumped = drift > 1_000_000_000n || drift < -1_000_000_000n;
    return jumped ? BigInt(Date.now()) * 1_000_000n : steady;
  },
};

/** RFC 3339 with nine digits of fraction in UTC, as Docker prints times: 2026-01-02T03:04:05.000000006Z. */
export function formatTime(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n;
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, "0");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}
