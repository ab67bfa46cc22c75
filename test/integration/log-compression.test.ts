import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import type { HostConfigBody } from "#container";
import type { Engine } from "#engine";
import { compressedLog, logFiles, logSettled } from "../support/compressed-log.ts";
import { createRequest } from "../support/create-request.ts";
import { importBusybox, openEngineAt, type TestRoots, temporaryRoots } from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { Gate } from "../support/gate.ts";
import { unframe } from "../support/launch-bench.ts";
import { attachAll, collectOutput, collectStreams } from "../support/run-container.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: Awaited<ReturnType<typeof openEngineAt>>;

const host = { LogConfig: compressedLog };
const output = { follow: false, stdout: true, stderr: true, timestamps: false };

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
});

afterEach(async () => {
  for (const { id } of opened.engine.containers.list({ all: true, filters: {} })) {
    await opened.engine.containers.remove(id, { force: true, volumes: false });
  }
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

function lines(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}\n`).join("");
}

async function read(engine: Engine, id: string, tail?: number): Promise<string> {
  const request = { ...output, ...(tail !== undefined && { tail }) };
  return (await collectOutput(engine.containers.logs(id, request))).stdout;
}

/** A shell that runs what is written to its input. */
async function shell(engine: Engine, change: HostConfigBody = {}) {
  const config = { OpenStdin: true, StdinOnce: true };
  const { id } = await engine.containers.create(
    createRequest("busybox", ["sh"], { host: { ...host, ...change }, config }),
  );
  await engine.containers.start(id);
  const attached = await engine.containers.attach(id, attachAll(true));
  const { result } = await engine.containers.wait(id, "not-running");
  return { id, attached, ended: result };
}

test("rotated logs are compressed while the container writes, and no line is missing", async () => {
  const { engine } = opened;
  const { id, attached, ended } = await shell(engine);
  const drained = collectStreams(attached);
  let followed = "";
  const following = (async () => {
    for await (const frames of engine.containers.logs(id, { ...output, follow: true })) {
      followed += unframe(Buffer.from(frames));
    }
  })();
  attached.input.write("seq 1 1500\n");
  // Who opens the files holds the rotation back, until a line comes after that.
  while (!followed.endsWith("1500\n")) await Bun.sleep(5);
  attached.input.write("seq 1501 3000\n");
  await logSettled(roots.dataRoot, id);
  expect(engine.containers.get(id).state.status).toBe("running");
  // Readers come at any moment of rotations and compressions.
  attached.input.write("for i in $(seq 3001 6000); do echo $i; done\n");
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  attached.input.end("exit 0\n");
  while (!isOver) {
    const seen = await read(engine, id);
    expect(lines(1, 6000).startsWith(seen)).toBe(true);
    await read(engine, id, 700);
  }
  await over;
  await drained;
  await following;
  expect(followed === lines(1, 6000)).toBe(true);
  await logSettled(roots.dataRoot, id);
  expect(await read(engine, id)).toBe(lines(1, 6000));
  for (const tail of [1, 100, 2000]) {
    expect(await read(engine, id, tail)).toBe(lines(6001 - tail, 6000));
  }
  await engine.containers.start(id);
  await engine.containers.stop(id, { timeout: 0 });
  expect(await read(engine, id)).toBe(lines(1, 6000));
});

test("the oldest compressed files go when there are too many", async () => {
  const { engine } = opened;
  const config = { ...compressedLog.Config, "max-file": "4" };
  const LogConfig = { ...compressedLog, Config: config };
  const request = createRequest("busybox", ["seq", "1", "5000"], { host: { LogConfig } });
  const { id } = await engine.containers.create(request);
  const { result } = await engine.containers.wait(id, "next-exit");
  await engine.containers.start(id);
  await result;
  await logSettled(roots.dataRoot, id);
  expect(logFiles(roots.dataRoot, id).sort()).toEqual(["", ".1.gz", ".2.gz", ".3.gz"]);
  expect(lines(1, 5000)).toEndWith(await read(engine, id));
});

test("files rotated while no engine ran are compressed by the next one", async () => {
  using gate = new Gate();
  const { id, attached } = await shell(opened.engine, { Binds: [gate.bind] });
  attached.output.resume();
  attached.input.write(`${Gate.wait}; seq 1 3000; sleep 1000\n`);
  await opened[Symbol.asyncDispose]();
  gate.open();
  while (logFiles(roots.dataRoot, id).length < 10) await Bun.sleep(20);
  expect(logFiles(roots.dataRoot, id)).toContain(".2");
  opened = await openEngineAt(roots);
  await logSettled(roots.dataRoot, id);
  expect(opened.engine.containers.get(id).state.status).toBe("running");
  expect(await read(opened.engine, id)).toBe(lines(1, 3000));
});

test("the driver local compresses unless it is told not to", async () => {
  for (const [compress, suffix] of [
    [undefined, ".1.gz"],
    ["false", ".1"],
  ] as const) {
    const Config = { "max-size": "8k", ...(compress && { compress }) };
    const change = { host: { LogConfig: { Type: "local", Config } } };
    const { id } = await opened.engine.containers.create(
      createRequest("busybox", ["seq", "1", "120"], change),
    );
    const { result } = await opened.engine.containers.wait(id, "next-exit");
    await opened.engine.containers.start(id);
    await result;
    if (!compress) await logSettled(roots.dataRoot, id);
    expect(logFiles(roots.dataRoot, id).sort()).toEqual(["", suffix]);
    expect(await read(opened.engine, id)).toBe(lines(1, 120));
  }
});

test("a damaged file costs its own lines and no others", async () => {
  const { engine } = opened;
  const { id } = await engine.containers.create(
    createRequest("busybox", ["seq", "1", "1000"], { host }),
  );
  const { result } = await engine.containers.wait(id, "next-exit");
  await engine.containers.start(id);
  await result;
  await logSettled(roots.dataRoot, id);
  truncateSync(join(roots.dataRoot, "containers", id, `${id}-json.log.2.gz`), 30);
  const left = await read(engine, id);
  expect(left).toStartWith("1\n2\n");
  expect(left).toEndWith("999\n1000\n");
  expect(left.length).toBeLessThan(lines(1, 1000).length);
});
