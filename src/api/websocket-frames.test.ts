import { expect, test } from "bun:test";
import { encodeWebSocketFrame, WebSocketDecoder } from "./websocket-frames.ts";

const mask = [1, 2, 3, 4];

/** A frame of a client. */
function frame(first: number, text: string, lengthBytes: readonly number[] = []): Uint8Array {
  const payload = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  const short =
    lengthBytes.length === 0 ? payload.byteLength : lengthBytes.length === 2 ? 126 : 127;
  return Buffer.from([first, 0x80 | short, ...lengthBytes, ...mask, ...payload]);
}

test("messages, fragments and control frames come however they are cut", () => {
  const bytes = Buffer.concat([
    frame(0x82, "hello"),
    frame(0x01, "fra"),
    frame(0x89, "ping"),
    frame(0x80, "gment"),
    frame(0x82, "y".repeat(300), [1, 44]),
    frame(0x82, ""),
    frame(0x82, "long", [0, 0, 0, 0, 0, 0, 0, 4]),
    frame(0x88, "\x03\xe8"),
  ]);
  for (const size of [1, 2, 3, 7, 64, bytes.byteLength]) {
    const decoder = new WebSocketDecoder();
    const parts = [];
    for (let at = 0; at < bytes.byteLength; at += size)
      parts.push(...decoder.push(bytes.subarray(at, at + size)));
    const data = parts.filter(({ kind }) => kind === "data").map(({ payload }) => payload);
    expect(Buffer.concat(data).toString()).toBe(`hellofragment${"y".repeat(300)}long`);
    const control = parts.filter(({ kind }) => kind !== "data");
    expect(control.map(({ kind, payload }) => [kind, Buffer.from(payload).toString()])).toEqual([
      ["ping", "ping"],
      ["close", "\x03\xe8"],
    ]);
  }
});

test.each([
  ["is not masked", [0x82, 5]],
  ["uses an extension that was not agreed on", [0xc2, 0x80]],
  ["has the opcode 3", [0x83, 0x80]],
  ["controls the connection and is not whole", [0x09, 0x80]],
  ["controls the connection and is not whole", [0x89, 0xfe, 0, 200]],
])("a frame that %s is refused", (why, head) => {
  const decoder = new WebSocketDecoder();
  expect(() => decoder.push(Buffer.from([...head, 0, 0, 0, 0, 0, 0]))).toThrow(why);
});

test.each([0, 125, 126, 65_535, 65_536])("a server's frame of %i bytes", (length) => {
  const bytes = encodeWebSocketFrame("binary", new Uint8Array(length).fill(7));
  const extended = length <= 125 ? 0 : length < 65_536 ? 2 : 8;
  expect(bytes.byteLength).toBe(2 + extended + length);
  expect([...bytes.subarray(0, 2)]).toEqual([
    0x82,
    extended === 0 ? length : extended === 2 ? 126 : 127,
  ]);
});
