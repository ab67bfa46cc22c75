import { describe, expect, test } from "bun:test";
import { isFault } from "#base";
import { random, rounds } from "../../base/testing.ts";
import { Control } from "./control-messages.ts";
import { Packet, PacketType } from "./file-messages.ts";
import { Gateway } from "./gateway-messages.ts";
import {
  bool,
  bytes,
  field,
  int64,
  map,
  message,
  optional,
  repeated,
  string,
  uint32,
} from "./message.ts";

const Point = message({ x: field(1, int64), y: field(2, int64) });
const Shape = message({
  name: field(1, string),
  filled: field(2, bool),
  corners: repeated(3, Point),
  center: optional(4, Point),
  labels: map(5, string),
  data: field(20, bytes),
});

test("a message survives its encoding", () => {
  const value = {
    ...{ name: "schön", filled: true, data: new Uint8Array([0, 255]) },
    corners: [
      { x: 1n, y: -1n },
      { x: 0n, y: 2n ** 63n - 1n },
    ],
    center: { x: 0n, y: 0n },
    labels: new Map([
      ["a", "b"],
      ["", "empty key"],
    ]),
  };
  expect(Shape.decode(Shape.encode(value))).toEqual(value);
});

test("the bytes are those of protobuf's encoding", () => {
  const encoded = Shape.encode({ name: "testing", center: { x: 150n }, labels: [["k", "v"]] });
  expect(Buffer.from(encoded).toString("hex")).toBe(
    "0a0774657374696e672203089601" + "2a060a016b120176",
  );
});

test("what is empty takes no bytes, and is there after decoding", () => {
  expect(Shape.encode({ name: "", filled: false, corners: [], labels: [] })).toHaveLength(0);
  expect(Shape.decode(new Uint8Array(0))).toEqual({
    ...{ name: "", filled: false, corners: [], center: undefined },
    ...{ labels: new Map(), data: new Uint8Array(0) },
  });
});

test("values of one message are no part of the next", () => {
  const encoded = Shape.encode({ corners: [{ x: 1n }], labels: [["a", "b"]] });
  Shape.decode(encoded);
  expect(Shape.decode(encoded).corners).toHaveLength(1);
  expect(Shape.decode(new Uint8Array(0)).labels.size).toBe(0);
});

test("fields that are not known are dropped", () => {
  const other = message({
    name: field(1, string),
    more: field(99, string),
    nested: optional(98, Shape),
  });
  const encoded = other.encode({ name: "n", more: "m", nested: { name: "x" } });
  expect(Shape.decode(encoded)).toMatchObject({ name: "n", filled: false });
});

test("numbers come packed or one by one", () => {
  const numbers = message({ fds: repeated(3, uint32) });
  for (const hex of ["1a0300ac02", "180018ac02", "1a010018ac02"])
    expect(numbers.decode(Buffer.from(hex, "hex")).fds).toEqual([0, 300]);
  for (const hex of ["1a0300ac", "1a0200ac02", "1d00000000"])
    expect(() => numbers.decode(Buffer.from(hex, "hex"))).toThrow("is not valid");
});

describe("bytes that are no message", () => {
  for (const [what, hex] of [
    ["a length beyond the end", "0a7f61"],
    ["a part that is longer than the whole", "22ff01"],
    ["another wire type", "0801"],
    ["an end in the middle of a number", "10ff"],
    ["a part whose field ends behind it", "2202080102"],
    ["a field of the number 0", "00"],
  ] as const)
    test(`${what} is invalid`, () => {
      expect(() => Shape.decode(Buffer.from(hex, "hex"))).toThrow("is not valid");
    });

  test("more entries than memory should hold are refused", () => {
    const bomb = new Uint8Array(2 * 300_000);
    for (let at = 0; at < bomb.length; at += 2) bomb[at] = 0x1a;
    expect(() => Shape.decode(bomb)).toThrow("more than 200000 entries");
  });

  test("random bytes give a message or a fault", () => {
    const number = random(26);
    const types = [Packet, Control.solve.request, Gateway.solve.request, Gateway.return.request];
    const valid = Packet.encode({
      ...{ type: PacketType.stat, id: 7, data: Buffer.from("data") },
      stat: { path: "a/b", mode: 0o644, size: 5n, modTime: 1_700_000_000_123_456_789n },
    });
    for (let round = 0; round < rounds(500, 300_000); round++) {
      const bytes = number(2)
        ? Uint8Array.from({ length: number(60) }, () => number(256))
        : Uint8Array.from(valid);
      if (bytes.length > 0) bytes[number(bytes.length)] = number(256);
      for (const type of types)
        try {
          type.decode(bytes);
        } catch (error) {
          expect(isFault(error)).toBe(true);
        }
    }
  });
});
