import { expect, test } from "bun:test";
import { overlapText, routeOverlaps } from "./route-overlap.ts";
import { parseSubnet } from "./subnet.ts";

const networks = [
  { name: "front", subnet: parseSubnet("10.7.0.0/24"), bridge: "br0" },
  { name: "back", subnet: parseSubnet("172.20.0.0/16"), bridge: "br1" },
  { name: "back", subnet: parseSubnet("fd00:7::/64"), bridge: "br1" },
];
const links = ["br0", "br1", "tun0"].map((name, index) => ({ name, index }));
const route = (destination: string, prefixLength: number, index = 2) => ({
  ...{ destination, prefixLength, index },
});
const texts = (...routes: readonly Parameters<typeof routeOverlaps>[0][number][]) =>
  routeOverlaps(routes, networks, links).map(overlapText);

test("a route of another program that has addresses of a network is told with what it breaks", () => {
  const [wide = "", same = "", narrow = "", ...more] = texts(
    route("10.0.0.0", 8),
    route("10.7.0.0", 24),
    route("172.20.5.1", 32),
  );
  expect(wide).toBe(
    "the route to 10.0.0.0/8 by tun0 overlaps with the network front (10.7.0.0/24): machines behind tun0 with the network's addresses cannot be reached; remove the route, or make the network anew with another --subnet",
  );
  expect(same).toContain("the host reaches either its containers or what is behind tun0");
  expect(narrow).toContain("the host sends what is for containers with these addresses to tun0");
  expect(more).toEqual([]);
});

test("a route of IPv6 is told as one of IPv4 is", () => {
  expect(texts(route("fd00:7::", 48), route("fd00:8::", 48), route("::", 0))).toEqual([
    expect.stringContaining("the route to fd00:7::/48 by tun0 overlaps with the network back"),
  ]);
});

test("routes of the networks themselves, to everywhere and to the host's own addresses are none", () => {
  expect(
    texts(
      route("10.7.0.0", 24, 0),
      route("0.0.0.0", 0),
      route("0.0.0.0", 1),
      route("10.8.0.0", 24),
      { ...route("10.7.0.1", 32), isUnicast: false },
    ),
  ).toEqual([]);
});
