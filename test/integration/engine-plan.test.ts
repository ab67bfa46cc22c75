import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { decodePlan, encodePlan, type LaunchPlan } from "#helper";
import { createRequest } from "../support/create-request.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { openRecordingHelper, type RecordingHelper } from "../support/recording-helper.ts";
import { startSleeper } from "../support/run-container.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let recording: RecordingHelper;
let opened: OpenedEngine;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  recording = openRecordingHelper();
  opened = await openEngineAt(roots, { helper: recording.helper });
  await importBusybox(opened.engine);
  await startSleeper(opened.engine, { name: "other" });
});

afterAll(async () => {
  const { containers } = opened.engine;
  for (const { id } of containers.list({ all: true, filters: {} }))
    await containers.remove(id, { force: true, volumes: false });
  await opened[Symbol.asyncDispose]();
  recording[Symbol.dispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

/** The plan with the id and the snapshot's number of another one in place of its own: only create makes them up. */
function renamed(plan: LaunchPlan, like: LaunchPlan): LaunchPlan {
  const [own, other] = [plan, like].map((each) => ({
    id: each.id,
    snapshot: /snapshots\/(\d+)\/work/.exec(JSON.stringify(each.mounts))?.[0] ?? "",
  }));
  if (!own || !other) throw new Error("there are two plans");
  const root = (snapshot: string) => snapshot.replace(/work$/, "");
  const rename = (text: string) =>
    [64, 32, 12]
      .reduce((t, length) => t.replaceAll(own.id.slice(0, length), other.id.slice(0, length)), text)
      .replaceAll(root(own.snapshot), root(other.snapshot));
  const walk = (value: unknown): unknown => {
    if (typeof value === "string") return rename(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each)]));
  };
  return walk(plan) as LaunchPlan;
}

const cases: [string, Parameters<typeof createRequest>[2]][] = [
  ["nothing asked for", {}],
  ["a user by name", { config: { User: "app", WorkingDir: "/tmp", Env: ["A=1"] } }],
  ["a terminal and an init", { config: { Tty: true, OpenStdin: true }, host: { Init: true } }],
  ["--rm and no log", { host: { AutoRemove: true, LogConfig: { Type: "none" } } }],
  ["--ipc host", { host: { IpcMode: "host" } }],
  ["--network host --uts host", { host: { NetworkMode: "host", UTSMode: "host" } }],
  ["--network none", { host: { NetworkMode: "none" } }],
  ["--network container:X", { host: { NetworkMode: "container:other" } }],
  ["--pid container:X", { host: { PidMode: "container:other" } }],
  ["--privileged", { host: { Privileged: true } }],
  ["limits", { host: { Memory: 1 << 26, NanoCpus: 5e8, PidsLimit: 50, ShmSize: 1 << 20 } }],
];

test.each(cases)("--dry-run shows what a start sends, byte for byte: %s", async (_, change) => {
  const { containers } = opened.engine;
  const request = createRequest("busybox", ["true"], change);
  recording.take();
  const planned = await containers.plan(request);
  expect(recording.take()).toEqual([]);
  const { id } = await containers.create(request);
  const { result } = await containers.wait(id, "next-exit");
  await containers.start(id);
  await result;
  const [sent = new Uint8Array()] = recording.take();
  const plan = decodePlan(sent);
  const expected = renamed(decodePlan(planned), plan);
  expect(expected).toEqual(plan);
  expect(encodePlan(expected)).toEqual(sent);
});

test.each(cases.filter(([, change]) => !change?.host?.AutoRemove))(
  "the start that follows create sends the plan that create made, as later ones compile it: %s",
  async (_, change) => {
    const { containers } = opened.engine;
    const { id } = await containers.create(createRequest("busybox", ["true"], change));
    const plans: Uint8Array[] = [];
    for (let start = 0; start < 2; start++) {
      recording.take();
      const { result } = await containers.wait(id, "next-exit");
      await containers.start(id);
      await result;
      plans.push(...recording.take());
    }
    expect(plans).toHaveLength(2);
    expect(plans[1]).toEqual(plans[0] as Uint8Array);
  },
);

test("a container that was renamed before its start has the name in its log", async () => {
  const { containers } = opened.engine;
  const config = { "max-size": "1m", tag: "{{.Name}}" };
  const request = createRequest("busybox", ["true"], {
    host: { LogConfig: { Type: "json-file", Config: config } },
  });
  const { id } = await containers.create(request);
  await containers.rename(id, "called-otherwise");
  recording.take();
  const { result } = await containers.wait(id, "next-exit");
  await containers.start(id);
  await result;
  const [sent = new Uint8Array()] = recording.take();
  expect(decodePlan(sent).log?.attributes).toContain("called-otherwise");
});

test("a bind whose source create makes is planned as the directory it will be", async () => {
  const source = join(roots.dataRoot, "made");
  const request = createRequest("busybox", ["true"], { host: { Binds: [`${source}:/made:ro`] } });
  const planned = decodePlan(await opened.engine.containers.plan(request));
  const { id } = await opened.engine.containers.create(request);
  recording.take();
  const { result } = await opened.engine.containers.wait(id, "next-exit");
  await opened.engine.containers.start(id);
  await result;
  const [sent = new Uint8Array()] = recording.take();
  const plan = decodePlan(sent);
  expect(renamed(planned, plan)).toEqual(plan);
});

test("a rehearsal of creates needs no image and leaves nothing", () => {
  const { containers } = opened.engine;
  const all = { all: true, filters: {} };
  const before = containers.list(all);
  recording.take();
  containers.rehearse(createRequest("missing", ["true"], { host: { NetworkMode: "default" } }));
  expect(containers.list(all)).toEqual(before);
  expect(recording.take()).toEqual([]);
});
