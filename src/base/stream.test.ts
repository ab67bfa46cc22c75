import { expect, test } from "bun:test";
import { limitStalls } from "./stream.ts";
import { outcome } from "./testing.ts";

const text = async (source: AsyncIterable<Uint8Array>) =>
  Buffer.concat(await Array.fromAsync(source)).toString();

test("a stream that goes on passes whole, however slow its reader is", async () => {
  const source = async function* () {
    for (const part of ["a", "b", "c"]) yield Buffer.from(part);
  };
  let seen = "";
  for await (const bytes of limitStalls(source(), 20, "the archive")) {
    await Bun.sleep(30);
    seen += Buffer.from(bytes).toString();
  }
  expect(seen).toBe("abc");
});

test("one that stands still ends with a fault, and its source is told", async () => {
  const ended = Promise.withResolvers<void>();
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<Uint8Array>>(() => undefined),
      return: async () => {
        ended.resolve();
        return { done: true as const, value: undefined };
      },
    }),
  };
  const fault = await outcome(text(limitStalls<Uint8Array>(source, 10, "the archive")));
  expect(fault).toThrow("the archive stood still for 0.01 s");
  await ended.promise;
});

test("a fault of the source is passed on", async () => {
  const source = async function* () {
    yield Buffer.from("a");
    throw new Error("torn");
  };
  expect(await outcome(text(limitStalls(source(), 1000, "the archive")))).toThrow("torn");
});
