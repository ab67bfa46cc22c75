/** What becomes of published ports when the engine, or a proxy of theirs, is killed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import type { Engine } from "#engine";
import { portCrashPoints } from "#network";
import { createRequest, publishing } from "../support/create-request.ts";
import { importBusybox, openEngineAt, type TestRoots, temporaryRoots } from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { freePort, isFree } from "../support/free-port.ts";
import { askUntilAnswered, echoServer, Line } from "../support/port-client.ts";
import { proxyPid } from "../support/proxy-process.ts";
import { eventually } from "../support/run-container.ts";
import { crashEngine, createThenKillEngine, ended } from "./crash-engine.ts";

const hasIpv6 = existsSync("/proc/net/if_inet6");
type Expectation = (engine: Engine) => Promise<void>;

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
/** Of the host. */
let port = 0;
let second = 0;

beforeAll(async () => {
  port = await freePort();
  second = await freePort();
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  await using opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
});

afterAll(async () => {
  await using opened = await openEngineAt(roots);
  expect(opened.engine.containers.list({ all: true, filters: {} })).toEqual([]);
});

afterAll(async () => {
  roots[Symbol.dispose]();
  await leaks.settled();
});

const published: Expectation = async (engine) => {
  expect(engine.containers.get("victim").state.status).toBe("running");
  expect(engine.containers.get("victim").ports).toMatchObject([
    { hostIp: "0.0.0.0", hostPort: port },
    ...(hasIpv6 ? [{ hostIp: "::", hostPort: port }] : []),
  ]);
  expect(await askUntilAnswered(port)).toBe("ready?");
};

/** Nobody has the port of a container that never ran, and its next start gets it. */
const unpublished: Expectation = async (engine) => {
  expect(await isFree(port)).toBe(true);
  expect(engine.containers.get("victim").state.status).toBe("created");
  await engine.containers.start("victim");
  await published(engine);
};

const exited: Expectation = async (engine) => {
  expect(await isFree(port)).toBe(true);
  expect(engine.containers.get("victim")).toMatchObject({ state: { exitCode: 3 }, ports: [] });
};

/** The port leads to the container by whichever network it is in, and goes on to do so. */
const publishedIn =
  (...networks: readonly string[]): Expectation =>
  async (engine) => {
    const found = engine.containers.get("victim").networks.map(({ network }) => network);
    expect(found).toEqual([...networks]);
    await published(engine);
    if (networks.includes("a-front"))
      await engine.networks.disconnect("a-front", "victim", { force: false });
    await published(engine);
    await engine.networks.remove("a-front");
  };

/** The second port is published, or is nobody's; it is as the container's next start will have it. */
function withSecond(isPublished: boolean): Expectation {
  return async (engine) => {
    const { host, ports } = engine.containers.get("victim");
    const bindings = host.PortBindings.flatMap((each) => each.bindings);
    expect(bindings).toHaveLength(isPublished ? 2 : 1);
    expect(new Set(ports.map(({ hostPort }) => hostPort)).size).toBe(isPublished ? 2 : 1);
    expect(await askUntilAnswered(port)).toBe("ready?");
    if (isPublished) expect(await askUntilAnswered(second)).toBe("ready?");
    else expect(await isFree(second)).toBe(true);
    const change = { "80/tcp": [{ HostPort: String(second) }] };
    if (!isPublished) await engine.containers.addPorts("victim", change);
    await engine.containers.removePorts("victim", change);
    expect(await isFree(second)).toBe(true);
    expect(await askUntilAnswered(port)).toBe("ready?");
  };
}

const expectations: Record<
  (typeof portCrashPoints)[number],
  { readonly scenario: string; readonly after: Expectation }
> = {
  "ports:held": { scenario: "start", after: unpublished },
  "ports:translated": { scenario: "start", after: unpublished },
  "ports:bound-to-process": { scenario: "start", after: unpublished },
  "ports:untranslated": { scenario: "exit", after: exited },
  "ports:replaced": { scenario: "kill-proxy", after: published },
  "ports:move-recorded": { scenario: "connect", after: publishedIn("bridge", "a-front") },
  "ports:retargeted": { scenario: "connect", after: publishedIn("bridge", "a-front") },
  "ports:added": { scenario: "add-port", after: withSecond(false) },
  "ports:added-recorded": { scenario: "add-port", after: withSecond(true) },
  "ports:removed": { scenario: "remove-port", after: withSecond(true) },
};
const others = {
  "connect:attached": { scenario: "connect", after: publishedIn("bridge") },
  "connect:recorded": { scenario: "connect", after: publishedIn("bridge", "a-front") },
  "disconnect:recorded": { scenario: "disconnect", after: publishedIn("bridge") },
  "disconnect:left": { scenario: "disconnect", after: publishedIn("bridge") },
} as const;

