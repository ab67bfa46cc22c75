/** Published ports of a container whose networks change while it runs. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createRequest, publishing } from "../support/create-request.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { freePort, isFree } from "../support/free-port.ts";
import { askUntilAnswered, echoServer, Line } from "../support/port-client.ts";
import { proxyPid } from "../support/proxy-process.ts";

let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let leaks: ReturnType<typeof engineHoldings>;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
  const subnets = [{ subnet: "10.94.1.0/24", range: "", gateway: "", reserved: {} }];
  await opened.engine.networks.create({ name: "a-front", driver: "", subnets });
});

afterAll(async () => {
  await opened.engine.networks.remove("a-front");
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

test("connections of published ports go on while the container joins networks and leaves others", async () => {
  const { containers, networks } = opened.engine;
  const port = await freePort();
  const { config, host } = publishing(port);
  const request = createRequest("busybox", ["sh", "-c", echoServer], { name: "web", config, host });
  const { id } = await containers.create(request);
  await containers.start(id);
  await askUntilAnswered(port);
  const pid = proxyPid(roots, id);
  using first = new Line(port);
  expect(await first.ask("one")).toBe("one");
  // The ports lead by the new network from now on, and the old one is still there.
  await networks.connect("a-front", id, {});
  using second = new Line(port);
  expect(await second.ask("two")).toBe("two");
  expect(await first.ask("three")).toBe("three");
  await networks.disconnect("bridge", id, { force: false });
  expect(await second.ask("four")).toBe("four");
  using third = new Line(port);
  expect(await third.ask("five")).toBe("five");
  expect(proxyPid(roots, id)).toBe(pid);
  // Without a network nothing leads to it, and nobody has its port.
  await networks.disconnect("a-front", id, { force: false });
  expect(await isFree(port)).toBe(true);
  expect(containers.get(id).ports).toEqual([]);
  await networks.connect("bridge", id, {});
  expect(await askUntilAnswered(port)).toBe("ready?");
  await containers.remove(id, { force: true, volumes: true });
  expect(await isFree(port)).toBe(true);
}, 600_000);

const binding = (port: number, more: object = {}) => ({
  "80/tcp": [{ HostPort: String(port), ...more }],
});

test("ports are published and taken back while connections of others stay open, and a restart keeps them", async () => {
  const { containers } = opened.engine;
  const [first, second] = [await freePort(), await freePort()];
  const { config, host } = publishing(first);
  const request = createRequest("busybox", ["sh", "-c", echoServer], { name: "hot", config, host });
  const { id } = await containers.create(request);
  await containers.start(id);
  await askUntilAnswered(first);
  using kept = new Line(first);
  expect(await kept.ask("before")).toBe("before");
  const pid = proxyPid(roots, id);
  const added = await containers.addPorts(id, binding(second, { HostIp: "127.0.0.1" }));
  expect(added).toEqual([
    { protocol: "tcp", containerPort: 80, hostIp: "127.0.0.1", hostPort: second },
  ]);
  expect(await kept.ask("added")).toBe("added");
  using other = new Line(second);
  expect(await other.ask("new")).toBe("new");
  expect(containers.get(id).ports).toEqual(expect.arrayContaining([...added]));
  const clash = await containers
    .addPorts(id, binding(first))
    .catch((error: Error) => error.message);
  expect(clash).toContain(`port is already allocated (held by container hot)`);
  expect(await kept.ask("refused")).toBe("refused");
  await containers.restart(id, { timeout: 0 });
  expect(await askUntilAnswered(second)).toBe("ready?");
  using again = new Line(first);
  expect(await again.ask("restarted")).toBe("restarted");
  using stays = new Line(second);
  expect(await stays.ask("one")).toBe("one");
  expect(proxyPid(roots, id)).not.toBe(pid);
  expect(await containers.removePorts(id, binding(second))).toEqual(added);
  expect(await stays.ask("two")).toBe("two");
  expect(await again.ask("still")).toBe("still");
  expect(await isFree(second)).toBe(true);
  expect(containers.get(id).host.PortBindings).toHaveLength(1);
  const missing = await containers
    .removePorts(id, binding(second))
    .catch((error: Error) => error.message);
  expect(missing).toContain(`${second}:80/tcp is not published by itself`);
  await containers.remove(id, { force: true, volumes: true });
}, 600_000);

test("a container that publishes nothing, and one that does not run, get ports as well", async () => {
  const { containers } = opened.engine;
  const port = await freePort();
  const request = createRequest("busybox", ["sh", "-c", echoServer], { name: "plain" });
  const { id } = await containers.create(request);
  expect(await containers.addPorts(id, binding(port))).toEqual([]);
  const twice = await containers.addPorts(id, binding(port)).catch((error: Error) => error.message);
  expect(twice).toContain(`port ${port}/tcp of the host is published by container plain already`);
  await containers.start(id);
  expect(await askUntilAnswered(port)).toBe("ready?");
  await containers.removePorts(id, binding(port));
  expect(await isFree(port)).toBe(true);
  await containers.restart(id, { timeout: 0 });
  expect(containers.get(id).ports).toEqual([]);
  const [published] = await containers.addPorts(id, { "80/tcp": [{}] });
  expect(await askUntilAnswered(published?.hostPort ?? 0)).toBe("ready?");
  await containers.removePorts(id, binding(published?.hostPort ?? 0));
  expect(await isFree(published?.hostPort ?? 0)).toBe(true);
  await containers.remove(id, { force: true, volumes: true });
  const host = createRequest("busybox", ["true"], {
    name: "on-host",
    host: { NetworkMode: "host" },
  });
  await containers.create(host);
  const refusal = await containers
    .addPorts("on-host", binding(port))
    .catch((error: Error) => error.message);
  expect(refusal).toContain("its network mode is host");
  await containers.remove("on-host", { force: true, volumes: true });
}, 600_000);

test("the ports of a container are explained, with what came through the proxy", async () => {
  const { containers, networks } = opened.engine;
  const port = await freePort();
  const host = { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }] } };
  const config = { ExposedPorts: { "80/tcp": {} } };
  const request = createRequest("busybox", ["sh", "-c", echoServer], {
    name: "told",
    config,
    host,
  });
  const { id } = await containers.create(request);
  const before = await networks.explain("told").catch((error: Error) => error.message);
  expect(before).toContain("container told is not running");
  await containers.start(id);
  await askUntilAnswered(port);
  using line = new Line(port);
  expect(await line.ask("hello")).toBe("hello");
  const [explained] = await networks.explain(String(port));
  expect(explained).toMatchObject({ container: id, name: "told" });
  const [only] = explained?.ports ?? [];
  expect(only).toMatchObject({ hostPort: port, path: "proxy", reachedBy: "this host alone" });
  expect(only?.traffic?.clientsNow).toBeGreaterThanOrEqual(1);
  expect(only?.traffic?.bytesIn).toBeGreaterThanOrEqual(6n);
  expect(await networks.explain("told")).toEqual(await networks.explain(String(port)));
  const nobody = await networks.explain("1").catch((error: Error) => error.message);
  expect(nobody).toBe("no container of this engine publishes port 1");
  await containers.remove(id, { force: true, volumes: true });
}, 600_000);
