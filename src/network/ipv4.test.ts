import { expect, test } from "bun:test";
import { formatIpv4, formatSubnet, overlaps, parseIpv4, parseSubnet, subnetOf } from "./ipv4.ts";

test("addresses there and back", () => {
  for (const text of ["0.0.0.0", "127.0.0.1", "172.20.0.2", "255.255.255.255"])
    expect(formatIpv4(parseIpv4(text) ?? -1)).toBe(text);
  for (const text of ["", "1.2.3", "1.2.3.256", "1.2.3.4.5", "::1", "a.b.c.d", "1.2.3.4/8"])
    expect(parseIpv4(text)).toBeUndefined();
});

test("networks have no host bits", () => {
  expect(formatSubnet(parseSubnet("172.20.0.0/16"))).toBe("172.20.0.0/16");
  expect(formatSubnet(parseSubnet("0.0.0.0/0"))).toBe("0.0.0.0/0");
  for (const text of ["172.20.0.1/16", "172.20.0.0", "172.20.0.0/33", "172.20.0.0/x", "/16", ""])
    expect(() => parseSubnet(text)).toThrow("not an IPv4 network");
  expect(formatSubnet(subnetOf(parseIpv4("192.168.77.9") ?? 0, 20))).toBe("192.168.64.0/20");
});

test("networks overlap when one contains the other", () => {
  const yes = (a: string, b: string) => overlaps(parseSubnet(a), parseSubnet(b));
  expect(yes("172.20.0.0/16", "172.20.5.0/24")).toBe(true);
  expect(yes("172.20.5.0/24", "172.16.0.0/12")).toBe(true);
  expect(yes("172.20.0.0/16", "172.21.0.0/16")).toBe(false);
  expect(yes("255.0.0.0/8", "255.255.255.255/32")).toBe(true);
});
