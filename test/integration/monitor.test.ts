import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  attach,
  connectMonitor,
  type ExitRecord,
  encodePlan,
  type Launch,
  openHelper,
  readExitRecord,
} from "#helper";
import { openCgroups } from "#runtime";
import { rejection } from "../../src/base/testing.ts";
import { all, LaunchBench, logLines, start, unframe, until } from "../support/launch-bench.ts";

const helper = openHelper();
const everything = { stdin: true, stdout: true, stderr: true };

let bench: LaunchBench;

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** The letter of proc(5): "S" sleeps, "R" runs. */
function stateOf(pid: number): string {
  return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "";
}

describe("the monitor", () => {
  test("outlives the engine that started it and loses nothing", async () => {
    const plan = bench.plan(["sh", "-c", "echo one; read line; echo $line; exit 5"], {
      stdio: { mode: "pipes", stdin: true, stdinOnce: true },
    });
    writeFileSync(bench.path("plan"), encodePlan(plan));
    const script = join(import.meta.dir, "../support/launch-orphan.ts");
    const engine = Bun.spawn([process.execPath, script, bench.path("plan")], { stdout: "pipe" });
    const said = await engine.stdout.getReader().read();
    expect(Buffer.from(said.value ?? []).toString()).toBe("started\n");
    process.kill(engine.pid, "SIGKILL");
    await engine.exited;

    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    const status = await monitor.status();
    expect(status).toMatchObject({ id: plan.id, state: "running", version: 1, droppedLines: 0n });
    process.kill(status.monitorPid, "SIGTERM");
    process.kill(status.monitorPid, "SIGHUP");
    const { promise: exited, resolve } = Promise.withResolvers<ExitRecord>();
    monitor.watch({ onOom: () => undefined, onExit: resolve });
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    streams.input.end("two\n");
    const seen = unframe(await all(streams.output));
    expect(await exited).toMatchObject({ id: plan.id, exitCode: 5 });
    await monitor.closed;
    expect(seen).toBe("two\n");
    expect(logLines(bench.path(`${plan.id}.log`)).map(({ log }) => log)).toEqual([
      "one\n",
      "two\n",
    ]);
    expect(await readExitRecord(bench.path(`${plan.id}.exit`))).toMatchObject({ exitCode: 5 });
    // The orphan of this machine's init: what is left of it would be seen by the leak check.
  });

  test("an attach before GO misses no byte, and its end is the program's end of input", async () => {
    const plan = bench.plan(["sh", "-c", "echo first; cat; echo last >&2"], {
      stdio: { mode: "pipes", stdin: true, stdinOnce: true },
    });
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const socket = bench.path(`${plan.id}.sock`);
    const streams = await attach(socket, everything);
    const errors = await attach(socket, { stdin: false, stdout: false, stderr: true });
    launch.go();
    streams.input.end("x".repeat(300_000));
    const [both, only] = await Promise.all([all(streams.output), all(errors.output)]);
    // Which of two streams comes first is nobody's promise; the order within each is.
    expect(unframe(both, 1)).toBe(`first\n${"x".repeat(300_000)}`);
    expect(unframe(both, 2)).toBe("last\n");
    expect(unframe(only)).toBe("last\n");
    expect(only[0]).toBe(2);
    await launch.monitorExited;
  });

  test("input without stdinOnce stays open from client to client until it is closed", async () => {
    const plan = bench.plan(["cat"], { stdio: { mode: "pipes", stdin: true, stdinOnce: false } });
    await using launch = await start(helper, plan);
    const socket = bench.path(`${plan.id}.sock`);
    for (const line of ["one\n", "two\n"]) {
      const streams = await attach(socket, everything);
      streams.input.end(line);
      expect((await until(streams.output, line)).slice(8)).toBe(line);
      streams.input.destroy();
      streams.output.destroy();
    }
    using monitor = await connectMonitor(socket);
    await monitor.closeStdin();
    expect((await launch.exited).exitCode).toBe(0);
    await launch.monitorExited;
  });

  test("a client that does not read makes the program wait, and loses nothing", async () => {
    const plan = bench.plan(["seq", "200000"]);
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    launch.go();
    await launch.started;
    const { pid } = await launch.created;
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    // It sleeps in its write, and the monitor has written all that it took.
    const log = bench.path(`${plan.id}.log`);
    for (let size = -1; size !== statSync(log).size || stateOf(pid) !== "S"; ) {
      size = statSync(log).size;
      await monitor.status();
    }
    expect(await Promise.race([launch.exited, "waits"])).toBe("waits");
    const seen = unframe(await all(streams.output));
    const wanted = `${Array.from({ length: 200_000 }, (_, i) => i + 1).join("\n")}\n`;
    expect(seen === wanted).toBe(true);
    await launch.monitorExited;
    const logged = logLines(bench.path(`${plan.id}.log`))
      .map(({ log }) => log)
      .join("");
    expect(logged === wanted).toBe(true);
  });

  test("a client that does not read when the program ends still gets everything", async () => {
    const plan = bench.plan(["sh", "-c", "head -c 300000 /dev/zero; exit 2"]);
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    launch.go();
    expect((await launch.exited).exitCode).toBe(2);
    await launch.monitorExited;
    expect(unframe(await all(streams.output)).length).toBe(300_000);
  });

  test("a client that goes away stops nothing", async () => {
    const plan = bench.plan(["sh", "-c", "seq 100000; exit 3"]);
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    launch.go();
    await launch.started;
    await until(streams.output, "1\n");
    streams.output.destroy();
    expect((await launch.exited).exitCode).toBe(3);
    await launch.monitorExited;
    expect(logLines(bench.path(`${plan.id}.log`))).toHaveLength(100_000);
  });

  test("a terminal has its size, follows resizes and carries raw bytes", async () => {
    const script =
      "tty; stty size; trap 'stty size; exit 4' WINCH; echo ready; while :; do read x; done";
    const plan = bench.plan(["sh", "-c", script], {
      stdio: { mode: "pty", stdin: true, stdinOnce: true, rows: 33, columns: 77 },
    });
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const socket = bench.path(`${plan.id}.sock`);
    const streams = await attach(socket, everything);
    launch.go();
    expect(await until(streams.output, "ready")).toContain("/dev/pts/0\r\n33 77\r\n");
    using monitor = await connectMonitor(socket);
    await monitor.resize(44, 99);
    expect(await until(streams.output, "44 99")).toBeDefined();
    expect((await launch.exited).exitCode).toBe(4);
    streams.output.destroy();
    await launch.monitorExited;
  });

  test("a terminal without size is resized before GO; the console is the terminal", async () => {
    const plan = bench.plan(
      ["sh", "-c", "stty size; stat -c %t:%T /dev/console; echo hi > /dev/console"],
      {
        stdio: { mode: "pty", stdin: false, stdinOnce: false },
      },
    );
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await monitor.resize(11, 22);
    launch.go();
    await launch.exited;
    await launch.monitorExited;
    const logged = logLines(bench.path(`${plan.id}.log`)).map(({ log }) => log);
    expect(logged).toEqual(["11 22\r\n", "88:0\r\n", "hi\r\n"]);
  });

  test("signals go to the process; a command that it cannot take is an error", async () => {
    const plan = bench.plan([
      "sh",
      "-c",
      "trap 'exit 9' USR1; echo up; while :; do sleep 0.01; done",
    ]);
    await using launch = await start(helper, plan);
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    expect(await rejection(monitor.signal(65))).toMatchObject({ code: "invalid" });
    expect(await rejection(monitor.resize(1, 1))).toMatchObject({ code: "invalid" });
    while (
      !existsSync(bench.path(`${plan.id}.log`)) ||
      logLines(bench.path(`${plan.id}.log`)).length === 0
    )
      await delay(5);
    await monitor.signal(10);
    expect((await launch.exited).exitCode).toBe(9);
    await launch.monitorExited;
  });

  test("killed by a signal is 128 and its number", async () => {
    const plan = bench.plan(["sleep", "100"]);
    await using launch = await start(helper, plan);
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await monitor.signal(9);
    expect(await launch.exited).toMatchObject({ exitCode: 137, signal: 9 });
    await launch.monitorExited;
  });

  test("rubbish on the control socket does no harm", async () => {
    const plan = bench.plan(["sleep", "100"]);
    await using launch = await start(helper, plan);
    const socket = bench.path(`${plan.id}.sock`);
    for (const bytes of [
      Buffer.alloc(64, 0xff),
      Buffer.from([99, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from([1, 2]),
    ]) {
      const connection = await Bun.connect({ unix: socket, socket: { data: () => undefined } });
      connection.write(bytes);
      connection.flush();
      connection.end();
    }
    using monitor = await connectMonitor(socket);
    expect(await monitor.status()).toMatchObject({ state: "running" });
    await monitor.signal(9);
    await launch.monitorExited;
  });
});

test("ten monitors need at most 60 KiB each, also after much output", async () => {
  const launches: Launch[] = [];
  for (let count = 0; count < 10; count++) {
    const change =
      count % 2 === 0 ? {} : { stdio: { mode: "pty", stdin: true, stdinOnce: true } as const };
    launches.push(await start(helper, bench.plan(["sh", "-c", "seq 20000; sleep 100"], change)));
  }
  const memory = () =>
    launches.map(({ monitorPid }) => {
      const rollup = readFileSync(`/proc/${monitorPid}/smaps_rollup`, "utf8");
      return Number(/^Pss: +([0-9]+) kB$/m.exec(rollup)?.[1]);
    });
  const average = () => memory().reduce((sum, each) => sum + each, 0) / launches.length;
  for (const end = Date.now() + 30_000; !(average() <= 60) && Date.now() < end; ) await delay(50);
  expect(average()).toBeLessThanOrEqual(60);
  for (const [index, launch] of launches.entries()) {
    using monitor = await connectMonitor(bench.path(`c${index}.sock`));
    await monitor.signal(9);
    await launch.monitorExited;
    await launch[Symbol.asyncDispose]();
  }
});

test("want of memory is told at once and in the exit record", async () => {
  const cgroups = openCgroups({ instanceId: `l${process.pid}` });
  try {
    await using cgroup = await cgroups.create("oom", {
      memory: { limit: 16 << 20, swap: 16 << 20 },
    });
    const entry = cgroup.entry(0);
    const { fds, ...place } = entry;
    const plan = bench.plan(
      ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=64M count=1; echo dd $?; exit 3"],
      place,
    );
    await using launch = helper.launch({ plan: encodePlan(plan), fds });
    for (const fd of fds) fd.close();
    let notices = 0;
    launch.onOom(() => notices++);
    launch.go();
    const exit = await launch.exited;
    expect(notices).toBe(1);
    expect(exit).toMatchObject({ exitCode: 3, oomKilled: true });
    await launch.monitorExited;
  } finally {
    cgroups.close();
  }
});
