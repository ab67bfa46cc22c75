import { expect, test } from "bun:test";
import { AcknowledgementReader } from "./acknowledgement.ts";

const answer = (text: string) => Buffer.from(`\x81\xa3ack${text}`, "latin1");

test("acknowledgements are read whole, however they arrive", () => {
  const reader = new AcknowledgementReader();
  const bytes = Buffer.concat([answer("\xa2ab"), answer(`\xd9\x21${"c".repeat(33)}`)]);
  const found: string[] = [];
  for (const byte of bytes) found.push(...reader.push(Buffer.from([byte])));
  expect(found).toEqual(["ab", "c".repeat(33)]);
  expect(reader.push(Buffer.concat([answer("\xa1x"), answer("\xa1y")]))).toEqual(["x", "y"]);
});

test.each(["HTTP/1.1 400", "\x82\xa3ack\xa1x", "\x81\xa3nak\xa1x", "\x81\xa3ack\x01", "\xc1"])(
  "%j is refused",
  (text) => {
    expect(() => new AcknowledgementReader().push(Buffer.from(text, "latin1"))).toThrow();
  },
);

test("an acknowledgement that does not end is refused", () => {
  const reader = new AcknowledgementReader();
  expect(reader.push(answer("\xda\xff\xff"))).toEqual([]);
  expect(() => reader.push(Buffer.alloc(5000, "x"))).toThrow("too long");
});
