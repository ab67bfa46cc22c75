import { expect, test } from "bun:test";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { silentLog } from "#base";
import { createFakeEngine } from "../../test/support/fake-engine.ts";
import { outcome } from "../base/testing.ts";
import { createApiServer } from "./server.ts";
import { testServer } from "./testing.ts";

test("versions from the oldest to the newest are spoken, and no others", async () => {
  await using server = await testServer();
  for (const prefix of ["", "/v1.24", "/v1.43", "/v1.51"])
    expect((await server.call("GET", `${prefix}/version`)).status).toBe(200);
  expect(await server.call("GET", "/v1.99/version")).toMatchObject({
    status: 400,
    json: { message: "client version 1.99 is too new. Maximum supported API version is 1.51" },
  });
  expect((await server.call("GET", "/v1.24.1/version")).status).toBe(200);
  expect((await server.call("GET", "/v1.99/nothing")).status).toBe(404);
  expect(await server.call("OPTIONS", "/v1.23/info")).toMatchObject({ status: 400 });
  expect(await server.call("GET", "/v1.23/version")).toMatchObject({
    status: 400,
    text: "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n",
  });
  const ancient = await server.call("GET", "/v1.20/version");
  expect(ancient.status).toBe(400);
  expect(ancient.text).toStartWith("client version 1.20 is too old.");
});

test("an unknown endpoint is not found", async () => {
  await using server = await testServer();
  for (const [method, path] of [
    ["GET", "/nothing"],
    ["GET", "/vx/version"],
    ["POST", "/v1.51/info"],
    ["PUT", "/v1.51/containers/json"],
  ] as const)
    expect(await server.call(method, path)).toMatchObject({
      status: 404,
      json: { message: "page not found" },
    });
  expect((await server.call("GET", "/%zz")).status).toBe(400);
});

test("ping tells a client the version to speak", async () => {
  await using server = await testServer();
  const got = await server.call("GET", "/_ping");
  expect(got.text).toBe("OK");
  expect(got.headers.get("api-version")).toBe("1.51");
  expect(got.headers.get("ostype")).toBe("linux");
  expect(got.headers.get("docker-experimental")).toBe("false");
  expect(got.headers.get("swarm")).toBe("inactive");
  expect(got.headers.get("server")).toBe("Thimble/0.0.0 (linux)");
  const head = await server.call("HEAD", "/_ping");
  expect([head.status, head.text]).toEqual([200, ""]);
});

test("a defect of a handler is a 500 with its message, and logged", async () => {
  const engine = createFakeEngine();
  engine.info = async () => {
    throw new TypeError("boom");
  };
  await using server = await testServer({ engine });
  expect(await server.call("GET", "/info")).toMatchObject({
    status: 500,
    json: { message: "boom" },
  });
  expect(server.logged.join("")).toContain("boom");
});

test("a connection serves one request after the other, also after a refused one", async () => {
  await using server = await testServer();
  const client = await server.raw();
  client.send("GET /nothing HTTP/1.1\r\nHost: d\r\n\r\nGET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
  const text = await client.until("OK");
  expect(text.match(/^HTTP\/1.1 \d+/gm)).toEqual(["HTTP/1.1 404", "HTTP/1.1 200"]);
  client.destroy();
});

test("bytes that are not HTTP are refused, and headers have a limit", async () => {
  await using server = await testServer();
  for (const [bytes, status, why] of [
    ["garbage\r\n\r\n", 400, "this is not an HTTP/1.1 request"],
    [`GET / HTTP/1.1\r\nX: ${"a".repeat(70_000)}\r\n\r\n`, 431, "larger than 65536 bytes"],
  ] as const) {
    const client = await server.raw();
    client.send(bytes);
    const answer = await client.rest();
    expect(answer).toStartWith(`HTTP/1.1 ${status}`);
    expect(answer).toContain(why);
  }
});

test("an upgrade to another protocol is answered as a plain request", async () => {
  await using server = await testServer();
  const client = await server.raw();
  client.send("GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  expect(await client.until("OK")).toStartWith("HTTP/1.1 200 OK");
  client.destroy();
});

test("the socket has its mode, a dead one is replaced, a live one and a file are not", async () => {
  await using server = await testServer();
  expect(statSync(server.socket).mode & 0o777).toBe(0o600);
  const at = (path: string) => [{ kind: "unix", path, mode: 0o600 }] as const;
  const second = () => createApiServer({ engine: server.engine, log: silentLog, version: "0" });
  expect(await outcome(second().listen(at(server.socket)))).toThrow("another engine answers");
  const file = `${server.socket}.file`;
  writeFileSync(file, "");
  expect(await outcome(second().listen(at(file)))).toThrow("it is not a socket");
  const long = `/tmp/${"x".repeat(120)}`;
  expect(await outcome(second().listen(at(long)))).toThrow("107 bytes");
});

test("closing ends every connection, also those taken over, and removes the socket", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=a", { Image: "busybox:test", Cmd: ["sleep"] });
  const attached = await server.raw();
  attached.send("POST /containers/a/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n");
  await attached.until("raw-stream");
  const waiting = await server.raw();
  waiting.send("POST /containers/a/wait HTTP/1.1\r\nHost: d\r\n\r\n");
  await waiting.until("200 OK");
  await server[Symbol.asyncDispose]();
  await Promise.all([attached.rest(), waiting.rest()]);
  expect(existsSync(server.socket)).toBe(false);
});

test("the owner of a container comes from the connection", async () => {
  await using server = await testServer({ ownerOf: () => ({ uid: 7, gid: 8 }) });
  const created = await server.call("POST", "/containers/create?name=a", { Image: "busybox:test" });
  expect(created.status).toBe(201);
  expect(server.engine.containers.get("a").owner).toEqual({ uid: 7, gid: 8 });
});
