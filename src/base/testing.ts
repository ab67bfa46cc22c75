/** For tests that try many inputs, the same ones in every run. */

/** Numbers from 0 up to, and without, `below`. */
export type Random = (below: number) => number;

/** Mulberry32: the same numbers for the same seed. */
export function random(seed: number): Random {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** How many inputs a test tries: `few` in the check, `many` in `npm run test:long`. */
export function rounds(few: number, many: number): number {
  return process.env.THIMBLE_TEST_LONG === "1" ? many : few;
}

/**
 * How a promise ended, as a function that throws or returns it: `expect(await outcome(work)).toThrow("why")`.
 *
 * Bun's `expect(work).rejects` must not be used: it waits in an event loop of its own, within the
 * callback that the test goes on in, and events that the outer loop had already taken are late by
 * up to a second, or lost (github.com/oven-sh/bun/issues/33261).
 */
export async function outcome<T>(work: PromiseLike<T>): Promise<() => T> {
  try {
    const value = await work;
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** What a promise is rejected with; fails the test when it is not. */
export async function rejection(work: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await work;
  } catch (error) {
    return error;
  }
  throw new Error(`this was to be rejected, and ended with ${Bun.inspect(value)}`);
}
