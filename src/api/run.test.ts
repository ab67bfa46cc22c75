import { expect, test } from "bun:test";
import { type ContainersClient, openClient } from "#client";
import { outcome } from "../base/testing.ts";
import { type TestServer, testServer } from "./testing.ts";

function clientOf(server: TestServer): ContainersClient {
  return openClient({ host: { kind: "unix", path: server.socket } }).containers;
}

async function outputOf(stream: Awaited<ReturnType<ContainersClient["run"]>>["stream"]) {
  let text = "";
  for await (const part of stream.output()) text += Buffer.from(part.bytes).toString();
  return text;
}

const body = { Image: "busybox:test", AttachStdout: true, AttachStderr: true };

test("one request creates, attaches, starts and tells the end", async () => {
  await using server = await testServer();
  const run = await clientOf(server).run({ ...body, Cmd: ["echo", "hello"] }, { name: "a" });
  expect(run.id).toBe(server.engine.containers.get("a").id);
  expect(await outputOf(run.stream)).toBe("hello\n");
  expect(await run.exitCode).toBe(0);
  expect(server.engine.calls).toEqual([
    "create busybox:test",
    'attach {"stdin":false,"stdout":true,"stderr":true,"logs":false,"stream":true}',
    "wait",
  ]);
});

test.each([false, true])(
  "input reaches the program and the exit status comes back, Tty %p",
  async (Tty) => {
    await using server = await testServer();
    const run = await clientOf(server).run({
      ...body,
      ...{ Tty, Cmd: ["cat"], OpenStdin: true, StdinOnce: true, AttachStdin: true },
    });
    await run.stream.write(Buffer.from("typed"));
    run.stream.end();
    expect(await outputOf(run.stream)).toBe("typed");
    expect(await run.exitCode).toBe(0);
  },
);

test("a failure before the container exists is answered as create answers it", async () => {
  await using server = await testServer();
  const call = clientOf(server).run({ Image: "nope", Cmd: ["x"] });
  expect(await outcome(call)).toThrow("No such image: nope:latest");
});

test("a stream that breaks off leaves the exit status unknown", async () => {
  await using server = await testServer();
  const run = await clientOf(server).run({ ...body, Cmd: ["sleep"] });
  run.stream.close();
  await outputOf(run.stream);
  expect(await outcome(run.exitCode)).toThrow("the engine closed the connection");
});

test("output that breaks off does not hide how the program ended", async () => {
  await using server = await testServer();
  const { containers } = server.engine;
  const attach = containers.attach.bind(containers);
  Object.assign(containers, {
    attach: async (...args: Parameters<typeof attach>) => {
      const attached = await attach(...args);
      attached.output.destroy();
      return attached;
    },
  });
  const run = await clientOf(server).run({ ...body, Cmd: ["echo", "hello"] });
  await outputOf(run.stream);
  expect(await run.exitCode).toBe(0);
});
