import { expect, test } from "bun:test";
import { isFault } from "#base";
import { openState } from "#state";
import { NetworkStore, plainSettings } from "./network-store.ts";
import { parseSubnet } from "./subnet.ts";

test("networks come back from the database as they were, a name once", () => {
  using state = openState(":memory:");
  const store = new NetworkStore(state);
  const settings = { ...plainSettings, isInternal: true, labels: { a: "b" } };
  const createdAt = 1_700_000_000_123_456_789n;
  const made = { id: "a1", name: "front", createdAt, subnets: [], settings };
  store.insert(made);
  const subnets = ["10.0.0.0/24", "fd00::/64"].map(parseSubnet);
  store.setSubnets({ ...made, subnets });
  expect(new NetworkStore(state).all()).toEqual([{ ...made, subnets }]);
  const twice = () => store.insert({ ...made, id: "a2" });
  expect(twice).toThrow();
  try {
    twice();
  } catch (error) {
    expect(isFault(error, "exists")).toBe(true);
  }
  store.delete("a1");
  expect(new NetworkStore(state).all()).toEqual([]);
});

test.each([4, 6] as const)("that forwarding of IPv%i was turned on is remembered", (version) => {
  using state = openState(":memory:");
  expect(new NetworkStore(state).turnedForwardingOn(version)).toBe(false);
  for (const _ of [1, 2]) new NetworkStore(state).rememberForwarding(version);
  expect(new NetworkStore(state).turnedForwardingOn(version)).toBe(true);
  expect(new NetworkStore(state).turnedForwardingOn(version === 4 ? 6 : 4)).toBe(false);
});

test("a network from before there was IPv6 has IPv4 alone", () => {
  using state = openState(":memory:");
  const store = new NetworkStore(state);
  state.run("INSERT INTO network (id, name, created_at, subnet) VALUES ('a', 'old', '1', '')");
  expect(store.all()).toMatchObject([{ subnets: [], settings: { hasIpv4: true, hasIpv6: false } }]);
});
