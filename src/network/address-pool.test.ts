import { expect, test } from "bun:test";
import { AddressPool, chooseSubnet, defaultCandidates } from "./address-pool.ts";
import { formatIpv4, formatSubnet, parseIpv4, parseSubnet } from "./ipv4.ts";

test("the first network that no route touches", () => {
  const choose = (...taken: string[]) => formatSubnet(chooseSubnet(taken.map(parseSubnet)));
  expect(choose()).toBe("172.20.0.0/16");
  expect(choose("172.20.3.0/24", "10.0.0.0/8")).toBe("172.21.0.0/16");
  expect(choose("172.20.0.9/32", "172.21.0.0/16")).toBe("172.22.0.0/16");
  expect(choose("172.16.0.0/12")).toBe("192.168.0.0/20");
  expect(choose("172.16.0.0/12", "192.168.0.0/17")).toBe("192.168.128.0/20");
  expect(() => choose("128.0.0.0/1")).toThrow("no free network");
});

test("candidates do not overlap each other", () => {
  for (const [index, candidate] of defaultCandidates.entries())
    expect(chooseSubnet(defaultCandidates.slice(0, index), [candidate])).toBe(candidate);
});

test("neither network, gateway nor broadcast address is given, and no address twice", () => {
  const pool = new AddressPool(parseSubnet("10.0.0.0/29"));
  expect(pool.gateway).toBe("10.0.0.1");
  const given = Array.from({ length: 5 }, () => formatIpv4(pool.take()));
  expect(given).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  expect(() => pool.take()).toThrow("all 5 addresses of 10.0.0.0/29 are in use");
});

test("an address given back waits for its next turn", () => {
  const pool = new AddressPool(parseSubnet("10.0.0.0/29"));
  const [first, second] = [pool.take(), pool.take()];
  pool.release(first);
  const rest = [pool.take(), pool.take(), pool.take()];
  expect(rest).not.toContain(first);
  expect(pool.take()).toBe(first);
  pool.release(second);
  expect(pool.take()).toBe(second);
});

test("adopted addresses are left out, those of other networks ignored", () => {
  const pool = new AddressPool(parseSubnet("10.0.0.0/29"));
  for (const text of ["10.0.0.2", "10.0.0.4", "192.168.0.1"]) pool.adopt(parseIpv4(text) ?? 0);
  expect([pool.take(), pool.take()].map(formatIpv4)).toEqual(["10.0.0.3", "10.0.0.5"]);
});
