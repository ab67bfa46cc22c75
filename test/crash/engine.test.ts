import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { crashPoints, type Engine } from "#engine";
import { networkNamespaceOf, RouteTable } from "#kernel";
import { logCrashPoints } from "#logs";
import { logSettled } from "../support/compressed-log.ts";
import { importBusybox, openEngineAt, type TestRoots, temporaryRoots } from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { isFrozen } from "../support/frozen.ts";
import { Gate } from "../support/gate.ts";
import { syslogLines } from "../support/log-protocols.ts";
import { receiverPath, StreamReceiver } from "../support/log-receiver.ts";
import { collectOutput, runContainer } from "../support/run-container.ts";
import { crashEngine, createThenKillEngine, ended } from "./crash-engine.ts";

const steps = [...crashPoints, ...logCrashPoints];
type Step = (typeof steps)[number];
const allOutput = { follow: false, stdout: true, stderr: true, timestamps: false };
type Expectation = (engine: Engine) => void | Promise<void>;

let receiver: StreamReceiver;
let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
/** Of the image alone. */
let snapshots: readonly string[] = [];

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  await using opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
  receiver = await StreamReceiver.open({ at: receiverPath(roots.runRoot) });
  snapshots = readdirSync(join(roots.dataRoot, "snapshots")).sort();
});

afterAll(async () => {
  await using opened = await openEngineAt(roots);
  expect(opened.engine.containers.list({ all: true, filters: {} })).toEqual([]);
});

afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

/** Each may be found in the old state or in the new one, never in between. */
const gone: Expectation = async (engine) => {
  expect(engine.containers.list({ all: true, filters: {} })).toEqual([]);
  expect((await engine.volumes.list({})).volumes.filter(({ anonymous }) => anonymous)).toEqual([]);
  expect(readdirSync(join(roots.dataRoot, "containers"))).toEqual([]);
  expect(readdirSync(join(roots.dataRoot, "snapshots")).sort()).toEqual([...snapshots]);
  expect(readdirSync(join(roots.runRoot, "views"))).toEqual([]);
};

const addressesOf = (engine: Engine) =>
  engine.containers.get("victim").networks.map(({ address }) => address);

const startable: Expectation = async (engine) => {
  const { id, state } = engine.containers.get("victim");
  expect(state).toMatchObject({ status: "created", pid: 0 });
  expect(addressesOf(engine)).toEqual([""]);
  await engine.containers.start(id);
  expect(engine.containers.get(id).state.status).toBe("running");
  expect(addressesOf(engine)).toEqual([expect.stringMatching(/^[0-9.]+$/)]);
};

const running: Expectation = async (engine) => {
  const { id, state } = engine.containers.get("victim");
  expect(state.status).toBe("running");
  expect(existsSync(`/proc/${state.pid}`)).toBe(true);
  expect(addressesOf(engine)).toEqual([expect.stringMatching(/^[0-9.]+$/)]);
  await engine.containers.stop(id, { timeout: 0 });
  expect(engine.containers.get(id).state).toMatchObject({ status: "exited", exitCode: 137 });
  expect(addressesOf(engine)).toEqual([""]);
};

/** The processes agree with the row, and the pause can be ended. */
const paused: Expectation = async (engine) => {
  const { id, state } = engine.containers.get("victim");
  expect(state.status).toBe("paused");
  expect(isFrozen(state.pid)).toBe(true);
  await engine.containers.unpause(id);
  await movesOn(engine);
};

const movesOn: Expectation = async (engine) => {
  expect(isFrozen(engine.containers.get("victim").state.pid)).toBe(false);
  await running(engine);
};

const exited: Expectation = (engine) => {
  const { state } = engine.containers.get("victim");
  expect(state).toMatchObject({ status: "exited", exitCode: 3, pid: 0 });
  expect(state.finishedAt > state.startedAt).toBe(true);
  expect(addressesOf(engine)).toEqual([""]);
};

/** What the engine was killed at is done by the next one, and no line is lost before or after. */
const logged: Expectation = async (engine) => {
  await exited(engine);
  const { id } = engine.containers.get("victim");
  const lines = Array.from({ length: 5000 }, (_, index) => `${index + 1}\n`).join("");
  const read = async () => (await collectOutput(engine.containers.logs(id, allOutput))).stdout;
  expect(await read()).toBe(lines);
  await logSettled(roots.dataRoot, id);
  expect(await read()).toBe(lines);
};

/** The interfaces and the default route inside are those of the row, and the address is free when it is not there. */
const joined =
  (isJoined: boolean): Expectation =>
  async (engine) => {
    const { id, state, networks } = engine.containers.get("victim");
    expect(state.status).toBe("running");
    expect(networks.map(({ network }) => network)).toEqual([
      "bridge",
      ...(isJoined ? ["a-front"] : []),
    ]);
    using netns = networkNamespaceOf(state.pid);
    const table = new RouteTable({ netns });
    const links = (await table.links()).map(({ name }) => name).filter((name) => name !== "lo");
    expect(links).toEqual(isJoined ? ["eth0", "eth1"] : ["eth0"]);
    const gateway = isJoined ? "10.93.1.1" : networks[0]?.gateway;
    const found = (await table.routes()).filter(({ prefixLength }) => prefixLength === 0);
    expect(found.map((route) => route.gateway)).toEqual([gateway]);
    const disconnect = () => engine.networks.disconnect("a-front", id, { force: false });
    if (isJoined) await disconnect();
    await engine.networks.connect("a-front", id, { IPAMConfig: { IPv4Address: "10.93.1.9" } });
    await disconnect();
    await engine.networks.remove("a-front");
  };

