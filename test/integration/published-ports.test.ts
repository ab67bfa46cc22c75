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
}, 120_000);
