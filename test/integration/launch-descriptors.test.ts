/** The descriptors that a program starts with: none of them is a file of the host. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePlan, type LaunchPlan, openHelper } from "#helper";
import { bind, LaunchBench, logLines, runToEnd, start } from "../support/launch-bench.ts";
import { execPlan, killLaunch, openNamespaces } from "../support/launch-exec.ts";

const helper = openHelper();

let bench: LaunchBench;
let before: string;

/** Under numbers that redirections leave alone. */
const keep = "exec 3>&1 4>&2";
/** The mode is set to what it is, so that a failure harms nothing; the change time tells. */
const chmod = `${keep}; for fd in 0 3 4; do busybox chmod 666 /proc/self/fd/$fd; done 2>/out/errors`;
const describeStreams = `${keep}; for fd in 0 3 4; do stat -L -c '%F %t:%T' /proc/self/fd/$fd; done >/out/streams 2>&1`;

function hostsNull(): string {
  const { ino, mode, ctimeNs, uid, gid } = statSync("/dev/null", { bigint: true });
  return [ino, mode, ctimeNs, uid, gid].join(" ");
}

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
  before = hostsNull();
});

afterEach(async () => {
  expect(hostsNull()).toBe(before);
  await bench[Symbol.asyncDispose]();
});

const nothing = { mode: "null", stdin: false, stdinOnce: false } as const;

/** A program without streams, in a container whose /out can be read here. */
function detached(script: string, change: Partial<LaunchPlan> = {}): LaunchPlan {
  const out = bind(bench.path("root/tmp"), "/out");
  return bench.plan(["sh", "-c", script], { stdio: nothing, mounts: bench.mounts(out), ...change });
}

const seen = () => readFileSync(bench.path("root/tmp/streams"), "utf8");
const nulls = "character special file 1:3\n".repeat(3);
const capabilities = { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n };

describe("a program without streams", () => {
  test.each([
    ["by default", {}],
    ["with a read-only root", { rootReadonly: true }],
    ["without capabilities", { capabilities }],
    ["in a container without /dev/null", { devices: [] }],
  ] as const)("%s has a null device that is not the host's", async (_, change) => {
    await runToEnd(helper, detached(`${describeStreams}; ${chmod}`, change));
    expect(seen()).toBe(nulls);
  });

  test.each([
    ["a pipe", "busybox mkfifo /dev/null"],
    ["a link to the host's", "busybox ln -s /host/null /dev/null"],
    ["another device", "busybox mknod /dev/null c 1 5"],
  ])("is not deceived by %s at /dev/null", async (_, command) => {
    const place = bind("/dev/null", "/host/null", { create: "file" });
    const plan = bench.plan(
      ["sh", "-c", `busybox rm /dev/null; ${command}; echo up; exec sleep 100`],
      {
        id: "first",
        mounts: bench.mounts(bind(bench.path("root/tmp"), "/out"), place),
      },
    );
    await using launch = await start(helper, plan);
    while (logLines(bench.path("first.log")).length === 0) await Bun.sleep(5);
    using stack = new DisposableStack();
    const fds = openNamespaces((await launch.created).pid, stack);
    const argv = ["sh", "-c", `${describeStreams}; ${chmod}`];
    await runToEnd(helper, execPlan(bench, argv, { stdio: nothing }), fds);
    expect(seen()).toBe(nulls);
    await killLaunch(bench, "first", launch);
  });
});

test("an exec's streams are the container's null device", async () => {
  const script = "stat -c %i /dev/null >/out/inode; echo up; exec sleep 100";
  const plan = bench.plan(["sh", "-c", script], {
    id: "first",
    mounts: bench.mounts(bind(bench.path("root/tmp"), "/out")),
  });
  await using launch = await start(helper, plan);
  while (logLines(bench.path("first.log")).length === 0) await Bun.sleep(5);
  using stack = new DisposableStack();
  const fds = openNamespaces((await launch.created).pid, stack);
  const argv = ["sh", "-c", `stat -L -c %i /proc/self/fd/0 >/out/streams; ${chmod}`];
  await runToEnd(helper, execPlan(bench, argv, { stdio: nothing }), fds);
  expect(seen()).toBe(readFileSync(bench.path("root/tmp/inode"), "utf8"));
  await killLaunch(bench, "first", launch);
});

test("where mknod(2) is not allowed, the host's devices are bound so that only their use is allowed", async () => {
  const script = `${describeStreams}; ${chmod}; busybox chmod 666 /dev/null 2>/out/refused; echo x >/dev/null && echo used >>/out/streams`;
  writeFileSync(bench.path("plan"), encodePlan(detached(script)));
  const launcher = join(import.meta.dir, "../support/launch-orphan.ts");
  const run = Bun.spawn([process.execPath, launcher, bench.path("plan"), "without-mknod"]);
  expect(await run.exited).toBe(0);
  expect(seen()).toBe(`${nulls}used\n`);
  expect(readFileSync(bench.path("root/tmp/refused"), "utf8")).toContain("Read-only file system");
});
