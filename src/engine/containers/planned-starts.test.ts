import { expect, test } from "bun:test";
import type { ContainerId } from "#base";
import { describeContainer } from "#container";
import type { ContainerRecord } from "./container-record.ts";
import { type PlannedStart, PlannedStarts } from "./planned-starts.ts";
import type { ResolvedUser } from "./user.ts";

const user: ResolvedUser = { uid: 0, gid: 0, additionalGids: [1], home: "/root" };
const planned = { planned: { plan: Uint8Array.of(1), warnings: [] } } as unknown as PlannedStart;

function record(HostConfig: object = {}, id = "a"): ContainerRecord {
  const sent = { Config: { Image: "busybox", Cmd: ["true"] }, HostConfig, NetworkingConfig: {} };
  const described = describeContainer(sent as never, {});
  return {
    ...{ id: id as ContainerId, name: "one", placed: [] },
    ...described,
  } as unknown as ContainerRecord;
}

/** The plan that is given out for `later` after `made` was put. */
function kept(made: ContainerRecord, later = made, as = user): PlannedStart | undefined {
  const starts = new PlannedStarts();
  starts.put(made, user, planned);
  return starts.take(later, as);
}

test("the first start gets the plan, and no other one", () => {
  const starts = new PlannedStarts();
  const made = record();
  starts.put(made, user, planned);
  expect(starts.take({ ...made, starting: true }, { ...user })).toMatchObject(planned);
  expect(starts.take(made, user)).toBeUndefined();
});

test("a row or a user that has changed gets no kept plan", () => {
  const made = record();
  expect(kept(made, { ...made, name: "two" })).toBeUndefined();
  expect(kept(made, { ...made, host: { ...made.host, Memory: 1 } })).toBeUndefined();
  expect(kept(made, { ...made, config: { ...made.config } })).toBeUndefined();
  expect(kept(made, made, { ...user, additionalGids: [2] })).toBeUndefined();
});

test.each([
  [{ NetworkMode: "host" }],
  [{ NetworkMode: "container:other" }],
  [{ UTSMode: "host" }],
  [{ PidMode: "container:other" }],
  [{ Binds: ["/srv:/srv"] }],
  [{ Privileged: true }],
  [{ Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/x", CgroupPermissions: "r" }] }],
  [{ Mounts: [{ Type: "bind", Source: "/srv", Target: "/srv" }] }],
])("what depends on the host or another container is not kept: %p", (host) => {
  expect(kept(record(host))).toBeUndefined();
});

test.each([
  [{ volume: "v", target: "/v", subpath: "" }, true],
  [{ volume: "v", target: "/v", subpath: "part" }, false],
  [{ source: "/srv", target: "/v" }, false],
])("whole volumes are no hindrance, as their place is known: %p", (mount, isKept) => {
  const made = { ...record(), placed: [mount] } as unknown as ContainerRecord;
  expect(kept(made) !== undefined).toBe(isKept);
});

test("of many that are never started the oldest go", () => {
  const starts = new PlannedStarts();
  const records = Array.from({ length: 33 }, (_, index) => record({}, `id${index}`));
  for (const each of records) starts.put(each, user, planned);
  const [oldest, second] = records as [ContainerRecord, ContainerRecord];
  expect(starts.take(oldest, user)).toBeUndefined();
  expect(starts.take(second, user)).toBeDefined();
});
