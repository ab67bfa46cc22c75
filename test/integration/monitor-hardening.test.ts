import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connectMonitor, openHelper, type PlanProcess } from "#helper";
import { LaunchBench, start } from "../support/launch-bench.ts";
import { killLaunch } from "../support/launch-exec.ts";

const helper = openHelper();
let bench: LaunchBench;

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** CAP_DAC_OVERRIDE and CAP_KILL (capabilities(7)). */
const kept = (1n << 1n) | (1n << 5n);

test("a monitor has given up the rights that it does not need", async () => {
  const plan = bench.plan(["sleep", "100"], { id: "first" });
  const process = { ...plan.process, uid: 1000 } as PlanProcess;
  await using launch = await start(helper, { ...plan, process });
  using monitor = await connectMonitor(bench.path("first.sock"));
  await monitor.status();
  const status = readFileSync(`/proc/${launch.monitorPid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1];
  expect(BigInt(`0x${field("CapEff")}`)).toBe(kept);
  expect(BigInt(`0x${field("CapPrm")}`)).toBe(kept);
  expect(BigInt(`0x${field("CapInh")}`)).toBe(0n);
  expect(field("NoNewPrivs")).toBe("1");
  expect(field("Seccomp")).toBe("2");
  // Also a process of another user can be signalled.
  await killLaunch(bench, "first", launch);
});

test("a container still has the rights that its monitor gave up", async () => {
  const { out } = await bench.shell(
    helper,
    "busybox grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status",
  );
  const own = readFileSync("/proc/self/status", "utf8").match(
    /^(CapEff|NoNewPrivs|Seccomp):.*\n/gm,
  );
  expect(out).toBe(own?.join("") ?? "");
});

test("the kernel's score of a monitor is not its container's", async () => {
  const plan = bench.plan(["sleep", "100"], { id: "first", oomScoreAdj: 123 });
  await using launch = await start(helper, plan);
  using monitor = await connectMonitor(bench.path("first.sock"));
  await monitor.status();
  const score = (pid: number | string) => readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim();
  // Lowering needs CAP_SYS_RESOURCE; without it the score stays.
  const mayLower = (capabilities() >> 24n) & 1n;
  expect(score(launch.monitorPid)).toBe(mayLower ? "-999" : score("self"));
  expect(score((await launch.created).pid)).toBe("123");
  await killLaunch(bench, "first", launch);
});

function capabilities(): bigint {
  const found = /^CapEff:\s+(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"));
  return BigInt(`0x${found?.[1] ?? "0"}`);
}
