import { expect, test } from "bun:test";
import { random, rounds } from "../../base/testing.ts";
import { FrameReader, frame } from "./frame.ts";

test("messages come whole, however the stream is cut", () => {
  const number = random(5);
  for (let round = 0; round < rounds(50, 5_000); round++) {
    const messages = Array.from({ length: number(6) }, () =>
      Uint8Array.from({ length: number(2) ? number(10) : number(3_000) }, () => number(256)),
    );
    const stream = Buffer.concat(messages.map((each) => frame(each)));
    const reader = new FrameReader();
    const found: Uint8Array[] = [];
    for (let at = 0; at < stream.length; ) {
      const end = at + 1 + number(number(2) ? 4 : 2_000);
      found.push(...reader.push(stream.subarray(at, end)));
      at = end;
    }
    expect(found.map((each) => Buffer.from(each).toString("hex"))).toEqual(
      messages.map((each) => Buffer.from(each).toString("hex")),
    );
    expect(reader.isCut).toBe(false);
  }
});

test("a stream that ends within a message is known", () => {
  const reader = new FrameReader();
  expect([...reader.push(frame(Buffer.from("message")).subarray(0, 9))]).toEqual([]);
  expect(reader.isCut).toBe(true);
});

test("compressed and huge messages are refused before they have come", () => {
  const compressed = Buffer.from("0100000000", "hex");
  expect(() => [...new FrameReader().push(compressed)]).toThrow("compressed");
  const huge = Buffer.from("00ffffffff", "hex");
  expect(() => [...new FrameReader().push(huge)]).toThrow("at most 16777216 are accepted");
});
