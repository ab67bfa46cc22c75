import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Executor, ExecutorTask } from "#rootfs";
import { outcome, rejection } from "../../src/base/testing.ts";
import {
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let executor: Executor;
let tree = "";

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  executor = opened.engine.executor;
  tree = join(roots.dataRoot, "tree");
  mkdirSync(join(tree, "bin"), { recursive: true });
  cpSync("/bin/busybox", join(tree, "bin/busybox"));
  for (const name of ["sh", "sleep", "echo", "cat", "sync", "ls"]) {
    symlinkSync("busybox", join(tree, "bin", name));
  }
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

function task(script: string, change: Partial<ExecutorTask> = {}): ExecutorTask {
  return {
    root: { type: "bind", source: tree, options: [] },
    mounts: [],
    argv: ["sh", "-c", script],
    env: { PATH: "/bin", WORD: "hello" },
    ...change,
  };
}

test("a program runs on the tree, its output comes by lines, its exit code back", async () => {
  const lines: string[] = [];
  const { exitCode } = await executor.execute(
    task("echo $WORD; echo wrong >&2; echo made > /made; exit 4", {
      onOutput: (stream, line) => lines.push(`${stream} ${line}`),
    }),
  );
  expect(exitCode).toBe(4);
  expect(lines.toSorted()).toEqual(["stderr wrong", "stdout hello"]);
  expect(readFileSync(join(tree, "made"), "utf8")).toBe("made\n");
});

test("mounts are there, and read-only ones are", async () => {
  const source = join(roots.dataRoot, "given");
  mkdirSync(source);
  const lines: string[] = [];
  const mounts = [{ source, target: "/given", readonly: true }];
  const { exitCode } = await executor.execute(
    task("echo x > /given/x", { mounts, onOutput: (_, line) => lines.push(line) }),
  );
  expect(exitCode).not.toBe(0);
  expect(lines.join()).toContain("Read-only");
});

test("cancelling ends everything the program started", async () => {
  const stop = new AbortController();
  const started = Promise.withResolvers<void>();
  const running = executor.execute(
    task("sleep 1000 & sleep 1000 & echo up; wait", {
      signal: stop.signal,
      onOutput: () => started.resolve(),
    }),
  );
  await started.promise;
  stop.abort();
  expect((await running).exitCode).toBe(137);
  expect(await outcome(executor.execute(task("true", { signal: stop.signal })))).toThrow();
});

test("a program that is not there is a fault", async () => {
  expect(await rejection(executor.execute(task("", { argv: ["/nope"] })))).toMatchObject({
    stage: "exec",
  });
});

test("sync does nothing where it may", async () => {
  const { exitCode } = await executor.execute(task("sync && echo ok", { suppressSync: true }));
  expect(exitCode).toBe(0);
  expect(existsSync(join(tree, "bin/sync"))).toBe(true);
});
