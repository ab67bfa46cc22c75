import { expect, test } from "bun:test";
import { inParallel } from "./in-parallel.ts";
import { outcome } from "./testing.ts";

test("so many at a time, in their order, each once", async () => {
  const begun: number[] = [];
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const all = inParallel([0, 1, 2, 3, 4], 2, async (item) => {
    begun.push(item);
    await gates[item]?.promise;
  });
  expect(begun).toEqual([0, 1]);
  gates[1]?.resolve();
  await gates[1]?.promise;
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  await all;
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});

test("the first failure tells the others, begins nothing more and is thrown when all have ended", async () => {
  const ended: string[] = [];
  const all = inParallel(["fails", "waits", "later"], 2, async (item, signal) => {
    if (item === "fails") throw new Error("first");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    ended.push(item);
    throw new Error("second");
  });
  expect(await outcome(all)).toThrow("first");
  expect(ended).toEqual(["waits"]);
});
