import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { connectMonitor, openHelper } from "#helper";
import { O_RDONLY, openat2 } from "#kernel";
import { LaunchBench, logLines, runToEnd, start } from "../support/launch-bench.ts";
import { execPlan, openNamespaces } from "../support/launch-exec.ts";

const helper = openHelper();

let bench: LaunchBench;

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

describe("exec", () => {
  test("runs inside, beside process 1, and sees neither monitor nor host", async () => {
    await using launch = await start(helper, bench.plan(["sleep", "100"], { id: "first" }));
    const { pid } = await launch.created;
    using stack = new DisposableStack();
    const fds = openNamespaces(pid, stack);
    const plan = execPlan(bench, [
      "sh",
      "-c",
      "hostname; busybox ps -o pid,comm; echo /proc/self/fd/*; exit 6",
    ]);
    expect((await runToEnd(helper, plan, fds)).exitCode).toBe(6);
    const seen = logLines(bench.path(`${plan.id}.log`))
      .map(({ log }) => log)
      .join("");
    expect(seen).toMatch(/^launched\nPID +COMMAND\n +1 sleep\n +\d+ sh\n +\d+ busybox\n/);
    expect(seen).toEndWith("/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");

    const lost = execPlan(bench, ["nope"]);
    expect(await runToEnd(helper, lost, fds)).toMatchObject({ exitCode: 127 });
    const away = execPlan(bench, ["true"]);
    if (away.process) Object.assign(away, { process: { ...away.process, cwd: "/missing" } });
    expect(await runToEnd(helper, away, fds)).toMatchObject({ error: { stage: "cwd" } });

    using monitor = await connectMonitor(bench.path("first.sock"));
    await monitor.signal(9);
    await launch.monitorExited;
  });

  test("has a terminal of the container's own", async () => {
    await using launch = await start(helper, bench.plan(["sleep", "100"], { id: "first" }));
    const { pid } = await launch.created;
    using stack = new DisposableStack();
    const fds = openNamespaces(pid, stack);
    const plan = execPlan(bench, ["sh", "-c", "tty; stty size"], {
      stdio: { mode: "pty", stdin: true, stdinOnce: true, rows: 12, columns: 34 },
    });
    await runToEnd(helper, plan, fds);
    const seen = logLines(bench.path(`${plan.id}.log`)).map(({ log }) => log);
    expect(seen).toEqual(["/dev/pts/0\r\n", "12 34\r\n"]);
    using monitor = await connectMonitor(bench.path("first.sock"));
    await monitor.signal(9);
    await launch.monitorExited;
  });

  test("a descendant that keeps the output open does not hold up the exit", async () => {
    await using launch = await start(helper, bench.plan(["sleep", "100"], { id: "first" }));
    const { pid } = await launch.created;
    using stack = new DisposableStack();
    const fds = openNamespaces(pid, stack);
    const plan = execPlan(bench, ["sh", "-c", "sleep 1000 & echo out"]);
    expect(await runToEnd(helper, plan, fds)).toMatchObject({ exitCode: 0 });
    expect(logLines(bench.path(`${plan.id}.log`)).map(({ log }) => log)).toEqual(["out\n"]);
    using monitor = await connectMonitor(bench.path("first.sock"));
    await monitor.signal(9);
    await launch.monitorExited;
  });
});

describe("process 1 of the helper's own", () => {
  test("reaps orphans, forwards signals, gives the exit code on and is not a file to write to", async () => {
    const script =
      "trap 'exit 33' TERM; sh -c 'sleep 0.01 &'; " +
      "while busybox ps -o comm | busybox grep -q sleep; do :; done; busybox ps -o pid,stat,comm; " +
      "readlink /proc/1/exe; echo x > /proc/1/exe || echo sealed; echo up; while :; do sleep 0.01; done";
    const plan = bench.plan(["sh", "-c", script], { init: true });
    await using launch = await start(helper, plan);
    const path = bench.path(`${plan.id}.log`);
    while (!readFileSync(path, "utf8").includes("up")) await delay(10);
    const seen = logLines(path)
      .filter(({ stream }) => stream === "stdout")
      .map(({ log }) => log)
      .join("");
    expect(seen).toMatch(/ 1 S\S* +thimble-init\n/);
    expect(seen).not.toContain(" Z ");
    expect(seen).toContain("sealed");
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await monitor.signal(15);
    expect((await launch.exited).exitCode).toBe(33);
    await launch.monitorExited;
  });

  test("a program below it that dies by a signal is 128 and its number", async () => {
    const { exit } = await bench.shell(helper, "kill -9 $$", { init: true });
    expect(exit.exitCode).toBe(137);
  });

  test("with a terminal the program is in the foreground", async () => {
    const { out, exit } = await bench.shell(
      helper,
      "read x < /dev/tty & wait; busybox ps -o pid,pgid,comm; stty -a > /dev/null; echo ok",
      {
        init: true,
        stdio: { mode: "pty", stdin: false, stdinOnce: false },
      },
    );
    expect(out).toContain("ok\r\n");
    expect(exit.exitCode).toBe(0);
  });
});

describe("a sandbox", () => {
  test("holds its namespaces for others until it is told to end", async () => {
    const plan = {
      ...bench.plan(["unused"], { mode: "sandbox", id: "pod", log: undefined as never }),
      process: undefined as never,
      mounts: [],
      rootAnchor: undefined as never,
      devices: [],
      symlinks: [],
      namespaces: [{ kind: "net" }, { kind: "ipc" }, { kind: "uts" }] as const,
      stdio: { mode: "null", stdin: false, stdinOnce: false } as const,
      hostname: "pod",
    };
    await using launch = await start(helper, plan);
    const { pid } = await launch.created;
    using uts = openat2(undefined, `/proc/${pid}/ns/uts`, { flags: O_RDONLY });
    const { hostname: _name, ...member } = bench.plan(["hostname"], {
      namespaces: [{ kind: "mnt" }, { kind: "pid" }, { kind: "uts", join: 0 as never }],
      mounts: bench.mounts().filter(({ target }) => target !== "/sys"),
    });
    await runToEnd(helper, member, [uts]);
    expect(logLines(bench.path(`${member.id}.log`))[0]?.log).toBe("pod\n");
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/CapEff:\t0+\n/);
    using monitor = await connectMonitor(bench.path("pod.sock"));
    await monitor.signal(15);
    expect((await launch.exited).exitCode).toBe(0);
    await launch.monitorExited;
  });
});
