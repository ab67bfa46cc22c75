import { expect, test } from "bun:test";
import { outcome } from "../base/testing.ts";
import { Leases } from "./leases.ts";

function leases() {
  const time = { now: 1_000_000 };
  return { time, leases: new Leases(() => time.now, 10_000) };
}

const nothing = async () => undefined;

test("a key is held while it is pinned, and for the grace time after", async () => {
  const { leases: held, time } = leases();
  const first = await held.pin(["k"]);
  const second = await held.pin(["k", "other"]);
  time.now += 100_000;
  first[Symbol.dispose]();
  expect(held.holds("k")).toBe(true);
  second[Symbol.dispose]();
  time.now += 9_999;
  expect(held.holds("k")).toBe(true);
  expect(await held.remove("k", nothing)).toBe(false);
  time.now += 1;
  expect(held.holds("k")).toBe(false);
  expect(await held.remove("k", nothing)).toBe(true);
});

test("a missing object leaves no lease", async () => {
  const { leases: held } = leases();
  const pin = await held.pin(["k"]);
  pin.lapse();
  expect(held.holds("k")).toBe(true);
  pin[Symbol.dispose]();
  expect(held.holds("k")).toBe(false);
});

test("a collection spares objects pinned since it began, however short its grace is", async () => {
  const { leases: held, time } = leases();
  (await held.pin(["before"]))[Symbol.dispose]();
  const during = await held.pin(["under way"]);
  time.now += 1;
  held.beginCollection(0);
  (await held.pin(["since"]))[Symbol.dispose]();
  during[Symbol.dispose]();
  time.now += 1_000_000;
  expect(["before", "under way", "since"].map((key) => held.holds(key))).toEqual([
    false,
    true,
    true,
  ]);
  held.endCollection();
  expect(held.holds("since")).toBe(false);
});

test("a pin on an object that is being removed waits until it is gone", async () => {
  const { leases: held } = leases();
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const removing = held.remove("k", async () => {
    await promise;
    order.push("removed");
  });
  const pinning = held.pin(["k"]).then(() => order.push("pinned"));
  expect(await held.remove("k", nothing)).toBe(false);
  resolve();
  expect(await removing).toBe(true);
  await pinning;
  expect(order).toEqual(["removed", "pinned"]);
});

test("a removal that fails frees the key", async () => {
  const { leases: held } = leases();
  const failing = held.remove("k", async () => {
    throw new Error("no");
  });
  expect(await outcome(failing)).toThrow("no");
  (await held.pin(["k"]))[Symbol.dispose]();
  expect(held.holds("k")).toBe(true);
});
