/** Faults of a container's network: what is lost, late or kept apart, and until when. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { outcome } from "../../src/base/testing.ts";
import { createRequest } from "../support/create-request.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { inside } from "../support/namespace.ts";

let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let leaks: ReturnType<typeof engineHoldings>;
const ids: string[] = [];

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
  const { containers } = opened.engine;
  for (const name of ["web", "db", "cache"]) {
    const request = createRequest("busybox", ["sleep", "1000"], { name });
    const { id } = await containers.create(request);
    ids.push(id);
    await containers.start(id);
  }
});

afterAll(async () => {
  for (const id of ids) await opened.engine.containers.remove(id, { force: true, volumes: true });
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

const container = (name: string) => opened.engine.containers.get(name);
const addressOf = (name: string) => container(name).networks[0]?.address ?? "";

/** Pings from one container to another; the time of the last one in milliseconds, and how many percent were lost. */
async function ping(from: string, to: string, count = 1) {
  const netns = `/proc/${container(from).state.pid}/ns/net`;
  const options = ["-c", String(count), "-i", "0.01", "-W", "1", "-w", "30"];
  const command = ["busybox", "ping", ...options, addressOf(to)].join(" ");
  // Without an answer it fails, and says how many were lost all the same.
  const text = await inside(netns, "sh", "-c", `${command} || true`);
  const ms = [...text.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time)).at(-1);
  return { ms, lost: Number(/(\d+)% packet loss/.exec(text)?.[1]) };
}

const isReached = async (from: string, to: string) => {
  // A new port of a bridge may take a second to forward.
  for (let tries = 0; tries < 5; tries++) if ((await ping(from, to)).lost === 0) return true;
  return false;
};

function isRefusal(settle: () => void): boolean {
  try {
    settle();
    return false;
  } catch {
    return true;
  }
}

test("a container is kept apart from others, and from these alone, until that is taken back", async () => {
  const { networks } = opened.engine;
  expect(await isReached("web", "db")).toBe(true);
  await networks.fault("web", { Partition: ["db"] });
  expect((await ping("web", "db")).lost).toBe(100);
  expect((await ping("db", "web")).lost).toBe(100);
  expect(await isReached("web", "cache")).toBe(true);
  expect(await isReached("db", "cache")).toBe(true);
  // Another fault stands in the place of the one before.
  await networks.fault("web", { Partition: ["cache"] });
  expect(await isReached("web", "db")).toBe(true);
  expect((await ping("web", "cache")).lost).toBe(100);
  await networks.mend("web");
  await networks.mend("web");
  expect(await isReached("web", "cache")).toBe(true);
}, 600_000);

test("packets are lost by chance in both directions, and the container's own loopback loses none", async () => {
  const { networks } = opened.engine;
  await networks.fault("web", { LossPercent: 30 });
  // Of a question and its answer each is lost with 30 %: half of all.
  const { lost } = await ping("web", "db", 200);
  expect(lost).toBeGreaterThan(30);
  expect(lost).toBeLessThan(72);
  const netns = `/proc/${container("web").state.pid}/ns/net`;
  expect(await inside(netns, "busybox", "ping", "-c", "20", "-i", "0.01", "127.0.0.1")).toContain(
    " 0% packet loss",
  );
  await networks.mend("web");
  expect((await ping("web", "db", 20)).lost).toBe(0);
}, 600_000);

test("packets are late where the kernel has netem, and else the module that it lacks is named", async () => {
  const { networks } = opened.engine;
  const fault = await outcome(networks.fault("web", { DelayMs: 200, Partition: ["cache"] }));
  if (isRefusal(fault)) {
    expect(fault).toThrow("this kernel cannot make a delay: it lacks the module sch_netem");
    // Nothing of it was made.
    expect(await isReached("web", "cache")).toBe(true);
    return;
  }
  expect((await ping("web", "db")).ms).toBeGreaterThan(190);
  await networks.mend("web");
  // A machine that is busy makes some of them late itself.
  while (((await ping("web", "db")).ms ?? 1000) > 190);
}, 600_000);

test("a fault ends with the container's run", async () => {
  const { containers, networks } = opened.engine;
  await networks.fault("cache", { LossPercent: 100 });
  expect((await ping("db", "cache")).lost).toBe(100);
  await containers.stop("cache", { timeout: 0 });
  await containers.start("cache");
  expect(await isReached("db", "cache")).toBe(true);
}, 600_000);

test("what cannot be is refused before anything is made", async () => {
  const { containers, networks } = opened.engine;
  const refusal = (ref: string, body: object) => outcome(networks.fault(ref, body));
  expect(await refusal("web", {})).toThrow("no fault is named");
  expect(await refusal("web", { LossPercent: 101 })).toThrow("a loss is from 0 to 100 percent");
  expect(await refusal("web", { DelayMs: -1 })).toThrow("a delay is from 0 to 60000 milliseconds");
  expect(await refusal("web", { Partition: ["web"] })).toThrow("parted from itself");
  expect(await refusal("web", { Partition: ["nobody"] })).toThrow("nobody");
  const stopped = createRequest("busybox", ["true"], { name: "stopped" });
  const host = createRequest("busybox", ["sleep", "1000"], {
    ...{ name: "on-host", host: { NetworkMode: "host" } },
  });
  for (const request of [stopped, host]) ids.push((await containers.create(request)).id);
  await containers.start("on-host");
  expect(await refusal("stopped", { LossPercent: 5 })).toThrow("container stopped is not running");
  expect(await refusal("on-host", { LossPercent: 5 })).toThrow("it is that of the host");
  expect(await refusal("web", { Partition: ["stopped"] })).toThrow("has no address");
}, 600_000);
