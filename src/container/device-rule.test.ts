import { expect, test } from "bun:test";
import { parseDeviceRule } from "./device-rule.ts";

const rule = (type: string, major: number, minor: number, access: string) => ({
  ...{ allow: true, type, major, minor, access },
});

test.each([
  ["c 1:3 r", [rule("c", 1, 3, "r")]],
  ["b 8:* rw", [rule("b", 8, -1, "rw")]],
  ["c 1:3 rr", [rule("c", 1, 3, "r")]],
  ["a *:* rwm", [rule("a", -1, -1, "rwm")]],
  // The kernel would allow every access to every device.
  ["a *:* r", [rule("b", -1, -1, "r"), rule("c", -1, -1, "r")]],
  ["a 1:3 rwm", [rule("b", 1, 3, "rwm"), rule("c", 1, 3, "rwm")]],
])("%s", (text, rules) => {
  expect(parseDeviceRule(text)).toEqual(rules as never);
});

test.each(["", "x 1:2 r", "c 1:3", "c 1:3 x", "c 1:3 rwm more", "c -1:3 r", "c 1:3 r\n"])(
  "%j is refused",
  (text) => {
    expect(() => parseDeviceRule(text)).toThrow(`invalid device cgroup rule format: '${text}'`);
  },
);
