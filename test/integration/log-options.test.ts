import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { outcome } from "../../src/base/testing.ts";
import { logFiles } from "../support/compressed-log.ts";
import { createRequest } from "../support/create-request.ts";
import { importBusybox, openEngineAt, type TestRoots, temporaryRoots } from "../support/engine.ts";
import { StreamReceiver } from "../support/log-receiver.ts";
import { attachAll, eventually } from "../support/run-container.ts";

let roots: TestRoots & Disposable;
let opened: Awaited<ReturnType<typeof openEngineAt>>;

beforeAll(async () => {
  roots = temporaryRoots();
  opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
});

afterEach(async () => {
  const { containers } = opened.engine;
  for (const { id } of containers.list({ all: true, filters: {} }))
    await containers.remove(id, { force: true, volumes: false });
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
});

/** A shell that runs what is written to its input, with a log of this driver and these options. */
async function shell(Type: string, Config: Readonly<Record<string, string>>) {
  const { engine } = opened;
  const request = createRequest("busybox", ["sh"], {
    host: { LogConfig: { Type, Config } },
    config: { OpenStdin: true },
  });
  const { id } = await engine.containers.create(request);
  await engine.containers.start(id);
  return id;
}

/** Runs a command line in it, and settles once it has said that it is over. */
async function say(id: string, command: string): Promise<void> {
  await using attached = await opened.engine.containers.attach(id, attachAll(true));
  attached.input.write(`${command}; echo said\n`);
  for await (const bytes of attached.output) if (String(bytes).includes("said")) return;
}

/** Settles once its log has so many files: a client has its output a moment before the log has. */
async function filesOf(id: string, count: number): Promise<void> {
  const isSo = () => logFiles(roots.dataRoot, id).length === count || undefined;
  await eventually(isSo, `the log to have ${count} files`);
}

const logged = async (id: string) => {
  const { containers } = opened.engine;
  let text = "";
  const request = { follow: false, stdout: true, stderr: true, timestamps: false };
  for await (const bytes of containers.logs(id, request))
    text += Buffer.from(bytes).toString("latin1");
  return text;
};

test("the size and number of a log's files change while it is written, and stay so", async () => {
  const id = await shell("json-file", { "max-size": "1m", "max-file": "3" });
  await say(id, "seq 1 400");
  await filesOf(id, 1);
  const { containers } = opened.engine;
  await containers.changeLogOptions(id, { "max-size": "8k" });
  await say(id, "seq 401 1200");
  await filesOf(id, 3);
  await containers.changeLogOptions(id, { "max-file": "2" });
  await filesOf(id, 2);
  expect(await logged(id)).toContain("1200\n");

  await opened[Symbol.asyncDispose]();
  opened = await openEngineAt(roots);
  const again = opened.engine.containers;
  expect(again.get(id).host.LogConfig.Config).toEqual({ "max-size": "8k", "max-file": "2" });
  await say(id, "seq 1201 2000");
  await filesOf(id, 2);
  await again.kill(id, "KILL");
  await (await again.wait(id, "not-running")).result;
  await again.start(id);
  await say(id, "seq 2001 3000");
  await filesOf(id, 2);
});

test("a log that is shipped goes on to a new address, and no line is lost", async () => {
  await using first = await StreamReceiver.open();
  await using second = await StreamReceiver.open();
  const address = ({ port }: StreamReceiver) => ({ "syslog-address": `tcp://127.0.0.1:${port}` });
  const id = await shell("syslog", address(first));
  const received = (receiver: StreamReceiver) => Buffer.concat(receiver.connections).toString();
  await say(id, "echo one");
  await first.until(() => received(first).includes("said"));
  const { containers } = opened.engine;
  await containers.changeLogOptions(id, address(second));
  await say(id, "echo two");
  await second.until(() => received(second).includes("two"));
  expect(received(second)).not.toContain("one");
  expect(received(first)).not.toContain("two");
  const all = () => (containers.get(id).logShipping?.shipped === 4 ? true : undefined);
  await eventually(all, "all lines to be counted");
});

test.each([
  ["json-file", { tag: "x" }, "the log option tag is a part of each line"],
  ["json-file", { nosuch: "x" }, "unknown log opt 'nosuch' for json-file log driver"],
  ["json-file", { "max-size": "no" }, "invalid size: 'no'"],
  ["local", { compress: "maybe" }, "invalid value for compress"],
  ["none", { "max-size": "1m" }, "the log driver none keeps no log"],
] as const)("a %s log refuses %j while it runs", async (driver, options, message) => {
  const id = await shell(driver, {});
  const { containers } = opened.engine;
  const before = containers.get(id).host.LogConfig;
  expect(await outcome(containers.changeLogOptions(id, options))).toThrow(message);
  expect(containers.get(id).host.LogConfig).toEqual(before);
});
