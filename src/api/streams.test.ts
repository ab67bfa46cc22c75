import { expect, test } from "bun:test";
import { connect } from "node:net";
import type { EngineEvent } from "#engine";
import { type TestServer, testServer } from "./testing.ts";

const upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

async function create(server: TestServer, cmd: readonly string[], rest = {}): Promise<void> {
  await server.call("POST", "/containers/create?name=a", {
    Image: "busybox:test",
    Cmd: cmd,
    ...rest,
  });
}

async function exec(server: TestServer, cmd: readonly string[], rest = {}): Promise<string> {
  await create(server, ["sleep"]);
  await server.call("POST", "/containers/a/start");
  const body = { Cmd: cmd, AttachStdin: true, AttachStdout: true, ...rest };
  return ((await server.call("POST", "/containers/a/exec", body)).json as { Id: string }).Id;
}

function post(path: string, body = "", headers = upgrade): string {
  return `POST ${path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

test("attach answers 101, carries frames, and a half-close ends the input only", async () => {
  await using server = await testServer();
  await create(server, ["cat"], { OpenStdin: true });
  const client = await server.raw();
  client.send(post("/containers/a/attach?stream=1&stdin=1&stdout=1"));
  const headers = await client.until("\r\n\r\n");
  expect(headers).toBe(
    "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
  );
  await server.call("POST", "/containers/a/start");
  client.send("hello\n");
  client.halfClose();
  expect((await client.rest()).slice(headers.length)).toBe("\x01\0\0\0\0\0\0\x06hello\n");
});

test("a client that does not ask for an upgrade gets the stream all the same", async () => {
  await using server = await testServer();
  await create(server, ["cat"], { OpenStdin: true });
  const client = await server.raw();
  client.send("POST /containers/a/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n");
  const headers = await client.until("\r\n\r\n");
  expect(headers).toBe(
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
  );
  await server.call("POST", "/containers/a/start");
  client.send("hello\n");
  client.halfClose();
  expect((await client.rest()).slice(headers.length)).toBe("\x01\0\0\0\0\0\0\x06hello\n");
});

test("an upgrade without `Connection: Upgrade` is granted, as dockerd does", async () => {
  await using server = await testServer();
  await create(server, ["cat"], { OpenStdin: true });
  const client = await server.raw();
  client.send(
    "POST /containers/a/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\n\r\n",
  );
  const headers = await client.until("\r\n\r\n");
  expect(headers).toStartWith("HTTP/1.1 101 UPGRADED\r\n");
  expect(headers).toContain("Content-Type: application/vnd.docker.multiplexed-stream\r\n");
  await server.call("POST", "/containers/a/start");
  client.send("hello\n");
  client.halfClose();
  expect((await client.rest()).slice(headers.length)).toBe("\x01\0\0\0\0\0\0\x06hello\n");
});

test("a body that comes with an attach is not a standard input", async () => {
  await using server = await testServer();
  await create(server, ["cat"], { OpenStdin: true });
  const client = await server.raw();
  client.send(post("/containers/a/attach?stream=1&stdin=1&stdout=1", '{"stream":true}'));
  await client.until("\r\n\r\n");
  await server.call("POST", "/containers/a/start");
  client.send("x");
  client.halfClose();
  expect(await client.rest()).toEndWith("\r\n\r\n\x01\0\0\0\0\0\0\x01x");
});

test("a terminal is raw, and the detach keys leave the program running", async () => {
  await using server = await testServer();
  await create(server, ["cat"], { OpenStdin: true, Tty: true });
  const client = await server.raw();
  client.send(post("/containers/a/attach?stream=1&stdin=1&stdout=1"));
  expect(await client.until("\r\n\r\n")).toContain("vnd.docker.raw-stream");
  await server.call("POST", "/containers/a/start");
  client.send("hi\x10");
  await client.until("hi");
  client.send("\x11more");
  expect(await client.rest()).toEndWith("\r\n\r\nhi");
  expect(server.engine.containers.get("a").state.status).toBe("running");
});

test("bad detach keys are refused before anything is attached", async () => {
  await using server = await testServer();
  await create(server, ["cat"], { Tty: true });
  const answer = await server.call("POST", "/containers/a/attach?detachKeys=ctrl-1");
  expect([answer.status, answer.text]).toEqual([400, "Invalid detach keys (ctrl-1) provided\r\n"]);
  await server.call("POST", "/containers/a/start");
  const exec = await server.call("POST", "/containers/a/exec", { Cmd: ["x"], DetachKeys: "bad" });
  expect([exec.status, exec.json]).toEqual([
    500,
    { message: "Invalid escape keys (bad) provided" },
  ]);
  expect(server.engine.calls.filter((call) => call.startsWith("attach"))).toEqual([]);
});

test("the body of an exec start is read wherever it arrives, and input follows it", async () => {
  await using server = await testServer();
  const body = '{"Detach":false,"Tty":false}';
  for (const cut of [0, 10, body.length]) {
    const id = await exec(server, ["cat"]);
    const client = await server.raw();
    const whole = post(`/exec/${id}/start`, body);
    const at = whole.length - body.length + cut;
    client.send(whole.slice(0, at));
    await server.call("GET", "/_ping");
    client.send(`${whole.slice(at)}early`);
    await client.until("early");
    client.halfClose();
    expect(await client.rest()).toEndWith("\x01\0\0\0\0\0\0\x05early");
    await server.engine.containers.remove("a", { force: true, volumes: false });
  }
});

/** Execs of this server start when the returned function is called. */
function holdExecs({ engine }: TestServer): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const start = engine.execs.start.bind(engine.execs);
  Object.assign(engine.execs, {
    start: async (...args: Parameters<typeof start>) => {
      await promise;
      return start(...args);
    },
  });
  return resolve;
}

test.each([upgrade, ""])(
  "a program starts when its client has the connection: %j",
  async (asks) => {
    await using server = await testServer();
    const release = holdExecs(server);
    const id = await exec(server, ["cat"]);
    const client = await server.raw();
    client.send(post(`/exec/${id}/start`, "{}", asks));
    await client.until("\r\n\r\n");
    client.send("early");
    client.halfClose();
    await server.call("GET", "/_ping");
    release();
    expect(await client.rest()).toEndWith("\r\n\r\n\x01\0\0\0\0\0\0\x05early");
  },
);

test("no output is sent before the client has read the head of the answer", async () => {
  let untaken = 1;
  await using server = await testServer({ untaken: () => untaken });
  const id = await exec(server, ["echo", "hi"]);
  const client = await server.raw();
  client.send(post(`/exec/${id}/start`, "{}"));
  const head = await client.until("\r\n\r\n");
  while ((await server.call("GET", `/exec/${id}/json`)).text.includes('"ExitCode":null'));
  expect(await client.until("\r\n\r\n")).toBe(head);
  untaken = 0;
  expect((await client.rest()).slice(head.length)).toBe("\x01\0\0\0\0\0\0\x03hi\n");
});

test("an end of input that comes before the program starts is one for it", async () => {
  await using server = await testServer();
  const release = holdExecs(server);
  const id = await exec(server, ["cat"]);
  const client = await server.raw();
  client.send(post(`/exec/${id}/start`, "{}"));
  client.halfClose();
  await client.until("\r\n\r\n");
  await server.call("GET", "/_ping");
  release();
  expect(await client.rest()).toEndWith("\r\n\r\n");
  expect((await server.call("GET", `/exec/${id}/json`)).json).toMatchObject({ ExitCode: 0 });
});

test("the output is framed as the start says, as Docker does", async () => {
  await using server = await testServer();
  const run = async (created: boolean, started: boolean) => {
    const id = await exec(server, ["echo", "hi"], { Tty: created });
    const client = await server.raw();
    client.send(post(`/exec/${id}/start`, JSON.stringify({ Tty: started })));
    const [head = "", output = ""] = (await client.rest()).split("\r\n\r\n");
    await server.engine.containers.remove("a", { force: true, volumes: false });
    return `${/docker\.(\w+)/.exec(head)?.[1]} ${output}`;
  };
  const framed = "multiplexed \x01\0\0\0\0\0\0\x03hi\n";
  expect(await run(false, false)).toBe(framed);
  expect(await run(true, false)).toBe(framed);
  expect(await run(false, true)).toBe("raw hi\n");
  expect(await run(true, true)).toBe("raw hi\n");
});

test("an exec without an upgrade streams too, one detached answers at once", async () => {
  await using server = await testServer();
  const id = await exec(server, ["echo", "hi"]);
  const client = await server.raw();
  client.send(post(`/exec/${id}/start`, "{}", ""));
  expect(await client.rest()).toBe(
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n\x01\0\0\0\0\0\0\x03hi\n",
  );
  const second = await exec(server, ["sleep"]);
  expect((await server.call("POST", `/exec/${second}/start`, { Detach: true })).status).toBe(200);
  expect((await server.call("GET", `/exec/${second}/json`)).json).toMatchObject({
    ID: second,
    Running: true,
    ExitCode: null,
    ProcessConfig: { entrypoint: "sleep", arguments: [], tty: false, privileged: false },
    OpenStdin: true,
    Pid: 4243,
  });
});

test("a program that does not start is told in the stream, or as the answer when detached", async () => {
  await using server = await testServer();
  const why =
    'OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": executable file not found in $PATH';
  const id = await exec(server, ["nope"]);
  const client = await server.raw();
  client.send(post(`/exec/${id}/start`, "{}"));
  const text = await client.rest();
  expect(text).toStartWith("HTTP/1.1 101 UPGRADED");
  expect(text).toEndWith(`\x01\0\0\0\0\0\0${String.fromCharCode(why.length + 2)}${why}\r\n`);
  const detached = await exec(server, ["nope"]);
  expect(await server.call("POST", `/exec/${detached}/start`, { Detach: true })).toMatchObject({
    status: 400,
    json: { message: why },
  });
});

test("execs are refused where Docker refuses them", async () => {
  await using server = await testServer();
  await create(server, ["sleep"]);
  const { id } = server.engine.containers.get("a");
  const post = (body: object) => server.call("POST", "/containers/a/exec", body);
  expect(await post({})).toMatchObject({
    status: 400,
    json: { message: "No exec command specified" },
  });
  expect(await post({ Cmd: ["x"] })).toMatchObject({
    status: 409,
    json: { message: `container ${id} is not running` },
  });
  expect(await server.call("POST", "/exec/nope/start", {})).toMatchObject({
    status: 404,
    json: { message: "No such exec instance: nope" },
  });
});

test("a client that leaves ends the stream for it", async () => {
  await using server = await testServer();
  await create(server, ["sleep"]);
  await server.call("POST", "/containers/a/start");
  const logs = await server.raw();
  logs.send("GET /containers/a/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n");
  await logs.until("\r\n\r\n");
  logs.destroy();
  const events = await server.raw();
  events.send("GET /events HTTP/1.1\r\nHost: d\r\n\r\n");
  await events.until("\r\n\r\n");
  events.destroy();
  const all = () =>
    ["logs ended", "unsubscribe"].every((call) => server.engine.calls.includes(call));
  while (!all()) await server.call("GET", "/_ping");
});

test("logs have their type and want a stream", async () => {
  await using server = await testServer();
  await create(server, ["echo", "x"]);
  await server.call("POST", "/containers/a/start");
  const logs = await server.call("GET", "/containers/a/logs?stdout=1");
  expect(logs.headers.get("content-type")).toBe("application/vnd.docker.multiplexed-stream");
  expect(logs.text).toBe("\x01\0\0\0\0\0\0\x02x\n");
  expect(await server.call("GET", "/containers/a/logs")).toMatchObject({
    status: 400,
    json: { message: "Bad parameters: you must choose at least one stream" },
  });
  expect(await server.call("GET", "/containers/a/logs?stdout=1&since=yesterday")).toMatchObject({
    status: 500,
    json: { message: 'strconv.ParseInt: parsing "yesterday": invalid syntax' },
  });
});

test("events that end before they begin are refused in Docker's words", async () => {
  await using server = await testServer();
  expect(await server.call("GET", "/events?since=5.5&until=5")).toMatchObject({
    status: 400,
    json: { message: "`since` time (5.5) cannot be after `until` time (5)" },
  });
  expect(server.engine.calls).toEqual([]);
});

test("a client of events that does not read is disconnected", async () => {
  await using server = await testServer();
  const ended = Promise.withResolvers<void>();
  const blocked = Promise.withResolvers<() => void>();
  server.engine.events.subscribe = async function* ({ onOverrun = () => undefined }) {
    const event = { type: "daemon", action: "x".repeat(8 << 20), id: "", attributes: {}, time: 0n };
    try {
      // More than the buffers of a socket hold, so that the first write waits for the client.
      blocked.resolve(onOverrun);
      for (;;) yield event as EngineEvent;
    } finally {
      ended.resolve();
    }
  };
  const client = connect(server.socket);
  client.pause().write("GET /events HTTP/1.1\r\nHost: d\r\n\r\n");
  const overrun = await blocked.promise;
  setImmediate(overrun);
  await ended.promise;
  client.destroy();
});

test("events are lines of JSON, exact to the nanosecond", async () => {
  await using server = await testServer();
  const client = await server.raw();
  client.send(
    "GET /events?since=5.5&filters=%7B%22type%22%3A%5B%22container%22%5D%7D HTTP/1.1\r\nHost: d\r\n\r\n",
  );
  await client.until("\r\n\r\n");
  server.engine.emit({
    type: "container",
    action: "start",
    id: "x",
    attributes: { image: "busybox:test", name: "a" },
    time: 1_700_000_000_123_456_789n,
  });
  expect(await client.until("}\n")).toContain(
    '{"status":"start","id":"x","from":"busybox:test","Type":"container","Action":"start","Actor":{"ID":"x","Attributes":{"image":"busybox:test","name":"a"}},"scope":"local","time":1700000000,"timeNano":1700000000123456789}\n',
  );
  expect(server.engine.calls).toContain(
    'subscribe {"since":"5500000000","filters":{"type":["container"]}}',
  );
  client.destroy();
});
