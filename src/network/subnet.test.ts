import { expect, test } from "bun:test";
import {
  containsAddress,
  formatAddress,
  formatSubnet,
  overlaps,
  parseAddress,
  parseSubnet,
  subnetOf,
} from "./subnet.ts";

test("addresses there and back", () => {
  for (const text of ["0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "fd00::2", "ff02::1"])
    expect(formatAddress(parseAddress(text) ?? { version: 4, value: 0n })).toBe(text);
  for (const text of ["", "1.2.3", "1.2.3.256", "1.2.3.4.5", "fe80::1%lo", "a.b.c.d", "1.2.3.4/8"])
    expect(parseAddress(text)).toBeUndefined();
});

test("networks have no host bits", () => {
  for (const text of ["172.20.0.0/16", "0.0.0.0/0", "fd00:1::/64", "::/0", "fd00::1/128"])
    expect(formatSubnet(parseSubnet(text))).toBe(text);
  for (const text of ["172.20.0.1/16", "172.20.0.0", "172.20.0.0/33", "172.20.0.0/x", "/16", ""])
    expect(() => parseSubnet(text)).toThrow("is not a network");
  for (const text of ["fd00::1/64", "fd00::/129", "fd00::", "fd00::/64/1"])
    expect(() => parseSubnet(text)).toThrow("is not a network");
  const within = (text: string, length: number) =>
    formatSubnet(subnetOf(parseAddress(text) ?? { version: 4, value: 0n }, length));
  expect(within("192.168.77.9", 20)).toBe("192.168.64.0/20");
  expect(within("fd00:0:0:7fff::9", 50)).toBe("fd00:0:0:4000::/50");
});

test("networks overlap when one contains the other", () => {
  const yes = (a: string, b: string) => overlaps(parseSubnet(a), parseSubnet(b));
  expect(yes("172.20.0.0/16", "172.20.5.0/24")).toBe(true);
  expect(yes("172.20.5.0/24", "172.16.0.0/12")).toBe(true);
  expect(yes("172.20.0.0/16", "172.21.0.0/16")).toBe(false);
  expect(yes("255.0.0.0/8", "255.255.255.255/32")).toBe(true);
  expect(yes("fd00::/8", "fd12:3456::/64")).toBe(true);
  expect(yes("fd00:1::/64", "fd00:1:0:1::/64")).toBe(false);
  expect(yes("::/0", "10.0.0.0/8")).toBe(false);
});

test("an address is in a network of its own version alone", () => {
  expect(containsAddress("fd00::/64", "fd00:0:0::7")).toBe(true);
  expect(containsAddress("fd00::/64", "fd00:0:0:1::7")).toBe(false);
  expect(containsAddress("::/96", "0.0.0.7")).toBe(false);
  expect(containsAddress("fd00::/64", "x")).toBe(false);
});
