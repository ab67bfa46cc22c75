import { expect, test } from "bun:test";
import { encodeFrame } from "#wire";
import { ContainersClient } from "./containers.ts";
import { ScriptedConnection } from "./testing.ts";
import { Transport } from "./transport.ts";

const text = (status: number, body: string) =>
  `HTTP/1.1 ${status} X\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const json = (status: number, value: unknown) => text(status, JSON.stringify(value));

test("an engine that is not thimble is asked by Docker's four requests", async () => {
  const stream = Buffer.concat([
    Buffer.from(
      "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n",
    ),
    encodeFrame("stdout", Buffer.from("hi")),
  ]);
  const answers: Readonly<Record<string, string | Uint8Array>> = {
    "/thimble/v1/containers/run": text(404, "404 page not found"),
    "/v1.51/containers/create": json(201, { Id: "abc", Warnings: null }),
    "/v1.51/containers/abc/attach": stream,
    "/v1.51/containers/abc/wait": json(200, { StatusCode: 7 }),
    "/v1.51/containers/abc/start": "HTTP/1.1 204 X\r\n\r\n",
  };
  const asked: string[] = [];
  const transport = new Transport({ kind: "unix", path: "/x" }, async () => {
    const connection = new ScriptedConnection([]);
    const read = connection.read.bind(connection);
    let isAnswered = false;
    connection.read = async () => {
      if (isAnswered) return await read();
      isAnswered = true;
      const path = /^POST ([^ ?]+)/.exec(connection.text)?.[1] ?? "";
      asked.push(path);
      return Buffer.from(answers[path] ?? "");
    };
    return connection;
  });
  const containers = new ContainersClient(transport);
  const run = await containers.run({ Image: "i", Cmd: ["x"], AttachStdout: true });
  expect(run.id).toBe("abc");
  let output = "";
  for await (const part of run.stream.output()) output += Buffer.from(part.bytes).toString();
  expect([output, await run.exitCode]).toEqual(["hi", 7]);
  expect(asked.toSorted()).toEqual(Object.keys(answers).toSorted());
});
