/** Links on the default bridge, over restarts of engine and containers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { startSleeper } from "../support/run-container.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
});

afterAll(async () => {
  for (const { id } of opened.engine.containers.list({ all: true, filters: {} }))
    await opened.engine.containers.remove(id, { force: true, volumes: false });
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

const hostsOf = (ref: string) => opened.engine.containers.get(ref).paths.hosts;
const addressOf = (ref: string) => opened.engine.containers.get(ref).networks[0]?.address;

function lineOf(ref: string, alias: string): string | undefined {
  const lines = readFileSync(hostsOf(ref), "utf8").split("\n");
  return lines.find((line) => line.split(/\s/).includes(alias));
}

test("a link that an engine died before it moved is moved by the next one", async () => {
  const { engine } = opened;
  await startSleeper(engine, { name: "db", config: { Hostname: "database" } });
  await startSleeper(engine, { name: "web", host: { Links: ["db:mysql"] } });
  const right = `${addressOf("db")}\tmysql database db`;
  expect(lineOf("web", "mysql")).toBe(right);
  const path = hostsOf("web");
  writeFileSync(path, readFileSync(path, "utf8").replace(right, "192.0.2.9\tmysql database db"));
  appendFileSync(path, "192.0.2.1\town\n");
  await opened[Symbol.asyncDispose]();
  opened = await openEngineAt(roots);
  expect(lineOf("web", "mysql")).toBe(right);
  expect(lineOf("web", "own")).toBe("192.0.2.1\town");
});

test("a link follows its container over a new name of it", async () => {
  const { containers } = opened.engine;
  await containers.rename("db", "store");
  await containers.stop("web", { timeout: 0 });
  await containers.start("web");
  expect(lineOf("web", "mysql")).toBe(`${addressOf("store")}\tmysql database store`);
  expect(containers.get("web").links).toEqual([{ name: "store", alias: "mysql" }]);
});

test("a container starts though one that links to it has made its hosts file a terabyte long", async () => {
  const { containers } = opened.engine;
  truncateSync(hostsOf("web"), 2 ** 40);
  await containers.stop("store", { timeout: 0 });
  await containers.start("store");
  expect(containers.get("store").state.status).toBe("running");
});
