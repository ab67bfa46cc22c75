import { expect, test } from "bun:test";
import { openClient } from "#client";
import { outcome } from "../base/testing.ts";
import { testServer } from "./testing.ts";

const body = { Image: "busybox:test", Cmd: ["sleep"] };

test("tools on a stopped container: input, output, the end, and the size of a terminal", async () => {
  await using server = await testServer();
  const { containers } = openClient({ host: { kind: "unix", path: server.socket } });
  const { Id } = await containers.create(body, { name: "job" });
  const request = { Cmd: ["cat"], User: "7", Tty: false, AttachStdin: true };
  const { stream, exitCode } = await containers.debug("job", "tools", request);
  await containers.resizeDebug("job", { rows: 24, columns: 80 });
  await stream.write(Buffer.from("typed"));
  stream.end();
  let text = "";
  for await (const part of stream.output()) text += Buffer.from(part.bytes).toString();
  expect(text).toBe("typed");
  expect(await exitCode).toBe(0);
  expect(server.engine.calls).toContain(
    'debug {"image":"tools","stdin":true,"argv":["cat"],"user":"7","tty":false}',
  );
  expect(server.engine.calls).toContain("resize 24x80");
  await containers.start(Id);
  expect(await outcome(containers.debug("job", "tools", request))).toThrow("is running");
  expect(await outcome(containers.debug("absent", "tools", request))).toThrow(
    "No such container: absent",
  );
  expect(await outcome(containers.debug("job", "", request))).toThrow("no image of the tools");
});
