import { expect, test } from "bun:test";
import { formatIp, parseIp } from "./ip-address.ts";

const hexOf = (text: string) => Buffer.from(parseIp(text) ?? []).toString("hex");

test.each([
  ["127.0.0.1", "7f000001", "127.0.0.1"],
  ["::", "0".repeat(32), "::"],
  ["::1", `${"0".repeat(31)}1`, "::1"],
  ["FD00:1::AB", "fd0000010000000000000000000000ab", "fd00:1::ab"],
  ["::ffff:10.1.2.3", "00000000000000000000ffff0a010203", "::ffff:10.1.2.3"],
  ["64:ff9b::1.2.3.4", "0064ff9b000000000000000001020304", "64:ff9b::102:304"],
  ["1:0:0:2:0:0:0:3", "00010000000000020000000000000003", "1:0:0:2::3"],
  ["1:0:2:0:3:0:4:0", "00010000000200000003000000040000", "1:0:2:0:3:0:4:0"],
  ["1:0:0:2:3:0:0:4", "00010000000000020003000000000004", "1::2:3:0:0:4"],
  ["fd00:0:0:5::", "fd000000000000050000000000000000", "fd00:0:0:5::"],
])("%s is read, and written in its shortest form", (text, hex, shortest) => {
  expect(hexOf(text)).toBe(hex);
  expect(formatIp(parseIp(text) ?? new Uint8Array())).toBe(shortest);
});

test.each(["", "host", "1.2.3", "1.2.3.256", "01.2.3.4", "::1%lo", "1::2::3", "1:2:3:4:5:6:7"])(
  "%j is no address",
  (text) => {
    expect(parseIp(text)).toBeUndefined();
  },
);
