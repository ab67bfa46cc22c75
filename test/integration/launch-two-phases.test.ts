/** A launch as two commands, as OCI runtimes have them: create ends before start. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  attach,
  connectMonitor,
  encodePlan,
  type LaunchPlan,
  openHelper,
  readExitRecord,
} from "#helper";
import { rejection } from "../../src/base/testing.ts";
import { all, LaunchBench, unframe } from "../support/launch-bench.ts";
import { eventually } from "../support/run-container.ts";

const helper = openHelper();
let bench: LaunchBench;

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Launches in a process that ends before GO. */
async function create(plan: LaunchPlan): Promise<void> {
  writeFileSync(bench.path("plan"), encodePlan(plan));
  const script = join(import.meta.dir, "../support/launch-orphan.ts");
  const creator = Bun.spawn([process.execPath, script, bench.path("plan"), "create"]);
  expect(await creator.exited).toBe(0);
}

const awaiting = (argv: readonly string[]) => bench.plan(argv, { id: "two", awaitStart: true });

test("a launch that awaits its start outlives its creator and runs when a client says so", async () => {
  await create(awaiting(["sh", "-c", "echo ran; exit 5"]));
  using monitor = await connectMonitor(bench.path("two.sock"));
  expect(await monitor.status()).toMatchObject({ id: "two", state: "created" });
  const { output } = await attach(bench.path("two.sock"), {
    stdin: false,
    stdout: true,
    stderr: true,
  });
  await monitor.start();
  expect(unframe(await all(output))).toBe("ran\n");
  await monitor.closed;
  expect(await readExitRecord(bench.path("two.exit"))).toMatchObject({ exitCode: 5 });
});

test("a start happens once, and a second one is told so", async () => {
  await create(awaiting(["sleep", "100"]));
  using monitor = await connectMonitor(bench.path("two.sock"));
  await monitor.start();
  expect(await monitor.status()).toMatchObject({ state: "running" });
  expect(await rejection(monitor.start())).toMatchObject({ code: "conflict" });
  await monitor.signal(9);
  await monitor.closed;
});

test("a launch whose creator lets go of it goes on", async () => {
  {
    await using launch = helper.launch({
      plan: encodePlan(awaiting(["sleep", "100"])),
      fds: [],
    });
    await launch.created;
  }
  using monitor = await connectMonitor(bench.path("two.sock"));
  await monitor.start();
  await monitor.signal(9);
  await monitor.closed;
});

test("a start that fails says why", async () => {
  await create(awaiting(["nope"]));
  using monitor = await connectMonitor(bench.path("two.sock"));
  expect(await rejection(monitor.start())).toMatchObject({ code: "not_found", stage: "exec" });
  await monitor.closed;
  expect(await readExitRecord(bench.path("two.exit"))).toMatchObject({ exitCode: 127 });
});

test("a launch that awaits its start can be killed instead", async () => {
  await create(awaiting(["sleep", "100"]));
  using monitor = await connectMonitor(bench.path("two.sock"));
  await monitor.signal(9);
  await monitor.closed;
  expect(await readExitRecord(bench.path("two.exit"))).toMatchObject({
    error: { stage: "namespaces" },
  });
});

test("any other launch ends with its creator before GO", async () => {
  await create(bench.plan(["sleep", "100"], { id: "one" }));
  const isGone = () => !existsSync(bench.path("one.sock")) || undefined;
  await eventually(isGone, "the end of the launch");
  expect(existsSync(bench.path("one.exit"))).toBe(false);
});