test("every crash step of ports has its test", () => {
  expect(Object.keys(expectations)).toEqual([...portCrashPoints]);
});

test.each(Object.entries({ ...expectations, ...others }))(
  "killed at %s",
  async (step, { scenario, after }) => {
    await crashEngine(roots, scenario, { step, ports: [port, second] });
    await using opened = await openEngineAt(roots);
    const { engine } = opened;
    await after(engine);
    await engine.reconcile();
    await engine.containers.remove("victim", { force: true, volumes: true });
    await engine.volumes.prune({ all: ["true"] });
    expect(await isFree(port)).toBe(true);
  },
);

test("a port stays with its container while no engine runs, and goes with it", async () => {
  const { config, host } = publishing(port);
  const id = await createThenKillEngine(roots, "nc -l -p 80; exit 5", { config, host });
  expect(await isFree(port)).toBe(false);
  {
    await using opened = await openEngineAt(roots);
    const { containers } = opened.engine;
    expect(containers.get(id).ports[0]).toEqual({
      protocol: "tcp",
      containerPort: 80,
      hostIp: "0.0.0.0",
      hostPort: port,
    });
    await containers.create(createRequest("busybox", ["true"], { name: "other", config, host }));
    const refusal = await containers.start("other").catch((error: Error) => error.message);
    expect(refusal).toContain(
      `Bind for 0.0.0.0:${port} failed: port is already allocated (held by container `,
    );
    await containers.remove("other", { force: true, volumes: false });
  }
  expect(await talk("127.0.0.1", port)).toBe("closed");
  await ended(roots, id);
  await using opened = await openEngineAt(roots);
  expect(opened.engine.containers.get(id)).toMatchObject({ state: { exitCode: 5 }, ports: [] });
  expect(await isFree(port)).toBe(true);
  await opened.engine.containers.remove(id, { force: false, volumes: false });
});

/** Connects, says something and hears the other end close. */
function talk(host: string, at: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: at });
    socket.on("error", (error) => resolve(error.message));
    socket.on("close", () => resolve("closed"));
    socket.resume().end("hello\n");
  });
}

test("a proxy that was killed is replaced, with its ports: while the engine runs, and at its next start", async () => {
  const { config, host } = publishing(port);
  const id = await createThenKillEngine(roots, echoServer, { config, host });
  expect(await askUntilAnswered(port)).toBe("ready?");
  // One that is killed may live, and even answer, for a moment.
  const replaced = (before: number) =>
    eventually(() => {
      const pid = proxyPid(roots, id);
      return pid === before ? undefined : pid;
    }, "another proxy");
  const first = proxyPid(roots, id);
  process.kill(first, "SIGKILL");
  {
    await using opened = await openEngineAt(roots);
    const second = await replaced(first);
    expect(await askUntilAnswered(port)).toBe("ready?");
    process.kill(second, "SIGKILL");
    await replaced(second);
    expect(await askUntilAnswered(port)).toBe("ready?");
    expect(opened.engine.containers.get(id).ports[0]).toMatchObject({ hostPort: port });
  }
  // The one that replaced it outlives the engine, and ends with the container.
  const third = proxyPid(roots, id);
  using line = new Line(port);
  expect(await line.ask("still there?")).toBe("still there?");
  await using opened = await openEngineAt(roots);
  expect(proxyPid(roots, id)).toBe(third);
  expect(await line.ask("and now?")).toBe("and now?");
  await opened.engine.containers.remove(id, { force: true, volumes: true });
  expect(await isFree(port)).toBe(true);
});

test("a proxy that is stopped is replaced when the engine has something to tell it", async () => {
  const { config, host } = publishing(port);
  const id = await createThenKillEngine(roots, echoServer, { config, host });
  expect(await askUntilAnswered(port)).toBe("ready?");
  process.kill(proxyPid(roots, id), "SIGSTOP");
  await using opened = await openEngineAt(roots);
  expect(await askUntilAnswered(port)).toBe("ready?");
  await opened.engine.containers.remove(id, { force: true, volumes: true });
}, 600_000);
