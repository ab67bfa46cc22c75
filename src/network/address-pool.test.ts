import { expect, test } from "bun:test";
import {
  AddressPool,
  chooseSubnet,
  defaultCandidates,
  ipv6Candidates,
  smallCandidates,
} from "./address-pool.ts";
import { formatSubnet, parseSubnet, type Subnet } from "./subnet.ts";
import { planAddresses } from "./subnet-request.ts";

test("the first network that no route touches", () => {
  const choose = (...taken: string[]) => formatSubnet(chooseSubnet(taken.map(parseSubnet)));
  expect(choose()).toBe("172.20.0.0/16");
  expect(choose("172.20.3.0/24", "10.0.0.0/8")).toBe("172.21.0.0/16");
  expect(choose("172.20.0.9/32", "172.21.0.0/16")).toBe("172.22.0.0/16");
  expect(choose("172.16.0.0/12")).toBe("192.168.0.0/20");
  expect(choose("172.16.0.0/12", "192.168.0.0/17")).toBe("192.168.128.0/20");
  expect(() => choose("128.0.0.0/1")).toThrow("have been fully subnetted");
});

test("candidates do not overlap each other", () => {
  for (const [index, candidate] of defaultCandidates.entries())
    expect(chooseSubnet(defaultCandidates.slice(0, index), [candidate])).toBe(candidate);
});

test("neither network, gateway nor broadcast address is given, and no address twice", () => {
  const pool = new AddressPool(planAddresses(parseSubnet("10.0.0.0/29")));
  const given = Array.from({ length: 5 }, () => pool.take());
  expect(given).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  expect(() => pool.take()).toThrow("no available IPv4 addresses");
});

test("an address given back waits for its next turn", () => {
  const pool = new AddressPool(planAddresses(parseSubnet("10.0.0.0/29")));
  const [first, second] = [pool.take(), pool.take()];
  pool.release(first);
  const rest = [pool.take(), pool.take(), pool.take()];
  expect(rest).not.toContain(first);
  expect(pool.take()).toBe(first);
  pool.release(second);
  expect(pool.take()).toBe(second);
});

test("of a range, without what is reserved; a certain address from outside the range too", () => {
  const subnet = parseSubnet("10.0.0.0/24");
  const reserved = { router: "10.0.0.10" };
  const plan = planAddresses(subnet, {
    ...{ subnet: "10.0.0.0/24", range: "10.0.0.8/30", gateway: "10.0.0.254", reserved },
  });
  const pool = new AddressPool(plan);
  pool.takeExactly("10.0.0.99");
  expect([pool.take(), pool.take(), pool.take()]).toEqual(["10.0.0.8", "10.0.0.9", "10.0.0.11"]);
  expect(() => pool.take()).toThrow("no available IPv4 addresses");
  for (const taken of [
    "10.0.0.0",
    "10.0.0.9",
    "10.0.0.10",
    "10.0.0.99",
    "10.0.0.254",
    "10.0.0.255",
  ])
    expect(() => pool.takeExactly(taken)).toThrow("Address already in use");
  expect(() => pool.takeExactly("10.0.1.1")).toThrow("contain the IP address 10.0.1.1");
});

test("thousands of small networks, each once, and none that something larger covers", () => {
  const larger = [parseSubnet("172.31.0.0/16"), parseSubnet("172.30.2.128/25")];
  const [first, second] = smallCandidates.slice(256);
  if (!first || !second) throw new Error("there are fewer candidates than expected");
  const next = (...taken: Subnet[]) =>
    formatSubnet(chooseSubnet([...larger, ...taken], smallCandidates));
  expect([next(), next(first)]).toEqual(["172.30.0.0/24", "172.30.1.0/24"]);
  expect(next(first, second)).toBe("172.30.3.0/24");
  expect(next(...smallCandidates.slice(256, 1256))).toBe("172.27.232.0/24");
  expect(new Set(smallCandidates.map(formatSubnet)).size).toBe(smallCandidates.length);
});

test("a pool of IPv6 gives small numbers first, whatever its size", () => {
  const pool = new AddressPool(planAddresses(parseSubnet("fd00:7::/64")));
  expect([pool.take(), pool.take()]).toEqual(["fd00:7::2", "fd00:7::3"]);
  expect(pool.takeExactly("FD00:7:0:0::4")).toBe("fd00:7::4");
  pool.takeExactly("fd00:7::ffff:ffff:ffff:ffff");
  expect(pool.take()).toBe("fd00:7::5");
  for (const taken of ["fd00:7::", "fd00:7::1", "fd00:7:0::4"])
    expect(() => pool.takeExactly(taken)).toThrow("Address already in use");
  expect(() => pool.takeExactly("10.0.0.1")).toThrow("contain the IP address 10.0.0.1");
  const small = new AddressPool(planAddresses(parseSubnet("fd00:7::/126")));
  expect([small.take(), small.take()]).toEqual(["fd00:7::2", "fd00:7::3"]);
  expect(() => small.take()).toThrow("no available IPv6 addresses");
});

test("an instance's networks of IPv6 are of one unique local prefix, each the first that is free", () => {
  const all = ipv6Candidates("a");
  const taken = Array.from({ length: 999 }, () => all.next().value).filter((each) => !!each);
  taken.push(chooseSubnet(taken, ipv6Candidates("a")));
  const texts = taken.map(formatSubnet);
  expect(new Set(texts).size).toBe(1000);
  expect(texts[0]).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/64$/);
  expect(texts[999]).toBe((texts[0] ?? "").replace("::", ":3e7::"));
  const [other] = ipv6Candidates("b");
  expect(other && formatSubnet(other)).not.toBe(texts[0]);
  const [first] = ipv6Candidates("a");
  expect(first && formatSubnet(first)).toBe(texts[0]);
});

test("adopted addresses are left out, those of other networks ignored", () => {
  const pool = new AddressPool(planAddresses(parseSubnet("10.0.0.0/29")));
  for (const text of ["10.0.0.2", "10.0.0.4", "192.168.0.1"]) pool.adopt(text);
  expect([pool.take(), pool.take()]).toEqual(["10.0.0.3", "10.0.0.5"]);
});
