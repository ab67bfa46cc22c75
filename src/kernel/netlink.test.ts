import { expect, test } from "bun:test";
import { constants } from "node:os";
import { Fault } from "#base";
import {
  decodeReplies,
  encodeRequests,
  FIRST_SEQUENCE,
  InterruptedDump,
  listAttributes,
  listMessages,
  type NetlinkRequest,
  NetlinkWriter,
  readAttributes,
  readText,
} from "./netlink.ts";

const request: NetlinkRequest = {
  type: 16,
  flags: 4,
  body: new Uint8Array(5),
  verb: "try",
  about: "x",
};

function message(type: number, flags: number, sequence: number, body: Uint8Array): Buffer {
  const writer = new NetlinkWriter()
    .u32(16 + body.length)
    .u16(type)
    .u16(flags);
  writer
    .u32(FIRST_SEQUENCE + sequence)
    .u32(0)
    .bytes(body)
    .bytes(new Uint8Array(-body.length & 3));
  return Buffer.from(writer.done());
}

function ack(
  errno: number,
  sequence = 1,
  flags = 0,
  extra: Uint8Array = new Uint8Array(0),
): Buffer {
  const body = new NetlinkWriter().u32(-errno).u32(21).u16(16).u16(0).u32(sequence).u32(0);
  return message(2, flags, sequence, body.bytes(extra).done());
}

test("attributes are padded to four bytes and nest", () => {
  const bytes = new NetlinkWriter()
    .text(3, "lo")
    .nested(18, (w) => w.text(1, "veth").number(4, 7))
    .done();
  expect(bytes.toString("hex")).toBe(
    "070003006c6f0000" + "18001280" + "0900010076657468" + "00000000" + "0800040007000000",
  );
  const read = readAttributes(bytes);
  expect(readText(read.get(3))).toBe("lo");
  expect(readText(readAttributes(read.get(18) ?? Buffer.alloc(0)).get(1))).toBe("veth");
});

test("a message longer than the writer's first buffer stays whole", () => {
  const writer = new NetlinkWriter();
  for (let i = 0; i < 500; i++) writer.number(1, i);
  const values = [...listAttributes(writer.done())].map(([, value]) => value.readUInt32LE());
  expect(values).toEqual(Array.from({ length: 500 }, (_, i) => i));
});

test("attributes that lie about their length end the list", () => {
  for (const hex of ["03000100", "ff000100aabbccdd", "0400", "00000000"])
    expect([...listAttributes(Buffer.from(hex, "hex"))]).toEqual([]);
});

test("requests are numbered, marked as requests and padded", () => {
  const bytes = encodeRequests([request, request]);
  expect(bytes.length).toBe(48);
  expect([bytes.readUInt32LE(0), bytes.readUInt16LE(6), bytes.readUInt32LE(8)]).toEqual([
    21,
    5,
    FIRST_SEQUENCE + 1,
  ]);
  expect(bytes.readUInt32LE(24 + 8)).toBe(FIRST_SEQUENCE + 2);
});

test("a notice tells whether its change was this process's", () => {
  const other = message(16, 0, 1 - FIRST_SEQUENCE, new Uint8Array(4));
  const notices = [...listMessages(Buffer.concat([encodeRequests([request]), other]))];
  expect(notices.map(({ isOwn }) => isOwn)).toEqual([true, false]);
});

test("answers go to their requests, acknowledgements vanish", () => {
  const bytes = Buffer.concat([
    message(16, 2, 2, Buffer.from("aabbccdd", "hex")),
    message(16, 2, 2, Buffer.from("11", "hex")),
    message(3, 2, 2, new Uint8Array(4)),
    ack(0, 1),
  ]);
  const [first, second] = decodeReplies(bytes, [request, request]);
  expect(first).toEqual([]);
  expect(second?.map((reply) => reply.body.toString("hex"))).toEqual(["aabbccdd", "11"]);
});

test("a refusal names the request and gives the kernel's words", () => {
  const words = new NetlinkWriter().text(1, "Nexthop has invalid gateway").done();
  const NLM_F_CAPPED = 0x100;
  const NLM_F_ACK_TLVS = 0x200;
  const bytes = ack(constants.errno.EINVAL, 1, NLM_F_CAPPED | NLM_F_ACK_TLVS, words);
  try {
    decodeReplies(bytes, [request]);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(Fault);
    expect((error as Fault).code).toBe("invalid");
    expect((error as Fault).message).toBe(
      "cannot try x: Nexthop has invalid gateway (netlink: EINVAL)",
    );
  }
});

test("the whole request may come back before the kernel's words", () => {
  const words = new NetlinkWriter().text(1, "no").done();
  const echo = Buffer.concat([new Uint8Array(8), words]);
  expect(() => decodeReplies(ack(constants.errno.EPERM, 1, 0x200, echo), [request])).toThrow(
    "cannot try x: no (netlink: EPERM)",
  );
});

test("a dump that was interrupted is told apart, a cut answer is a fault", () => {
  expect(() => decodeReplies(message(16, 0x12, 1, new Uint8Array(4)), [request])).toThrow(
    InterruptedDump,
  );
  const cut = ack(0).subarray(0, 18);
  expect(() => decodeReplies(cut, [request])).toThrow("cut off");
});
