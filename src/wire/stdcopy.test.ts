import { expect, test } from "bun:test";
import { encodeFrame, FrameDecoder } from "./stdcopy.ts";

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test("a frame is stream, three zeros, big-endian length, payload", () => {
  expect([...encodeFrame("stderr", Buffer.from("ab"))]).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 97, 98]);
});

test("frames come out whole wherever the bytes are cut", () => {
  const bytes = Buffer.concat([
    encodeFrame("stdout", Buffer.from("one")),
    encodeFrame("stderr", Buffer.alloc(0)),
    encodeFrame("system", Buffer.from("three")),
  ]);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const decoder = new FrameDecoder();
    const frames = [bytes.subarray(0, cut), bytes.subarray(cut)].flatMap((part) =>
      decoder.push(part).map(({ stream, payload }) => [stream, text(payload)]),
    );
    expect(frames).toEqual([
      ["stdout", "one"],
      ["stderr", ""],
      ["system", "three"],
    ]);
    expect(decoder.pending).toBe(0);
  }
});

test("a stream that is not framed is refused", () => {
  expect(() => new FrameDecoder().push(Buffer.from("hello world"))).toThrow("multiplexed");
  const huge = Uint8Array.of(1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff);
  expect(() => new FrameDecoder().push(huge)).toThrow("4294967295 bytes");
});
