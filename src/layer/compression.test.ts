import { expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { collect, Fault } from "#base";
import { type Compression, compress, decompress, detectCompression } from "./index.ts";

async function* stream(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const text = Buffer.from("a layer of some length, ".repeat(6_000));
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
    const packed = await all(compress(stream(text), choiceOf(compression)));
    expect(detectCompression(packed)).toBe(compression);
    expect(packed.equals(await all(compress(stream(text, 7777), choiceOf(compression))))).toBe(
      true,
    );
    for (const size of [1, 3, 100_000]) {
      if (size < 10 && compression === "none") continue;
      expect((await all(decompress(stream(packed, size)))).equals(text)).toBe(true);
    }
  },
);

const choiceOf = (compression: "none" | "gzip" | "zstd") =>
  compression === "none" ? compression : { format: compression };

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

/** `printf 'packed by xz' | xz | base64` */
const xz = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQALcGFja2VkIGJ5IHh6APmK06pKgvQQAAEkDKYY2NgftvN9AQAAAAAEWVo=",
  "base64",
);

test("xz is read, but not as a layer; bzip2 is named", async () => {
  for (let i = 0; i < 2; i++) {
    expect((await all(decompress(stream(xz, 7)))).toString()).toBe("packed by xz");
    expect((await fault(all(decompress(stream(xz.subarray(0, 40)))))).code).toBe("invalid");
    expect((await fault(all(decompress(stream(xz.subarray(0, 20), 5))))).code).toBe("invalid");
  }
  expect(() => detectCompression(xz)).toThrow("xz");
  const bzip2 = await fault(all(decompress(stream(Buffer.from("BZh91AY")))));
  expect([bzip2.code, bzip2.message]).toEqual(["unsupported", expect.stringContaining("bzip2")]);
});

test("zeros after gzip data are passed over, anything else after the data is not", async () => {
  const member = gzipSync("all");
  for (const size of [1, 7, 5000]) {
    const padded = Buffer.concat([member, Buffer.alloc(3000)]);
    let read = 0;
    const counted = async function* () {
      for await (const chunk of stream(padded, size)) {
        read += chunk.length;
        yield chunk;
      }
    };
    expect((await all(decompress(counted()))).toString()).toBe("all");
    expect(read).toBe(padded.length);
    for (const packed of [member, zstdCompressSync("all")]) {
      const trailing = Buffer.concat([packed, Buffer.from("and something else")]);
      expect((await fault(all(decompress(stream(trailing, size))))).code).toBe("invalid");
    }
  }
});

/** Of the kind that zstd:chunked and eStargz put around their tables. */
test("skippable zstd frames and empty gzip members are passed over", async () => {
  const skipped = Buffer.concat([
    Buffer.from("502a4d18", "hex"),
    Buffer.from([5, 0, 0, 0]),
    Buffer.from("table"),
  ]);
  const zstd = [skipped, zstdCompressSync("one "), skipped, zstdCompressSync("two"), skipped];
  const footer = Buffer.from(
    "1f8b08040000000000ff1a00534716003030303030303030303030303034633053544152475a010000ffff0000000000000000",
    "hex",
  );
  const gzip = [gzipSync("one "), gzipSync(""), gzipSync("two"), footer];
  for (const parts of [zstd, gzip]) {
    for (const size of [1, 11, 5000]) {
      const bytes = Buffer.concat(parts);
      expect((await all(decompress(stream(bytes, size)))).toString()).toBe("one two");
    }
  }
});

test("zstd that needs much memory is refused", async () => {
  // A frame header (RFC 8878, 3.1.1.1) with a window of 64 MiB, and an empty last block.
  const frame = Buffer.from("28b52ffd0080010000", "hex");
  const error = await fault(all(decompress(stream(frame))));
  expect([error.code, error.message]).toEqual(["unsupported", expect.stringContaining("32 MiB")]);
  frame[5] = 0x78;
  expect((await all(decompress(stream(frame)))).length).toBe(0);
});

test("bombs end before they have gone off", async () => {
  const ones = Buffer.alloc(4 << 20, 1);
  for (const bomb of [gzipSync(ones), zstdCompressSync(ones)]) {
    const ratio = { ratio: 20, allowance: 1 << 20 };
    const tooMuch = await fault(all(decompress(stream(bomb), ratio)));
    expect([tooMuch.code, tooMuch.message]).toEqual(["exhausted", expect.stringContaining("bomb")]);
    expect((await fault(all(decompress(stream(bomb), { bytes: 1 << 20 })))).code).toBe("exhausted");
    expect((await all(decompress(stream(bomb)))).length).toBe(ones.length);
  }
});

test("zeros have a limit of their own, since they take no room", async () => {
  const limits = { ratio: 20, allowance: 1 << 20 };
  const zeros = Buffer.alloc(4 << 20);
  for (const packed of [gzipSync(zeros), zstdCompressSync(zeros)]) {
    expect((await all(decompress(stream(packed), limits))).length).toBe(zeros.length);
    const tooMuch = await fault(all(decompress(stream(packed), { ...limits, zeros: 2 << 20 })));
    expect([tooMuch.code, tooMuch.message]).toEqual(["exhausted", expect.stringContaining("bomb")]);
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
