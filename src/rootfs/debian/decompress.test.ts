import { expect, test } from "bun:test";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { collect } from "#base";
import { outcome, rejection } from "../../base/testing.ts";
import type { Compression } from "./archive.ts";
import { decompress } from "./decompress.ts";

const text = "hello ".repeat(100_000);
/** "hello xz\n", by xz(1). */
const xz = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jMAQAIaGVsbG8geHoKAAAAAMFJOvpjUhRaAAEhCWwYxdUftvN9AQAAAAAEWVo=",
  "base64",
);
/** 300,000 zero bytes in five blocks, by `xz --block-size=65536`. */
const xzBlocks = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4P//AExdAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLTL8U6PAFLsX7JiopNL6MN2X+m44wjEVPgWRjFdYrid/i2lH8MasDedElkXJ460QAAXmVPScoJryYCACEBFgAAAHQv5aPg//8ATF0AAG/9//+jt/9HPkgVcjlhUbiSKOajhgf57uQegtMvxTo8AUuxfsmKik0vow3Zf6bjjCMRU+BZGMV1iuJ3+LaUfwxqwN50SWRcnjrRAABeZU9JygmvJgIAIQEWAAAAdC/lo+D//wBMXQAAb/3//6O3/0c+SBVyOWFRuJIo5qOGB/nu5B6C0y/FOjwBS7F+yYqKTS+jDdl/puOMIxFT4FkYxXWK4nf4tpR/DGrA3nRJZFyeOtEAAF5lT0nKCa8mAgAhARYAAAB0L+Wj4P//AExdAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLTL8U6PAFLsX7JiopNL6MN2X+m44wjEVPgWRjFdYrid/i2lH8MasDedElkXJ460QAAXmVPScoJryYCACEBFgAAAHQv5aPgk98ARF0AAG/9//+jt/9HPkgVcjlhUbiSKOajhgf57uQegtMvxTo8AUuxfsmKik0vow3Zf6bjjCMRU+BZGMV1iuJ3+LaS8hnGgAAAC3ED5XMvcXIABWiAgARogIAEaICABGiAgARg4KcCAAASkzjQp4b2YAYAAAAABFla",
  "base64",
);

const unpack = (bytes: Uint8Array, compression: Compression, piece = 1000) =>
  collect(decompress(Readable.from(pieces(bytes, piece)), compression, "test"), 1 << 24, "test");

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

test("all four", async () => {
  expect((await unpack(Buffer.from(text), "none")).toString()).toBe(text);
  expect((await unpack(gzipSync(text), "gzip")).toString()).toBe(text);
  expect((await unpack(zstdCompressSync(text), "zstd")).toString()).toBe(text);
  expect((await unpack(xz, "xz")).toString()).toBe("hello xz\n");
  expect((await unpack(xzBlocks, "xz", 7)).equals(Buffer.alloc(300_000))).toBe(true);
});

test("damaged and truncated ones are data_loss", async () => {
  for (const [bytes, compression] of [
    [gzipSync(text), "gzip"],
    [zstdCompressSync(text), "zstd"],
    [xz, "xz"],
    [xzBlocks, "xz"],
  ] as const) {
    const half = bytes.subarray(0, bytes.byteLength >> 1);
    if (compression !== "zstd")
      expect(await rejection(unpack(half, compression))).toMatchObject({ code: "data_loss" });
    const changed = Buffer.from(bytes);
    changed[0] = (changed[0] ?? 0) ^ 0xff;
    expect(await rejection(unpack(changed, compression))).toMatchObject({ code: "data_loss" });
  }
});

test("after a damaged one the next is fine", async () => {
  expect(await outcome(unpack(xz.subarray(0, 20), "xz"))).toThrow();
  expect((await unpack(xz, "xz")).toString()).toBe("hello xz\n");
});
