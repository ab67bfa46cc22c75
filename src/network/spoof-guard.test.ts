import { expect, test } from "bun:test";
import { linkLocalOf } from "./spoof-guard.ts";

test.each([
  ["02:42:0a:07:05:09", "fe80::42:aff:fe07:509"],
  ["fe:ff:ff:ff:ff:ff", "fe80::fcff:ffff:feff:ffff"],
  ["00:00:00:00:00:01", "fe80::200:ff:fe00:1"],
])("an interface with the MAC address %s has %s on its link", (mac, address) => {
  expect(linkLocalOf(mac)).toBe(address);
});
