/** Launchers that are started before there is a plan for them. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { encodePlan, type Helper, openHelper } from "#helper";
import { pidfdOpen, pidfdSendSignal } from "#kernel";
import { rejection } from "../../src/base/testing.ts";
import { LaunchBench, runToEnd, start } from "../support/launch-bench.ts";
import { killLaunch } from "../support/launch-exec.ts";
import { eventually } from "../support/run-container.ts";

const SIGKILL = 9;
const SIGSTOP = 19;

let bench: LaunchBench;

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
});

afterEach(() => bench[Symbol.asyncDispose]());

/** Pids of launchers that are children of this process and run. */
function launchers(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, "utf8");
        const own = status.includes(`\nPPid:\t${process.pid}\n`) && !/^State:\tZ/m.test(status);
        return own && status.startsWith("Name:\tthimble-init\n");
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** The two that a helper keeps ready, once they are all there is: a monitor goes a moment after its channel. */
async function prepared(own: Helper): Promise<readonly number[]> {
  await own.prepare();
  return await eventually(() => {
    const pids = launchers();
    return pids.length === 2 ? pids : undefined;
  }, "two launchers");
}

/** As ps(1) shows it. */
function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
}

async function kill(pid: number): Promise<void> {
  using process = pidfdOpen(pid);
  pidfdSendSignal(process, SIGKILL);
  await eventually(() => !launchers().includes(pid) || undefined, "the launcher's end");
}

test("a launch takes one that waits, and another one is made in its place", async () => {
  using own = openHelper({ ready: 2 });
  const waiting = await prepared(own);
  for (const pid of waiting) expect(commandLine(pid)).toBe("thimble-init launch waiting");
  await using launch = await start(own, bench.plan(["sleep", "100"], { id: "named" }));
  expect(waiting).toContain(launch.monitorPid);
  expect(commandLine(launch.monitorPid)).toBe("thimble-init launch named");
  await killLaunch(bench, "named", launch);
  expect(await prepared(own)).not.toContain(launch.monitorPid);
});

test("one that was killed while it waited is passed over", async () => {
  using own = openHelper({ ready: 2 });
  for (const pid of await prepared(own)) await kill(pid);
  expect(await runToEnd(own, bench.plan(["true"]))).toMatchObject({ exitCode: 0 });
});

test("one that was stopped while it waited is killed, and the launch is told", async () => {
  using own = openHelper({ ready: 2, patienceMs: 200 });
  const waiting = await prepared(own);
  for (const pid of waiting) {
    using stopped = pidfdOpen(pid);
    pidfdSendSignal(stopped, SIGSTOP);
  }
  await using launch = own.launch({ plan: encodePlan(bench.plan(["true"])), fds: [] });
  expect(await rejection(launch.created)).toMatchObject({ code: "timeout" });
  await eventually(() => !launchers().includes(launch.monitorPid) || undefined, "its end");
  for (const pid of waiting) if (pid !== launch.monitorPid) await kill(pid);
});

test("they end with the engine that made them", async () => {
  const own = openHelper({ ready: 2 });
  await prepared(own);
  own[Symbol.dispose]();
  await eventually(() => launchers().length === 0 || undefined, "the launchers' end");
});

test("without a number none is made ahead", async () => {
  using own = openHelper();
  await own.prepare();
  await eventually(() => launchers().length === 0 || undefined, "the end of others");
  await runToEnd(own, bench.plan(["true"]));
  await own.prepare();
  await eventually(() => launchers().length === 0 || undefined, "the monitor's end");
});
