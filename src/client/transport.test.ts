import { describe, expect, test } from "bun:test";
import { outcome } from "../base/testing.ts";
import type { Host } from "./host.ts";
import { ScriptedConnection } from "./testing.ts";
import { ResponseFault, Transport } from "./transport.ts";

const host: Host = { kind: "unix", path: "/x.sock" };

/** A transport whose answers come in this order, and the requests it made. */
function scripted(...answers: readonly string[]) {
  const connections: ScriptedConnection[] = [];
  const transport = new Transport(host, async () => {
    const connection = new ScriptedConnection([answers[connections.length] ?? ""]);
    connections.push(connection);
    return connection;
  });
  const lines = () => connections.map(({ text }) => text.split("\r\n")[0]);
  return { transport, lines };
}

function json(status: number, value: unknown): string {
  const body = JSON.stringify(value);
  return `HTTP/1.1 ${status} X\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const list = { method: "GET", path: "/containers/json" } as const;

describe("versions", () => {
  test("the newest is tried without asking", async () => {
    const { transport, lines } = scripted(json(200, []));
    expect(await transport.json<unknown[]>(list)).toEqual([]);
    expect(lines()).toEqual(["GET /v1.51/containers/json HTTP/1.1"]);
  });

  test("a server that is older names its own, and that is used from then on", async () => {
    const tooNew = "client version 1.51 is too new. Maximum supported API version is 1.45";
    const { transport, lines } = scripted(
      json(400, { message: tooNew }),
      json(200, []),
      json(200, []),
    );
    await transport.json(list);
    await transport.json(list);
    expect(lines()[1]).toBe("GET /v1.45/containers/json HTTP/1.1");
    expect(lines()[2]).toBe("GET /v1.45/containers/json HTTP/1.1");
    expect(transport.version).toBe("1.45");
  });

  test("a stream can be sent once only, so a ping comes before it", async () => {
    async function* body() {
      yield Buffer.from("x");
    }
    const pong = "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Length: 0\r\n\r\n";
    const { transport, lines } = scripted(pong, json(200, {}));
    await transport.json({ method: "POST", path: "/images/load", body: body() });
    expect(lines()).toEqual(["HEAD /_ping HTTP/1.1", "POST /v1.44/images/load HTTP/1.1"]);
  });

  test("thimble's own paths carry no version", async () => {
    const { transport, lines } = scripted(json(200, {}));
    await transport.json({ method: "POST", path: "/thimble/v1/containers/plan", json: {} });
    expect(lines()).toEqual(["POST /thimble/v1/containers/plan HTTP/1.1"]);
  });
});

describe("answers of failure", () => {
  test.each([
    [400, "invalid"],
    [403, "denied"],
    [404, "not_found"],
    [409, "conflict"],
    [500, "internal"],
    [501, "unsupported"],
    [503, "unavailable"],
    [418, "invalid"],
    [599, "internal"],
  ])("%d is %s", async (status, code) => {
    const { transport } = scripted(json(status, { message: "No such container: x" }));
    const failure = await transport.json(list).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ResponseFault);
    expect(failure).toMatchObject({ code, status, message: "No such container: x" });
  });

  test("text that is not JSON is the message; nothing at all names the status", async () => {
    const plain = "HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\noops";
    const empty = "HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n";
    const { transport } = scripted(plain, empty);
    expect(await outcome(transport.json(list))).toThrow("oops");
    expect(await outcome(transport.json(list))).toThrow("HTTP status 502");
  });

  test("an engine that is not thimble is told from a missing thing", async () => {
    const { transport } = scripted(json(404, { message: "page not found" }));
    const call = { method: "POST", path: "/thimble/v1/images/make" } as const;
    expect(await outcome(transport.json(call))).toThrow("is not thimble");
  });
});

test("304 means that nothing had to be done", async () => {
  const { transport } = scripted("HTTP/1.1 304 X\r\n\r\n", "HTTP/1.1 204 X\r\n\r\n");
  const start = { method: "POST", path: "/containers/x/start" } as const;
  expect(await transport.done(start)).toBe(false);
  expect(await transport.done(start)).toBe(true);
});

test("queries leave out absent values and repeat lists", async () => {
  const { transport, lines } = scripted(json(200, []));
  const query = { all: true, size: false, limit: undefined, names: ["a/b", "c d"], t: 0 };
  await transport.json({ ...list, query });
  expect(lines()).toEqual([
    "GET /v1.51/containers/json?all=1&names=a%2Fb&names=c%20d&t=0 HTTP/1.1",
  ]);
});
