import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { ContainerId } from "#base";
import { connectMonitor } from "#helper";
import { rejection } from "../../src/base/testing.ts";
import { createRequest } from "../support/create-request.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import {
  attachAll,
  collectStreams,
  eventually,
  execIn,
  runContainer,
  startSleeper,
} from "../support/run-container.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
});

afterAll(async () => {
  for (const { id } of opened.engine.containers.list({ all: true, filters: {} }))
    await opened.engine.containers.remove(id, { force: true, volumes: false });
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

/** A pipe at `path` that takes nothing: whoever writes to it stays there. */
function fullPipe(path: string): Disposable {
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  for (const size of [65_536, 1]) {
    try {
      while (writeSync(fd, Buffer.alloc(size)) > 0);
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("EAGAIN");
    }
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}

test("a monitor that dies over the last output has left the exit code", async () => {
  const { engine } = opened;
  const { id } = await engine.containers.create(
    createRequest("busybox", ["sh", "-c", "read x; printf half; exit 7"], {
      config: { OpenStdin: true, StdinOnce: true },
    }),
  );
  const { result } = await engine.containers.wait(id, "next-exit");
  await engine.containers.start(id);
  const log = join(roots.dataRoot, "containers", id, `${id}-json.log`);
  const run = join(roots.runRoot, "containers", id.slice(0, 32));
  using monitor = await connectMonitor(join(run, "monitor"));
  const { monitorPid } = await monitor.status();
  await using attached = await engine.containers.attach(id, attachAll(true));
  renameSync(log, `${log}.away`);
  using _pipe = fullPipe(log);
  await monitor.reopenLog();
  attached.input.end("\n");
  await eventually(() => existsSync(join(run, "exit")) || undefined, "the exit record");
  process.kill(monitorPid, "SIGKILL");
  expect((await result).exitCode).toBe(7);
  expect(engine.containers.get(id).state).toMatchObject({ status: "exited", exitCode: 7 });
});

test("a thousand attaches before the start all get every byte", async () => {
  const { engine } = opened;
  const { id } = await engine.containers.create(
    createRequest("busybox", ["seq", "100"], { config: { OpenStdin: true } }),
  );
  const count = 1000;
  await using stack = new AsyncDisposableStack();
  const outputs: ReturnType<typeof collectStreams>[] = [];
  for (let i = 0; i < count; i++) {
    const attached = stack.use(await engine.containers.attach(id, attachAll(true)));
    outputs.push(collectStreams(attached));
  }
  expect(await rejection(engine.containers.attach(id, attachAll(true)))).toMatchObject({
    code: "exhausted",
  });
  await engine.containers.start(id);
  const wanted = `${Array.from({ length: 100 }, (_, i) => i + 1).join("\n")}\n`;
  const got = await Promise.all(outputs);
  expect(got.filter(({ stdout }) => stdout === wanted)).toHaveLength(count);
});

test("a container that goes on after one of its processes was killed for want of memory says so", async () => {
  const own = temporaryRoots();
  using _roots = own;
  let id: ContainerId;
  {
    await using first = await openEngineAt(own);
    await importBusybox(first.engine);
    const script =
      "read x; dd if=/dev/zero of=/dev/null bs=64M count=1; echo killed; exec sleep 1000";
    ({ id } = await first.engine.containers.create(
      createRequest("busybox", ["sh", "-c", script], {
        config: { OpenStdin: true, StdinOnce: true },
        host: { Memory: 16 << 20, MemorySwap: 16 << 20 },
      }),
    ));
    await first.engine.containers.start(id);
    const isKilled = () => first.engine.containers.get(id).state.oomKilled || undefined;
    expect(isKilled()).toBeUndefined();
    await using attached = await first.engine.containers.attach(id, attachAll(true));
    attached.input.end("\n");
    await eventually(isKilled, "the word on the lack of memory");
    expect(first.engine.containers.get(id).state.status).toBe("running");
  }
  await using second = await openEngineAt(own);
  expect(second.engine.containers.get(id).state).toMatchObject({
    status: "running",
    oomKilled: true,
  });
  await second.engine.containers.kill(id, "KILL");
  expect(second.engine.containers.get(id).state).toMatchObject({
    status: "exited",
    oomKilled: true,
  });
  await second.engine.containers.remove(id, { force: true, volumes: false });
});

test.each([
  ["by default", {}],
  ["with a read-only root", { ReadonlyRootfs: true }],
  ["without capabilities", { CapDrop: ["ALL"] }],
  ["with all privileges", { Privileged: true }],
])("%s neither a container nor an exec has the host's /dev/null", async (_, host) => {
  const { engine } = opened;
  const changed = () => statSync("/dev/null", { bigint: true }).ctimeNs;
  const before = changed();
  // The mode is what it is already, so that a failure harms nothing.
  const script = "chmod 666 /proc/self/fd/0; stat -L -c %i /proc/self/fd/0 /dev/null";
  const own = /^(\d+)\n\1\n$/;
  const run = await runContainer(engine, ["sh", "-c", script], { host });
  expect(run.stdout).toMatch(own);
  const id = await startSleeper(engine, { host });
  expect((await execIn(engine, id, ["sh", "-c", script])).stdout).toMatch(own);
  await engine.containers.remove(id, { force: true, volumes: false });
  expect(changed()).toBe(before);
});
