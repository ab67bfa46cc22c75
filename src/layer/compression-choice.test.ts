import { expect, test } from "bun:test";
import { parseCompression } from "./compression-choice.ts";

test("a format, and a level that it has", () => {
  expect(parseCompression("gzip")).toEqual({ format: "gzip", level: undefined });
  expect(parseCompression("gzip:9")).toEqual({ format: "gzip", level: 9 });
  expect(parseCompression("zstd:22")).toEqual({ format: "zstd", level: 22 });
  for (const text of [
    "",
    "none",
    "xz",
    "gzip:",
    "gzip:0",
    "gzip:10",
    "zstd:23",
    "zstd:-1",
    "zstd:1 ",
  ]) {
    expect(() => parseCompression(text)).toThrow("is not a compression");
  }
});
