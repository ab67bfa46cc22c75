import { expect, test } from "bun:test";
import { AddressPool, chooseSubnet, defaultCandidates, smallCandidates } from "./address-pool.ts";
import { formatIpv4, formatSubnet, parseIpv4, parseSubnet } from "./ipv4.ts";
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
  const given = Array.from({ length: 5 }, () => formatIpv4(pool.take()));
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
  const number = (text: string) => parseIpv4(text) ?? 0;
  pool.takeExactly(number("10.0.0.99"));
  expect([pool.take(), pool.take(), pool.take()].map(formatIpv4)).toEqual([
    "10.0.0.8",
    "10.0.0.9",
    "10.0.0.11",
  ]);
  expect(() => pool.take()).toThrow("no available IPv4 addresses");
  for (const taken of [
    "10.0.0.0",
    "10.0.0.9",
    "10.0.0.10",
    "10.0.0.99",
    "10.0.0.254",
    "10.0.0.255",
  ])
    expect(() => pool.takeExactly(number(taken))).toThrow("Address already in use");
  expect(() => pool.takeExactly(number("10.0.1.1"))).toThrow("contain the IP address 10.0.1.1");
});

test("thousands of small networks, each once, and none that something larger covers", () => {
  const taken = [parseSubnet("172.31.0.0/16"), parseSubnet("172.30.2.128/25")];
  const chosen = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const subnet = chooseSubnet(taken, smallCandidates);
    chosen.add(formatSubnet(subnet));
    taken.push(subnet);
  }
  expect(chosen.size).toBe(1000);
  expect([...chosen].slice(0, 3)).toEqual(["172.30.0.0/24", "172.30.1.0/24", "172.30.3.0/24"]);
});

test("adopted addresses are left out, those of other networks ignored", () => {
  const pool = new AddressPool(planAddresses(parseSubnet("10.0.0.0/29")));
  for (const text of ["10.0.0.2", "10.0.0.4", "192.168.0.1"]) pool.adopt(parseIpv4(text) ?? 0);
  expect([pool.take(), pool.take()].map(formatIpv4)).toEqual(["10.0.0.3", "10.0.0.5"]);
});
