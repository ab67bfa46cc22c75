import { expect, test } from "bun:test";
import { type ContainerId, newId } from "#base";
import { describeContainer } from "#container";
import type { Digest } from "#image";
import { openState } from "#state";
import { createRequest } from "../../../test/support/create-request.ts";
import type { ContainerRecord } from "./container-record.ts";
import { ContainerStore } from "./container-store.ts";

function record(name: string, id = newId<ContainerId>()): ContainerRecord {
  const { sent, owner } = createRequest("busybox", ["true"]);
  return {
    id,
    name,
    imageId: "sha256:00" as Digest,
    createdAt: 1_700_000_000_123_456_789n,
    owner,
    sent,
    imageDefaults: {},
    placed: [],
    ...describeContainer(sent, {}),
    root: { type: "overlay", source: "overlay", options: [] },
    state: {
      status: "created",
      pid: 0,
      exitCode: 0,
      error: "",
      oomKilled: false,
      startedAt: 0n,
      finishedAt: 0n,
    },
    starting: false,
    startTime: 0n,
    restartCount: 0,
    endedUnhealthy: false,
    stoppedByUser: false,
    files: { hostname: "", hosts: "", resolvConf: "" },
  };
}

test("a record comes back from the database as it was", () => {
  using state = openState(":memory:");
  const store = new ContainerStore(state);
  const made = record("web");
  store.insert(made);
  const changed = store.update(made.id, {
    startTime: 2n ** 60n,
    state: { ...made.state, status: "running", pid: 42, startedAt: 1_700_000_000_123_456_790n },
  });
  expect(new ContainerStore(state).get(made.id)).toEqual(changed);
});

test("containers are found by id, name, slashed name and unique prefix", () => {
  using state = openState(":memory:");
  const store = new ContainerStore(state);
  const one = record("one", "ab1".padEnd(64, "0") as ContainerId);
  const two = record("ab2", "ab2".padEnd(64, "0") as ContainerId);
  store.insert(one);
  store.insert(two);
  for (const ref of [one.id, "one", "/one", "ab1", "ab10"]) expect(store.find(ref).id).toBe(one.id);
  // A name comes before a prefix.
  expect(store.find("ab2").id).toBe(two.id);
  expect(() => store.find("ab")).toThrow("Multiple IDs found with provided prefix: ab");
  expect(() => store.find("nope")).toThrow("No such container: nope");
  expect(() => store.find("")).toThrow("No such container");
});

test("a name is taken from its reservation on, and given back when nothing came of it", () => {
  using state = openState(":memory:");
  const store = new ContainerStore(state);
  const first = record("web");
  {
    using _name = store.reserve("web", first.id);
    expect(() => store.reserve("web", newId())).toThrow(
      `already in use by container "${first.id}"`,
    );
  }
  expect(store.isTaken("web")).toBe(false);
  {
    using _name = store.reserve("web", first.id);
    store.insert(first);
  }
  expect(() => store.reserve("web", newId())).toThrow("already in use");
  store.delete(first.id);
  expect(store.isTaken("web")).toBe(false);
  expect(new ContainerStore(state).size).toBe(0);
});

test("a rename frees the old name and lasts", () => {
  using state = openState(":memory:");
  const store = new ContainerStore(state);
  const made = record("old");
  store.insert(made);
  {
    using _name = store.reserve("new", made.id);
    store.rename(made.id, "new");
  }
  expect([store.isTaken("old"), store.isTaken("new")]).toEqual([false, true]);
  expect(new ContainerStore(state).find("new").id).toBe(made.id);
});

test("what is noted holds though the database takes nothing, and nothing else is lost", () => {
  using state = openState(":memory:");
  const store = new ContainerStore(state);
  const made = record("web");
  store.insert(made);
  state.run("CREATE TRIGGER full BEFORE UPDATE ON container BEGIN SELECT RAISE(FAIL, 'full'); END");
  expect(() => store.update(made.id, { stoppedByUser: true })).toThrow("full");
  expect(store.note(made.id, { stoppedByUser: true })?.message).toContain("full");
  expect(store.get(made.id)?.stoppedByUser).toBe(true);
  state.run("DROP TRIGGER full");
  expect(store.note(made.id, { restartCount: 2 })).toBeUndefined();
  expect(new ContainerStore(state).get(made.id)).toMatchObject({
    stoppedByUser: true,
    restartCount: 2,
  });
});
