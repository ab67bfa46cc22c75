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
