import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ContainerId, newId, type SandboxId } from "#base";
import { openState, type State } from "#state";
import { ContainerStore, containerSteps } from "./container-store.ts";
import { SandboxStore, type StoredSandbox } from "./sandbox-store.ts";

const golden = join(import.meta.dir, "testdata/sandbox/one-network.json");
const { course: goldenCourse, ...goldenRow } = JSON.parse(readFileSync(golden, "utf8"));

const withoutIpv6 = { address6: "", prefixLength6: 0, gateway6: "" };

function insertRow(state: State, course: unknown, id: string = goldenRow.id): ContainerId {
  const { created_at, definition } = goldenRow;
  state.run(
    "INSERT INTO container (id, name, created_at, definition, course) VALUES (?, ?, ?, ?, ?)",
    ...[id, id, created_at, JSON.stringify(definition), JSON.stringify(course)],
  );
  return id as ContainerId;
}

test("the one network of a container that an earlier version stored becomes its sandbox", () => {
  using state = openState(":memory:");
  state.migrate("engine", containerSteps.slice(0, 1));
  const { network, ...rest } = goldenCourse;
  const bridged = insertRow(state, goldenCourse);
  const none = { ...network, network: "none", networkId: "", endpointId: "", address: "" };
  const isolated = insertRow(state, { ...rest, network: none }, newId<ContainerId>());
  const stopped = insertRow(state, rest, newId<ContainerId>());

  const store = new ContainerStore(state);
  const sandboxes = new SandboxStore(state);
  expect(store.find(bridged).state).toMatchObject({ status: "running", pid: 42 });
  expect(sandboxes.get(bridged)).toMatchObject({
    id: expect.stringMatching(/^[0-9a-f]{64}$/),
    container: bridged,
    mode: { kind: "bridge" },
    endpoints: [{ ...network, link: "eth0", settings: {}, ...withoutIpv6 }],
  });
  expect(sandboxes.get(isolated)).toMatchObject({ mode: { kind: "none" }, endpoints: [none] });
  expect(sandboxes.get(stopped)).toBeUndefined();
  expect(state.query("SELECT id FROM container WHERE course LIKE '%network%'")).toEqual([]);
});

test("a sandbox comes back as it was changed last, and goes with its container", () => {
  using state = openState(":memory:");
  const store = new ContainerStore(state);
  const { network, ...course } = goldenCourse;
  const container = insertRow(state, course);
  const made: StoredSandbox = {
    id: newId<SandboxId>(),
    container,
    mode: { kind: "bridge", network: "bridge" },
    endpoints: [{ ...network, link: "eth0", settings: {}, ...withoutIpv6 }],
  };
  new SandboxStore(state).put(made);
  const sandboxes = new SandboxStore(state);
  expect(sandboxes.get(container)).toEqual(made);
  const left = {
    ...made,
    endpoints: [{ ...made.endpoints[0], endpointId: "", address: "" }],
  } as StoredSandbox;
  sandboxes.put(left);
  expect(new SandboxStore(state).get(container)).toEqual(left);
  expect(() => sandboxes.put({ ...made, id: newId<SandboxId>() })).toThrow();
  expect(store.size).toBe(0);
  new ContainerStore(state).delete(container);
  expect(new SandboxStore(state).get(container)).toBeUndefined();
});
