import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { attach, connectMonitor, openHelper, readExitRecord } from "#helper";
import { readLog } from "../../src/logs/read-log.ts";
import { LaunchBench, type LogLine, logLines, start } from "../support/launch-bench.ts";

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

describe("the log", () => {
  test("long lines come in parts of 16 KiB, invalid bytes as U+FFFD, controls escaped", async () => {
    const { exit } = await bench.shell(
      helper,
      "head -c 40000 /dev/zero | busybox tr '\\0' a; echo; printf 'ä\\377<\\t\\033\"\\\\\\n'; printf end",
      { id: "long" },
    );
    expect(exit.exitCode).toBe(0);
    const lines = logLines(bench.path("long.log"));
    expect(lines.map(({ log }) => log.length)).toEqual([16384, 16384, 40000 - 32768 + 1, 8, 3]);
    expect(lines[3]?.log).toBe('ä\ufffd<\t\u001b"\\\n');
    expect(lines[4]?.log).toBe("end");
    expect(lines[1]?.time).toBe(lines[0]?.time ?? "");
    const raw = readFileSync(bench.path("long.log"), "utf8");
    expect(raw).toContain('ä\\ufffd\\u003c\\u0009\\u001b\\"\\\\\\n","stream"');
  });

  test("half a line, silence and the end: logged, and the exit code is the program's", async () => {
    const { exit } = await bench.shell(helper, "printf abc; sleep 1; exit 7", { id: "half" });
    expect(exit).toMatchObject({ exitCode: 7 });
    expect(logLines(bench.path("half.log")).map(({ log }) => log)).toEqual(["abc"]);
    expect(await readExitRecord(bench.path("half.exit"))).toMatchObject({ exitCode: 7 });
  });

  test("is rotated at its size and keeps so many files", async () => {
    await bench.shell(helper, "seq 1000", {
      id: "turn",
      log: { path: bench.path("turn.log"), maxSize: 4096n, maxFiles: 3 },
    });
    const files = readdirSync(bench.directory)
      .filter((name) => name.startsWith("turn.log"))
      .sort();
    expect(files).toEqual(["turn.log", "turn.log.1", "turn.log.2"]);
    const logged = [2, 1, 0].flatMap((n) =>
      logLines(bench.path(n === 0 ? "turn.log" : `turn.log.${n}`)),
    );
    const numbers = logged.map(({ log }) => Number(log));
    expect(numbers.at(-1)).toBe(1000);
    expect(numbers).toEqual(numbers.map((_, i) => 1000 - numbers.length + 1 + i));
    for (const name of files)
      expect(readFileSync(bench.path(name)).byteLength).toBeLessThan(4096 + 128);
  });

  test("is followed through rotations when only one file is kept", async () => {
    const script = 'while read x; do for n in 1 2 3 4 5 6 7 8; do echo "$x $n"; done; done';
    const log = { path: bench.path("one.log"), maxSize: 1024n, maxFiles: 1 };
    const stdio = { mode: "pipes", stdin: true, stdinOnce: true } as const;
    const plan = bench.plan(["sh", "-c", script], { log, stdio });
    await using launch = await start(helper, plan);
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    streams.output.resume();
    const found: string[] = [];
    streams.input.write("1\n");
    for await (const batch of readLog({ ...log, ended: launch.exited })) {
      for (const { line } of batch) found.push(Buffer.from(line).toString());
      const round = found.length / 8;
      if (round === 10) streams.input.end();
      else if (Number.isInteger(round)) streams.input.write(`${round + 1}\n`);
    }
    const wanted = Array.from(
      { length: 80 },
      (_, i) => `${Math.floor(i / 8) + 1} ${(i % 8) + 1}\n`,
    );
    expect(found).toEqual(wanted);
    expect(readdirSync(bench.directory).filter((name) => name.includes("one.log"))).toEqual([
      "one.log",
    ]);
    await launch.monitorExited;
  });

  test("is opened again after it was moved away", async () => {
    const plan = bench.plan(["sh", "-c", "echo one; read x; echo two"], {
      stdio: { mode: "pipes", stdin: true, stdinOnce: true },
    });
    await using launch = await start(helper, plan);
    const path = bench.path(`${plan.id}.log`);
    while (logLines(path).length === 0) await delay(5);
    renameSync(path, `${path}.moved`);
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await monitor.reopenLog();
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    streams.input.end("\n");
    await launch.exited;
    streams.output.destroy();
    await launch.monitorExited;
    expect(logLines(path).map(({ log }) => log)).toEqual(["two\n"]);
    expect(logLines(`${path}.moved`).map(({ log }) => log)).toEqual(["one\n"]);
  });

  test("a full disk drops lines, counts them and stops nothing", async () => {
    mkdirSync(bench.path("small"));
    const mounted = Bun.spawnSync([
      "mount",
      "-t",
      "tmpfs",
      "-o",
      "size=64k",
      "tmpfs",
      bench.path("small"),
    ]);
    expect(mounted.exitCode).toBe(0);
    try {
      const plan = bench.plan(["sh", "-c", "seq 20000; sleep 100"], {
        log: { path: bench.path("small/log"), maxSize: 0n, maxFiles: 1 },
      });
      await using launch = await start(helper, plan);
      using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
      let kept: LogLine[] = [];
      for (let seen = 0n; seen < 20_000n; seen += BigInt(kept.length)) {
        seen = (await monitor.status()).droppedLines;
        kept = wholeLines(bench.path("small/log"));
      }
      expect((await monitor.status()).droppedLines).toBe(20_000n - BigInt(kept.length));
      expect(kept.map(({ log }) => Number(log))).toEqual(kept.map((_, i) => i + 1));
      await monitor.signal(9);
      await launch.monitorExited;
    } finally {
      Bun.spawnSync(["umount", "-l", bench.path("small")]);
    }
  });
});

/** Nothing while the monitor takes a line back that the disk took half of. */
function wholeLines(path: string): LogLine[] {
  try {
    return logLines(path);
  } catch {
    return [];
  }
}
