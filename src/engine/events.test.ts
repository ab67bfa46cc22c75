import { expect, test } from "bun:test";
import { outcome } from "../base/testing.ts";
import type { EngineEvent, Filters } from "./contract.ts";
import { EventBus } from "./events.ts";

const uncounted = { add: () => undefined };

function createBus() {
  let now = 0n;
  return new EventBus({ now: () => ++now }, uncounted);
}

function fill(bus: EventBus): void {
  bus.publish("container", "create", "abcdef", { name: "web", image: "nginx:1", colour: "red" });
  bus.publish("container", "exec_create: ls -l", "abcdef", { name: "web", image: "nginx:1" });
  bus.publish("image", "tag", "sha256:123456", { name: "nginx:1" });
}

test.each([
  [{}, 3],
  [{ type: ["container"] }, 2],
  [{ type: ["container", "image"] }, 3],
  [{ event: ["exec_create"] }, 1],
  [{ container: ["web"] }, 2],
  [{ container: ["abcd"] }, 2],
  [{ container: ["other"] }, 0],
  [{ container: ["/we"] }, 2],
  [{ node: ["web"] }, 2],
  [{ event: ["exec_"] }, 0],
  [{ event: ["create"] }, 1],
  [{ event: ["create", "exec_create"] }, 2],
  [{ scope: ["local"] }, 3],
  [{ scope: ["swarm"] }, 0],
  [{ image: ["nginx"] }, 3],
  [{ image: ["nginx:2"] }, 0],
  [{ image: ["nginx:1"], type: ["image"] }, 1],
  [{ label: ["colour"] }, 1],
  [{ label: ["colour=blue"] }, 0],
  [{ label: ["colour=red", "missing"] }, 0],
] as [Filters, number][])("the filters %j pass %d", async (filters, count) => {
  let now = 1n;
  const bus = new EventBus({ now: () => now }, uncounted);
  fill(bus);
  now = 3n;
  const found: EngineEvent[] = [];
  const { signal } = new AbortController();
  for await (const event of bus.subscribe({ since: 0n, until: 2n, filters, signal }))
    found.push(event);
  expect(found).toHaveLength(count);
});

test("an unknown filter is refused with the one that was meant", () => {
  const { signal } = new AbortController();
  expect(() => createBus().subscribe({ filters: { contaner: ["x"] }, signal })).toThrow(
    "did you mean 'container'",
  );
});

test("without since and until only events from the call on are told", async () => {
  const bus = createBus();
  fill(bus);
  const stop = new AbortController();
  const events = bus.subscribe({ filters: {}, signal: stop.signal });
  bus.publish("container", "start", "x", {});
  const found: string[] = [];
  for await (const event of events) {
    found.push(event.action);
    stop.abort();
  }
  expect(found).toEqual(["start"]);
});

test("256 past events are kept", async () => {
  let now = 0n;
  const bus = new EventBus({ now: () => now }, uncounted);
  for (let i = 0; i < 300; i++) {
    now++;
    bus.publish("container", "start", `${i}`, {});
  }
  const stop = new AbortController();
  const found: string[] = [];
  for await (const { id } of bus.subscribe({ since: 0n, filters: {}, signal: stop.signal })) {
    found.push(id);
    if (found.length === 256) stop.abort();
  }
  expect([found[0], found.at(-1)]).toEqual(["44", "299"]);
});

test("a reader that does not come back is let go, with what it did not read", () => {
  const bus = createBus();
  const { signal } = new AbortController();
  let overruns = 0;
  const subscribe = () => bus.subscribe({ filters: {}, signal, onOverrun: () => void overruns++ });
  subscribe();
  for (let i = 0; i < 4097; i++) bus.publish("container", "start", `${i}`, {});
  expect([bus.subscribers, overruns]).toEqual([0, 1]);
  subscribe();
  const label = "x".repeat(1 << 20);
  for (let i = 0; i < 8; i++) bus.publish("container", "start", `${i}`, { label });
  expect([bus.subscribers, overruns]).toEqual([0, 2]);
});

test("a reader that falls too far behind is told so", async () => {
  const bus = createBus();
  const { signal } = new AbortController();
  const events = bus.subscribe({ filters: {}, signal });
  for (let i = 0; i < 5000; i++) bus.publish("container", "start", `${i}`, {});
  const read = async () => {
    for await (const _ of events);
  };
  expect(await outcome(read())).toThrow("fell more than 4096 events or 8 MiB behind");
});

test("past events up to `until` end the stream by themselves", async () => {
  let now = 0n;
  const bus = new EventBus({ now: () => ++now }, uncounted);
  fill(bus);
  const { signal } = new AbortController();
  const found: string[] = [];
  for await (const { action } of bus.subscribe({ until: 2n, filters: {}, signal })) {
    found.push(action);
  }
  expect(found).toEqual(["create", "exec_create: ls -l"]);
});
