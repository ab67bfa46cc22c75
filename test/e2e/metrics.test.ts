import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ThimbleCli } from "../support/thimble-cli.ts";

let cli: ThimbleCli;
let metricsUrl: string;
let registryUrl: string;

beforeAll(async () => {
  cli = new ThimbleCli();
  const daemon = cli.start([
    "daemon",
    "--metrics-addr",
    "127.0.0.1:0",
    "--registry",
    "127.0.0.1:0",
  ]);
  const log = await daemon.until("msg=serving ");
  metricsUrl = /msg="serving metrics" url=(\S+)/.exec(log)?.[1] ?? "";
  registryUrl = /msg="serving a registry" url=(\S+)/.exec(log)?.[1] ?? "";
  await cli.importBusybox("box");
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

async function values(): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(metricsUrl)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))] as const;
    }),
  );
}

const actions = (action: string) =>
  `engine_daemon_container_actions_seconds_count{action="${action}"}`;
const states = (state: string) => `engine_daemon_container_states_containers{state="${state}"}`;

test("the daemon's metrics tell of containers and their actions", async () => {
  const { status } = await fetch(metricsUrl);
  expect(status).toBe(200);
  await cli.ok(["run", "-d", "--name", "runs", "box", "sleep", "1000"]);
  await cli.ok(["create", "box"]);
  const { status: refused } = await cli.run(["start", "nosuch"]);
  expect(refused).toBe(1);
  const during = await values();
  expect(during.get(actions("create"))).toBe(2);
  expect(during.get(actions("start"))).toBe(1);
  expect(during.get(actions("delete"))).toBe(0);
  expect(during.get(states("running"))).toBe(1);
  expect(during.get(states("stopped"))).toBe(1);
  await cli.ok(["restart", "-t", "0", "runs"]);
  await cli.ok(["diff", "runs"]);
  await cli.ok(["commit", "runs", "copy"]);
  await cli.ok(["rm", "-f", "runs"]);
  const after = await values();
  expect(after.get(actions("start"))).toBe(2);
  for (const action of ["changes", "commit", "delete"]) expect(after.get(actions(action))).toBe(1);
  expect(after.get(states("running"))).toBe(0);
  expect(after.get("engine_daemon_events_total")).toBeGreaterThan(10);
});

test("a registry beside the engine is counted as well", async () => {
  expect((await fetch(`${registryUrl}/v2/`)).status).toBe(200);
  const name = 'thimble_registry_requests_total{method="GET",route="base",status="200"}';
  expect((await values()).get(name)).toBe(1);
});

test("a malformed or taken address is told before anything is served", async () => {
  await using other = new ThimbleCli();
  const wrong = await other.run(["daemon", "--metrics-addr", "9323"]);
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain(
    'cannot start the engine: "9323" is not an address: write HOST:PORT',
  );
  const { host } = new URL(metricsUrl);
  const taken = await other.run(["daemon", "--metrics-addr", host]);
  expect(taken.status).toBe(1);
  expect(taken.stderr).toContain(`cannot start the engine: cannot serve metrics on ${host}`);
});

test("a profile of the engine is taken while it serves", async () => {
  const file = join(cli.directory, "engine.cpuprofile");
  expect(await cli.ok(["system", "profile", "-s", "1", "-o", file])).toContain(file);
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, "utf8"));
  expect(nodes.length).toBeGreaterThan(0);
  expect(samples.length).toBe(timeDeltas.length);
});

test("one profile is taken at a time", async () => {
  const ask = () =>
    fetch("http://d/thimble/v1/system/profile?seconds=1", { unix: cli.socket, method: "POST" });
  const answers = await Promise.all([ask(), ask()]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
});

test("a time that is too long is refused", async () => {
  const { status, stderr } = await cli.run(["system", "profile", "-s", "301"]);
  expect([status, stderr]).toEqual([125, expect.stringContaining("301")]);
});
