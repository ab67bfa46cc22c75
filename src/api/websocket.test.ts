import { expect, test } from "bun:test";
import { type TestServer, testServer } from "./testing.ts";
import { answerHandshake } from "./websocket.ts";

interface Client extends AsyncDisposable {
  readonly socket: WebSocket;
  /** Every message so far, joined. */
  readonly received: () => string;
  until(wanted: string): Promise<void>;
  readonly closed: Promise<number>;
}

async function connect(server: TestServer, path: string): Promise<Client> {
  const socket = new WebSocket(`ws+unix://${server.socket}:${path}`);
  socket.binaryType = "arraybuffer";
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<number>();
  let received = "";
  let changed = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onerror = () => opened.reject(new Error(`no websocket at ${path}`));
  socket.onclose = ({ code }) => closed.resolve(code);
  socket.onmessage = ({ data }) => {
    received += typeof data === "string" ? `text:${data}` : Buffer.from(data).toString();
    changed.resolve();
    changed = Promise.withResolvers();
  };
  await opened.promise;
  return {
    socket,
    received: () => received,
    closed: closed.promise,
    async until(wanted) {
      while (!received.includes(wanted)) await changed.promise;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await closed.promise;
    },
  };
}

async function create(server: TestServer, cmd: readonly string[], rest = {}): Promise<void> {
  const body = { Image: "busybox:test", Cmd: cmd, OpenStdin: true, ...rest };
  await server.call("POST", "/containers/create?name=a", body);
}

const all = "stream=1&stdin=1&stdout=1&stderr=1";

test("a websocket carries input and output as binary messages without frames", async () => {
  await using server = await testServer();
  await create(server, ["cat"]);
  await using client = await connect(server, `/v1.51/containers/a/attach/ws?${all}`);
  await server.call("POST", "/containers/a/start");
  client.socket.send("hello\n");
  await client.until("hello\n");
  client.socket.send(Buffer.alloc(70_000, "x"));
  await client.until("x".repeat(70_000));
  expect(client.received()).toBe(`hello\n${"x".repeat(70_000)}`);
});

test("the end of the program closes a websocket", async () => {
  await using server = await testServer();
  await create(server, ["echo", "over"]);
  await using client = await connect(server, `/v1.51/containers/a/attach/ws?${all}`);
  await server.call("POST", "/containers/a/start");
  expect(await client.closed).toBe(1000);
  expect(client.received()).toBe("over\n");
});

test("the close of a websocket ends the input", async () => {
  await using server = await testServer();
  await create(server, ["cat"], { StdinOnce: true });
  const client = await connect(server, `/v1.51/containers/a/attach/ws?${all}`);
  await server.call("POST", "/containers/a/start");
  client.socket.send("hello\n");
  await client.until("hello\n");
  client.socket.close(1000);
  expect(await client.closed).toBe(1000);
  expect((await server.call("POST", "/containers/a/wait")).json).toMatchObject({ StatusCode: 0 });
});

test("clients older than 1.28 get text, and those older than 1.42 all streams", async () => {
  await using server = await testServer();
  await create(server, ["cat"]);
  await using old = await connect(server, "/v1.27/containers/a/attach/ws?stream=1");
  await using newer = await connect(server, "/v1.41/containers/a/attach/ws?stream=1");
  await using today = await connect(server, "/v1.42/containers/a/attach/ws?stream=1&stdin=1");
  await server.call("POST", "/containers/a/start");
  old.socket.send("é");
  await Promise.all([old.until("text:é"), newer.until("é")]);
  expect([old.received(), newer.received(), today.received()]).toEqual(["text:é", "é", ""]);
});

test("the detach keys close the websocket of a terminal", async () => {
  await using server = await testServer();
  await create(server, ["cat"], { Tty: true });
  const path = `/v1.51/containers/a/attach/ws?${all}&detachKeys=ctrl-a,d`;
  await using client = await connect(server, path);
  await server.call("POST", "/containers/a/start");
  client.socket.send("hi\x01d");
  expect(await client.closed).toBe(1000);
  expect(server.engine.containers.get("a").state.status).toBe("running");
});

test.each([
  ["", "absent", 404, '{"message":"No such container: absent"}\n'],
  ["?detachKeys=ctrl-9", "a", 400, '{"message":"Invalid detach keys (ctrl-9) provided"}\n'],
  ["?stream=1", "a", 400, "not websocket protocol"],
])("attach/ws%s of %s answers %i", async (query, name, status, text) => {
  await using server = await testServer();
  await create(server, ["cat"]);
  const answer = await server.call("GET", `/v1.51/containers/${name}/attach/ws${query}`);
  expect([answer.status, answer.text]).toEqual([status, text]);
});

test.each([
  ["101", "Switching Protocols", "key: dGhlIHNhbXBsZSBub25jZQ==|Version: 13"],
  ["400", "Bad Request", "Version: 13"],
  ["400", "Bad Request", "key: dGhlIHNhbXBsZSBub25jZQ==|Version: 12"],
])("a handshake with these fields is answered %s %s: %s", async (status, reason, fields) => {
  await using server = await testServer();
  await create(server, ["cat"]);
  const client = await server.raw();
  const own = fields.split("|").map((field) => `Sec-WebSocket-${field}\r\n`);
  client.send(
    `GET /v1.51/containers/a/attach/ws?${all} HTTP/1.1\r\nHost: d\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n${own.join("")}\r\n`,
  );
  expect(await client.until("\r\n\r\n")).toStartWith(`HTTP/1.1 ${status} ${reason}\r\n`);
  client.destroy();
});

test("the accepted key is that of RFC 6455, and one protocol is agreed to", () => {
  const headers = {
    connection: "Upgrade",
    upgrade: "WebSocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
  };
  expect(answerHandshake({ headers }).fields).toEqual({
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  });
  const one = answerHandshake({ headers: { ...headers, "sec-websocket-protocol": "a" } });
  expect(one.fields["Sec-WebSocket-Protocol"]).toBe("a");
  const two = answerHandshake({ headers: { ...headers, "sec-websocket-protocol": "a, b" } });
  expect(two).toMatchObject({ refusal: "bad sub protocol" });
});

test("a frame that is not masked closes the connection with a protocol error", async () => {
  await using server = await testServer();
  await create(server, ["cat"]);
  const client = await server.raw();
  client.send(
    `GET /v1.51/containers/a/attach/ws?${all} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  const head = await client.until("\r\n\r\n");
  client.send(new Uint8Array([0x82, 1, 65, 0, 0, 0, 0]));
  expect((await client.rest()).slice(head.length)).toBe("\x88\x02\x03\xea");
});