/** What the killed engine had sent may come once more; nothing is missing. */
const shipped: Expectation = async () => {
  await receiver.until(() => receiver.connections[1]?.includes("]: 5000\n") === true);
  const [before = Buffer.alloc(0), after = Buffer.alloc(0)] = receiver.connections;
  const numbers = (from: number) =>
    Array.from({ length: 5001 - from }, (_, index) => `${from + index}`);
  const first = Number(syslogLines(after)[0]);
  expect(syslogLines(after)).toEqual(numbers(first));
  expect(syslogLines(before).length).toBeGreaterThanOrEqual(first - 1);
  expect(new Set([...syslogLines(before), ...syslogLines(after)])).toEqual(new Set(numbers(1)));
};

const expectations: Record<Step, { readonly scenario: string; readonly after: Expectation }> = {
  "create:snapshot-prepared": { scenario: "create", after: gone },
  "create:directory-made": { scenario: "create", after: gone },
  "create:recorded": { scenario: "create", after: startable },
  "start:network-attached": { scenario: "start", after: startable },
  "start:names-served": { scenario: "start", after: startable },
  "start:launched": { scenario: "start", after: startable },
  "start:recorded": { scenario: "start", after: startable },
  "start:go-sent": { scenario: "start", after: running },
  "start:started": { scenario: "start", after: running },
  "exit:seen": { scenario: "exit", after: exited },
  "exit:recorded": { scenario: "exit", after: exited },
  "exit:networks-left": { scenario: "exit", after: exited },
  "remove:row-deleted": { scenario: "remove", after: gone },
  "remove:snapshot-removed": { scenario: "remove", after: gone },
  "exec:started": { scenario: "exec", after: running },
  "connect:attached": { scenario: "connect", after: joined(false) },
  "connect:recorded": { scenario: "connect", after: joined(true) },
  "disconnect:recorded": { scenario: "disconnect", after: joined(false) },
  "disconnect:left": { scenario: "disconnect", after: joined(false) },
  "pause:recorded": { scenario: "pause", after: paused },
  "unpause:thawed": { scenario: "unpause", after: paused },
  "commit:held": { scenario: "commit", after: movesOn },
  "debug:launched": { scenario: "debug", after: startable },
  "debug:started": { scenario: "debug", after: startable },
  "log:compressed": { scenario: "log", after: logged },
  "log:renamed": { scenario: "log", after: logged },
  "log:shipped": { scenario: "ship", after: shipped },
};

test("every crash step has its test", () => {
  expect(Object.keys(expectations)).toEqual(steps);
});

test.each(steps.map((step) => [step] as const))("killed at %s", async (step) => {
  const { scenario, after } = expectations[step];
  await crashEngine(roots, scenario, { step });
  await using opened = await openEngineAt(roots);
  const { engine } = opened;
  await after(engine);
  await engine.reconcile();
  for (const { id } of engine.containers.list({ all: true, filters: {} })) {
    const names = (await engine.volumes.list({})).volumes.map(({ name }) => name);
    expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), "named"]);
    await engine.containers.remove(id, { force: true, volumes: true });
  }
  const left = (await engine.volumes.list({})).volumes.map(({ name }) => name);
  expect(left).toEqual(scenario === "create" && after === gone ? [] : ["named"]);
  await engine.volumes.prune({ all: ["true"] });
  // What is left must not be in the way of the next one.
  expect(await runContainer(engine, ["echo", "on"], { host: { AutoRemove: true } })).toMatchObject({
    exitCode: 0,
    stdout: "on\n",
  });
});

test("logs and exit code of a container that ended while no engine ran", async () => {
  using gate = new Gate();
  const script = `echo before; ${Gate.wait}; echo after; exit 5`;
  const id = await createThenKillEngine(roots, script, { host: { Binds: [gate.bind] } });
  gate.open();
  await ended(roots, id);
  await using opened = await openEngineAt(roots);
  const { state } = opened.engine.containers.get(id);
  expect(state).toMatchObject({ status: "exited", exitCode: 5 });
  const log = opened.engine.containers.logs(id, allOutput);
  expect((await collectOutput(log)).stdout).toBe("before\nafter\n");
  await opened.engine.containers.remove(id, { force: false, volumes: false });
});

test("--rm is honoured when no engine saw the end", async () => {
  using gate = new Gate();
  const id = await createThenKillEngine(roots, Gate.wait, {
    host: { Binds: [gate.bind], AutoRemove: true },
  });
  gate.open();
  await ended(roots, id);
  await using opened = await openEngineAt(roots);
  expect(() => opened.engine.containers.get(id)).toThrow("No such container");
});
