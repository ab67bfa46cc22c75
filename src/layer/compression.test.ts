import { expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { collect, Fault } from "#base";
import { type Compression, compress, decompress, detectCompression } from "./index.ts";

async function* stream(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const text = Buffer.from("a layer of some length, ".repeat(20_000));
const all = (source: AsyncIterable<Uint8Array>) => collect(source, 1 << 30, "test");

async function fault(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Fault) return error;
  throw new Error(`no fault but ${String(error)}`);
}

test.each<[Compression]>([["none"], ["gzip"], ["zstd"]])(
  "%s there and back, in chunks of any size",
  async (compression) => {
    const packed = await all(compress(stream(text), compression));
    expect(detectCompression(packed)).toBe(compression);
    expect(packed.equals(await all(compress(stream(text, 7777), compression)))).toBe(true);
    for (const size of [1, 3, 100_000]) {
      if (size < 10 && compression === "none") continue;
      expect((await all(decompress(stream(packed, size)))).equals(text)).toBe(true);
    }
  },
);

test("members after one another are one stream", async () => {
  const gzip = Buffer.concat([gzipSync("one "), gzipSync("two")]);
  expect((await all(decompress(stream(gzip)))).toString()).toBe("one two");
  const zstd = Buffer.concat([zstdCompressSync("one "), zstdCompressSync("two")]);
  expect((await all(decompress(stream(zstd)))).toString()).toBe("one two");
});

test("short and empty streams are plain", async () => {
  expect((await all(decompress(stream(Buffer.from("ab"))))).toString()).toBe("ab");
  expect((await all(decompress(stream(Buffer.alloc(0))))).length).toBe(0);
});

test.each<[string, Buffer, string]>([
  ["gzip cut off", gzipSync(text).subarray(0, 300), "gzip data is damaged or cut off"],
  ["gzip damaged", Buffer.from(gzipSync(text)).fill(0x55, 40, 60), "gzip data is damaged"],
  ["zstd cut off", zstdCompressSync(text).subarray(0, 30), "zstd data is damaged or cut off"],
  ["zstd damaged", Buffer.from(zstdCompressSync(text)).fill(0x55, 8, 20), "zstd data is damaged"],
])("%s is invalid", async (_, bytes, message) => {
  const error = await fault(all(decompress(stream(bytes))));
  expect(error.code).toBe("invalid");
  expect(error.message).toContain(message);
});

test("bzip2 and xz are named", async () => {
  expect((await fault(all(decompress(stream(Buffer.from("BZh91AY")))))).message).toContain("bzip2");
  expect((await fault(all(decompress(stream(Buffer.from("fd377a585a0000", "hex")))))).code).toBe(
    "unsupported",
  );
});

test("bombs end before they have gone off", async () => {
  const zeros = Buffer.alloc(8 << 20);
  for (const bomb of [gzipSync(zeros), zstdCompressSync(zeros)]) {
    const ratio = { ratio: 100, ratioFrom: 1 << 20 };
    const tooMuch = await fault(all(decompress(stream(bomb), ratio)));
    expect([tooMuch.code, tooMuch.message]).toEqual(["exhausted", expect.stringContaining("bomb")]);
    expect((await fault(all(decompress(stream(bomb), { bytes: 1 << 20 })))).code).toBe("exhausted");
    expect((await all(decompress(stream(bomb)))).length).toBe(zeros.length);
  }
});

test("a source that fails, and a reader that leaves early, close everything", async () => {
  let closed = 0;
  const source = async function* (fail: boolean) {
    try {
      yield gzipSync(text);
      if (fail) throw new Fault("canceled", "gone");
      yield gzipSync(text);
    } finally {
      closed++;
    }
  };
  expect((await fault(all(decompress(source(true))))).code).toBe("canceled");
  for await (const _ of decompress(source(false))) break;
  expect(closed).toBe(2);
});
