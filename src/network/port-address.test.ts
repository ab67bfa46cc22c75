import { expect, test } from "bun:test";
import { addressBytes, isLoopback } from "./port-address.ts";

test.each([
  ["10.0.0.255", "0a0000ff"],
  ["::", "0".repeat(32)],
  ["::1", `${"0".repeat(31)}1`],
  ["fd00:1::ab", "fd0000010000000000000000000000ab"],
  ["::ffff:10.1.2.3", "00000000000000000000ffff0a010203"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
])("%s is %s", (text, hex) => {
  expect(Buffer.from(addressBytes(text)).toString("hex")).toBe(hex);
});

test.each(["", "host", "1.2.3", "1.2.3.256", "::1%lo", "1::2::3"])("%j is none", (text) => {
  expect(() => addressBytes(text)).toThrow(`invalid IP address: ${text}`);
});

test("loopback is 127.0.0.0/8 and ::1", () => {
  expect(["127.0.0.1", "127.9.9.9", "::1"].map(isLoopback)).toEqual([true, true, true]);
  expect(["126.0.0.1", "0.0.0.0", "::", "::2", "fd00::1"].map(isLoopback)).not.toContain(true);
});
