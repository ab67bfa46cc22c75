import { expect, test } from "bun:test";
import { Chunker, minAverage, spread } from "./chunker.ts";
import { randomBytes } from "./testing.ts";

function cut(bytes: Uint8Array, pieces = [bytes.length], secret?: Uint8Array): string[] {
  const chunker = new Chunker({ average: minAverage, secret });
  const chunks: string[] = [];
  const keep = (chunk: Uint8Array) => chunks.push(Buffer.from(chunk).toString("latin1"));
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = pieces[i % pieces.length] ?? 1;
    for (const chunk of chunker.push(bytes.subarray(at, at + size))) keep(chunk);
    at += size;
  }
  for (const chunk of chunker.finish()) keep(chunk);
  return chunks;
}

const bytes = randomBytes(2 << 20, "boundaries");

test("chunks make up the stream, within their bounds and near the average", () => {
  const chunks = cut(bytes);
  expect(Buffer.from(chunks.join(""), "latin1").equals(bytes)).toBe(true);
  const lengths = chunks.slice(0, -1).map(({ length }) => length);
  expect(Math.min(...lengths)).toBeGreaterThan(minAverage / spread);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(minAverage * spread);
  const average = bytes.length / chunks.length;
  expect(average).toBeGreaterThan(minAverage * 0.7);
  expect(average).toBeLessThan(minAverage * 1.5);
});

test("boundaries do not depend on how the stream arrives", () => {
  const whole = cut(bytes);
  expect(cut(bytes, [1021])).toEqual(whole);
  expect(cut(bytes.subarray(0, 60_000), [1])).toEqual(cut(bytes.subarray(0, 60_000)));
  expect(cut(bytes, [70_000, 3, 1, 128 << 10])).toEqual(whole);
});

test("an insertion, a removal or a change gives few new chunks", () => {
  const before = new Set(cut(bytes));
  const at = 1_000_003;
  const edits = {
    inserted: Buffer.concat([bytes.subarray(0, at), Buffer.from("x"), bytes.subarray(at)]),
    removed: Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 100)]),
    prefixed: Buffer.concat([randomBytes(777, "prefix"), bytes]),
  };
  for (const [edit, edited] of Object.entries(edits)) {
    const fresh = cut(edited).filter((chunk) => !before.has(chunk));
    expect({ edit, few: fresh.length <= 6 }).toEqual({ edit, few: true });
    expect(fresh.length).toBeGreaterThan(0);
  }
});

test("a secret moves the boundaries", () => {
  const plain = new Set(cut(bytes));
  const hidden = cut(bytes, [bytes.length], Buffer.from("secret"));
  expect(hidden.filter((chunk) => plain.has(chunk)).length).toBeLessThan(hidden.length / 20);
  expect(cut(bytes, [4096], Buffer.from("secret"))).toEqual(hidden);
});

test("zeros become chunks of the greatest length, and nothing becomes none", () => {
  const lengths = cut(Buffer.alloc(100_000)).map(({ length }) => length);
  expect(new Set(lengths.slice(0, -1))).toEqual(new Set([minAverage * spread]));
  expect(cut(Buffer.alloc(0))).toEqual([]);
});

test("an average that is no power of two, or out of bounds, is refused", () => {
  for (const average of [0, 1, 5000, 8 << 20, Number.NaN])
    expect(() => new Chunker({ average })).toThrow("a power of two from 4096 to 4194304");
});
