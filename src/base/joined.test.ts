import { expect, test } from "bun:test";
import { Joined } from "./joined.ts";

function result() {
  const made = { disposed: 0, [Symbol.asyncDispose]: async () => void made.disposed++ };
  return made;
}

test("a caller that comes while it is under way shares it and its progress, and the last disposes of it", async () => {
  const joined = new Joined<string, ReturnType<typeof result>, number>();
  const gate = Promise.withResolvers<void>();
  const made = result();
  const told: string[] = [];
  let begun = 0;
  const share = (name: string) =>
    joined.share(
      "key",
      {
        start: async (_, report) => {
          begun++;
          report(1);
          await gate.promise;
          report(2);
          return made;
        },
        onReport: (n) => told.push(`${name}${n}`),
      },
      async (got) => got.disposed,
    );
  const both = [share("a"), share("b")];
  expect(joined.has("key")).toBe(true);
  gate.resolve();
  expect(await Promise.all(both)).toEqual([0, 0]);
  expect([begun, made.disposed, told]).toEqual([1, 1, ["b1", "a2", "b2"]]);
  expect(joined.has("key")).toBe(false);
});

test("a caller that comes late is told the last reports, and no more than are kept", async () => {
  const joined = new Joined<string, ReturnType<typeof result>, number>(2);
  const gate = Promise.withResolvers<void>();
  const told: number[] = [];
  const start = async (_: AbortSignal, report: (progress: number) => void) => {
    for (const progress of [1, 2, 3]) report(progress);
    await gate.promise;
    return result();
  };
  const first = joined.share("key", { start }, async () => undefined);
  const onReport = (progress: number) => told.push(progress);
  const second = joined.share("key", { start, onReport }, async () => undefined);
  expect(told).toEqual([2, 3]);
  gate.resolve();
  await Promise.all([first, second]);
});

test("it stops when the last caller has gone, who waits until it has cleaned up", async () => {
  const joined = new Joined<string, ReturnType<typeof result>, number>();
  const stops = [new AbortController(), new AbortController()];
  let cleaned = false;
  const work = (signal: AbortSignal) =>
    joined.share(
      "key",
      {
        start: async (stop) => {
          await new Promise((resolve) => stop.addEventListener("abort", resolve));
          await Promise.resolve();
          cleaned = true;
          throw new Error("stopped");
        },
        signal,
      },
      async () => undefined,
    );
  const codes = stops.map(({ signal }) => work(signal).catch((error) => [error.code, cleaned]));
  stops[0]?.abort();
  expect(await codes[0]).toEqual(["canceled", false]);
  stops[1]?.abort();
  expect(await codes[1]).toEqual(["canceled", true]);
});

test("the failure of another is tried again as one's own, one's own is not", async () => {
  const joined = new Joined<string, ReturnType<typeof result>, number>();
  const tried: string[] = [];
  const work = (name: string, fails: boolean) =>
    joined.share(
      "key",
      {
        start: async () => {
          tried.push(name);
          await Promise.resolve();
          if (fails) throw new Error(name);
          return result();
        },
      },
      async () => name,
    );
  const outcomes = await Promise.allSettled([work("a", true), work("b", true), work("c", false)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
  expect(tried).toEqual(["a", "b", "c"]);
});
