import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rejection } from "../../base/testing.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { MemorySink } from "../testing.ts";
import { watchBuild } from "./watch-build.ts";

const top = mkdtempSync("/tmp/thimble-watch-");
afterAll(() => rmSync(top, { recursive: true }));

let directory = "";
let count = 0;
beforeEach(() => {
  directory = join(top, String(count++));
  mkdirSync(join(directory, "src"), { recursive: true });
  writeFileSync(join(directory, "Dockerfile"), "FROM scratch\n");
});

/** Runs as many builds as there are steps, each of which ends with its change; gives their number. */
async function watched(steps: readonly (() => void)[], written: readonly string[] = []) {
  const context = { err: new MemorySink(), stdin: undefined } as unknown as Context;
  let builds = 0;
  const end = new Exit(130);
  const work = watchBuild(context, { path: directory, file: undefined, written }, async () => {
    const step = steps[builds++];
    if (!step) throw end;
    step();
    return 0;
  });
  await work.catch((error: unknown) => {
    if (error !== end) throw error;
  });
  return builds;
}

const change = (name: string) => () => writeFileSync(join(directory, name), String(Math.random()));

test("a change of a file below the context begins another build", async () => {
  expect(await watched([change("src/a"), change("src/a"), change("Dockerfile")])).toBe(4);
});

test("changes of what is left out, or written by the build, begin none", async () => {
  writeFileSync(join(directory, ".dockerignore"), "log\n");
  let seen = 0;
  const quiet = () => {
    change("log")();
    change("out")();
    // The change that counts comes a while after those, so that they could have begun a build.
    setTimeout(() => {
      seen++;
      change("src/a")();
    }, 250);
  };
  expect(await watched([quiet], [join(directory, "out")])).toBe(2);
  expect(seen).toBe(1);
});

test("ctrl-c that comes too late to end a build ends the command after it", async () => {
  const interrupted = () => {
    process.emit("SIGINT");
    change("src/a")();
  };
  expect(await rejection(watched([interrupted]))).toMatchObject({ status: 130, message: "" });
});

test("a build that fails is tried again after a change", async () => {
  const fail = () => {
    change("src/a")();
    throw new Exit(1, "ERROR: failed to build");
  };
  expect(await watched([fail])).toBe(2);
});
