import { expect, test } from "bun:test";
import type { ChainId, DiffId, Digest } from "#image";
import { openState } from "#state";
import { CacheStore } from "./cache-store.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as Digest;

function opened() {
  const state = openState(":memory:");
  const pins = new Map<string, readonly string[]>();
  const gone = new Set<string>();
  let now = 0n;
  const content = {
    pin: (holder: string, { layers }: { layers: readonly ChainId[] }) =>
      void pins.set(holder, layers),
    unpin: async (holders: readonly string[]) => {
      for (const holder of holders) pins.delete(holder);
      return holders.length;
    },
    has: (blob: Digest) => !gone.has(blob),
  };
  const clock = { now: () => (now += 1_000_000n) };
  return { cache: new CacheStore({ state, content, clock }), pins, gone };
}

function step(letter: string, description = "[1/1] RUN x") {
  const blob = { mediaType: "m", digest: digest(letter), size: 10 };
  const layers = [{ diffId: digest(letter) as unknown as DiffId, blob, size: 5 }];
  const places = [digest(letter) as unknown as ChainId];
  return { layers, parts: { argv: letter }, description, places };
}

test("a result is found by its key as long as its blobs are there", async () => {
  const { cache, pins, gone } = opened();
  const { places: _, ...plain } = step("a");
  await cache.put("one", step("a"));
  expect(cache.find("one")).toEqual(plain);
  expect(cache.find("two")).toBeUndefined();
  expect([...pins]).toEqual([["build one", [digest("a")]]]);
  gone.add(digest("a"));
  expect(cache.find("one")).toBeUndefined();
});

test("a later result takes the place of an earlier one, and its pin", async () => {
  const { cache, pins } = opened();
  await cache.put("one", step("a"));
  await cache.put("one", step("b"));
  expect(cache.find("one")?.parts).toEqual({ argv: "b" });
  expect([...pins.values()]).toEqual([[digest("b") as unknown as string]]);
});

test("what was used longest ago comes first, and what a build holds is not removed", async () => {
  const { cache } = opened();
  for (const key of ["one", "two", "three"]) await cache.put(key, step("a"));
  cache.touch(["one"]);
  expect(cache.list().map(({ key, uses }) => [key, uses])).toEqual([
    ["two", 1],
    ["three", 1],
    ["one", 2],
  ]);
  const held = cache.hold("two");
  expect(await cache.remove(["two", "three"])).toBe(1);
  held[Symbol.dispose]();
  expect(await cache.remove(["two"])).toBe(1);
  expect(cache.list().map(({ key }) => key)).toEqual(["one"]);
});

test("steps are alike by their name, or else by their place", async () => {
  const { cache } = opened();
  await cache.put("one", step("a", "[2/5] RUN a"));
  await cache.put("two", step("b", "[2/5] RUN b"));
  await cache.put("three", step("c", "[3/5] RUN a"));
  expect(cache.alike("[2/5] RUN a").map(({ parts }) => parts.argv)).toEqual(["a"]);
  expect(cache.alike("[2/5] RUN c").map(({ parts }) => parts.argv)).toEqual(["b", "a"]);
  expect(cache.alike("[4/5] RUN a")).toEqual([]);
});
