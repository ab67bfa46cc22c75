import { describe, expect, test } from "bun:test";
import { encodeFrame } from "#wire";
import { outcome } from "../base/testing.ts";
import { demux } from "./demux.ts";

async function* stream(...pieces: readonly Uint8Array[]) {
  yield* pieces;
}

async function read(source: AsyncIterable<Uint8Array>) {
  const text = { stdout: "", stderr: "" };
  for await (const part of demux(source)) text[part.stream] += Buffer.from(part.bytes).toString();
  return text;
}

const frames = Buffer.concat([
  encodeFrame("stdout", Buffer.from("hello ")),
  encodeFrame("stderr", Buffer.from("oh")),
  encodeFrame("stdout", Buffer.from("")),
  encodeFrame("stdout", Buffer.from("you")),
]);

describe("demux", () => {
  const want = { stdout: "hello you", stderr: "oh" };

  test("in one piece, and however the bytes arrive", async () => {
    expect(await read(stream(frames))).toEqual(want);
    for (let size = 1; size < 20; size++) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < frames.length; at += size) pieces.push(frames.subarray(at, at + size));
      expect(await read(stream(...pieces))).toEqual(want);
    }
  });

  test("a frame of four gigabytes is passed on as it comes", async () => {
    const header = Uint8Array.of(1, 0, 0, 0, 255, 255, 255, 255);
    const parts = demux(stream(header, Buffer.alloc(1 << 20), Buffer.alloc(1 << 20)));
    expect((await parts.next()).value?.bytes.byteLength).toBe(1 << 20);
    expect((await parts.next()).value?.bytes.byteLength).toBe(1 << 20);
    expect(await outcome(parts.next())).toThrow("in the middle of a frame");
  });

  test("an error of the engine inside the stream is thrown", async () => {
    const broken = Buffer.concat([frames, encodeFrame("system", Buffer.from("log is gone"))]);
    expect(await outcome(read(stream(broken)))).toThrow("log is gone");
  });

  test.each([
    ["no frames at all", Buffer.from("plain text of a terminal")],
    ["an unknown stream", Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0)],
  ])("%s is refused", async (_, bytes) => {
    expect(await outcome(read(stream(bytes)))).toThrow("without its frame header");
  });

  test("half a header is refused", async () => {
    expect(await outcome(read(stream(frames.subarray(0, 4))))).toThrow("in the middle of a frame");
  });
});
