import { expect, test } from "bun:test";
import { silentLog } from "#base";
import { ReadyPool } from "./ready-pool.ts";
import { outcome } from "./testing.ts";

function counting(
  size: number,
  fail: (n: number) => boolean = () => false,
  options: { readonly courtesyMs?: number } = {},
) {
  const state = { made: 0, discarded: [] as number[] };
  const pool = new ReadyPool<number>({
    size,
    make: async () => {
      const n = ++state.made;
      if (fail(n)) throw new Error(`no ${n}`);
      return n;
    },
    discard: (n) => state.discarded.push(n),
    log: silentLog,
    what: "numbers",
    ...options,
  });
  return { pool, state };
}

test("each is given once, and the pool fills up again", async () => {
  const { pool, state } = counting(3);
  await pool.fill();
  expect([pool.ready, state.made]).toEqual([3, 3]);
  expect([await pool.take(), await pool.take()]).toEqual([1, 2]);
  await pool.fill();
  expect([pool.ready, state.made]).toEqual([3, 5]);
});

test("a pool that is not empty lets the one who took an item be done, and closes without waiting for it", async () => {
  const { pool, state } = counting(2, undefined, { courtesyMs: 3_600_000 });
  await pool.fill();
  expect([await pool.take(), pool.ready]).toEqual([1, 1]);
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect([pool.ready, state.made]).toEqual([1, 2]);
  await pool.close();
  expect(state).toEqual({ made: 2, discarded: [2] });
});

test("a pool that is taken empty waits no longer", async () => {
  const { pool, state } = counting(2, undefined, { courtesyMs: 3_600_000 });
  await pool.fill();
  expect([await pool.take(), await pool.take()]).toEqual([1, 2]);
  await pool.fill();
  expect([pool.ready, state.made]).toEqual([2, 4]);
});

test("more than are ready are made on the spot", async () => {
  const { pool } = counting(2);
  await pool.fill();
  const taken = await Promise.all(Array.from({ length: 10 }, () => pool.take()));
  expect(new Set(taken).size).toBe(10);
});

test("a failure reaches the callers who wait, and the next one tries again", async () => {
  const { pool } = counting(2, (n) => n === 1 || n === 2);
  await pool.fill();
  expect(pool.ready).toBe(0);
  expect(await outcome(pool.take())).toThrow("no 2");
  expect(await pool.take()).toBe(3);
});

test("closing discards ready items, also those that are being made, and refuses more", async () => {
  const { pool, state } = counting(4);
  await pool.fill();
  await pool.take();
  await pool.close();
  expect(state.discarded).toEqual(expect.arrayContaining([2, 3, 4]));
  expect(state.discarded.length).toBe(state.made - 1);
  expect(await outcome(pool.take())).toThrow("closing down");
});

test("the unfit alone are evicted", async () => {
  const { pool, state } = counting(3);
  await pool.fill();
  pool.evict((n) => n === 2);
  expect(state.discarded).toEqual([2]);
  expect([await pool.take(), await pool.take()]).toEqual([1, 3]);
});
