import { expect, test } from "bun:test";
import { isFault } from "#base";
import { openState } from "#state";
import { NetworkStore, plainSettings } from "./network-store.ts";

test("networks come back from the database as they were, a name once", () => {
  using state = openState(":memory:");
  const store = new NetworkStore(state);
  const settings = { ...plainSettings, isInternal: true, labels: { a: "b" } };
  const createdAt = 1_700_000_000_123_456_789n;
  const made = { id: "a1", name: "front", createdAt, subnet: "", settings };
  store.insert(made);
  store.setSubnet("a1", "10.0.0.0/24");
  expect(new NetworkStore(state).all()).toEqual([{ ...made, subnet: "10.0.0.0/24" }]);
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

test("that forwarding was turned on is remembered", () => {
  using state = openState(":memory:");
  expect(new NetworkStore(state).turnedForwardingOn).toBe(false);
  for (const _ of [1, 2]) new NetworkStore(state).rememberForwarding();
  expect(new NetworkStore(state).turnedForwardingOn).toBe(true);
});
