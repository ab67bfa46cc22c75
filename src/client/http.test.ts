import { describe, expect, test } from "bun:test";
import { collect } from "#base";
import { outcome } from "../base/testing.ts";
import type { Connection } from "./connection.ts";
import type { Host } from "./host.ts";
import { exchange, type HttpRequest } from "./http.ts";
import { ScriptedConnection } from "./testing.ts";

const host: Host = { kind: "unix", path: "/x.sock" };
const get: HttpRequest = { method: "GET", path: "/x" };

async function answer(pieces: readonly string[], request: HttpRequest = get) {
  const connection = new ScriptedConnection(pieces);
  const response = await exchange(connection, host, request);
  const body = (await collect(response.body, 1 << 20, "body")).toString();
  return { connection, response, body };
}

/** The same answer, one byte at a time. */
const dribble = (text: string) => [...text];

describe("bodies", () => {
  const cases: [name: string, answer: string, body: string][] = [
    ["of a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"],
    ["of no bytes", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""],
    [
      "in chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n",
      "hello",
    ],
    ["until the end", "HTTP/1.0 200 OK\r\n\r\nhello", "hello"],
    ["after 100 Continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello", "hello"],
    ["none with 204", "HTTP/1.1 204 No Content\r\n\r\n", ""],
  ];
  test.each(cases)("%s", async (_, text, want) => {
    expect((await answer([text])).body).toBe(want);
    const { body, connection } = await answer(dribble(text));
    expect(body).toBe(want);
    expect(connection.closed).toBe(true);
  });

  test("a HEAD request's answer has no body, whatever the length says", async () => {
    const text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nApi-Version: 1.51\r\n\r\n";
    const { body, response } = await answer([text], { method: "HEAD", path: "/_ping" });
    expect(body).toBe("");
    expect(response.headers.get("api-version")).toBe("1.51");
  });
});

describe("malformed answers", () => {
  const cases: [name: string, pieces: string[], why: string][] = [
    ["nothing", [], "closed it before an answer came"],
    ["not HTTP", ["SSH-2.0-x\r\n\r\n"], "this is not HTTP"],
    ["a short body", ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"], "in the middle"],
    ["a bad length", ["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], "length is not a number"],
    ["a bad chunk", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], "no size"],
    [
      "a long chunk",
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"],
      "longer than its size",
    ],
    ["a header without end", ["x".repeat(70_000), "y"], "header is too large"],
  ];
  test.each(cases)("%s", async (_, pieces, why) => {
    expect(await outcome(answer(pieces))).toThrow(why);
  });
});

describe("requests", () => {
  const ok = ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"];

  test("a body of known length goes out in one piece", async () => {
    const { connection } = await answer(ok, {
      method: "POST",
      path: "/c?x=1",
      headers: { "Content-Type": "application/json" },
      body: Buffer.from("{}"),
    });
    expect(connection.written).toHaveLength(1);
    expect(connection.text).toBe(
      "POST /c?x=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    );
  });

  test("a stream goes out in chunks, empty ones left out", async () => {
    async function* body() {
      yield Buffer.from("hello");
      yield Buffer.alloc(0);
      yield Buffer.from("you");
    }
    const connection = new ScriptedConnection([]);
    expect(
      await outcome(exchange(connection, host, { ...get, method: "POST", body: body() })),
    ).toThrow();
    expect(connection.text.split("\r\n\r\n").slice(1).join("\r\n\r\n")).toBe(
      "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n",
    );
  });

  test("a stream that breaks off ends the exchange with its reason, answered or not", async () => {
    async function* body() {
      yield Buffer.from("hello");
      throw new Error("read error");
    }
    const closed = Promise.withResolvers<undefined>();
    const scripted = new ScriptedConnection([]);
    const connection: Connection = {
      write: (bytes) => scripted.write(bytes),
      read: () => closed.promise,
      end: () => scripted.end(),
      close: () => closed.resolve(undefined),
    };
    const request = { ...get, method: "POST", body: body() };
    expect(await outcome(exchange(connection, host, request))).toThrow("read error");
  });

  test("after an upgrade the bytes behind the head come first", async () => {
    const connection = new ScriptedConnection([
      "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nfirst",
      "second",
    ]);
    const response = await exchange(connection, host, {
      method: "POST",
      path: "/a",
      upgrade: true,
    });
    expect(connection.text).toContain("Connection: Upgrade\r\nUpgrade: tcp\r\n");
    const raw = response.hijack();
    expect(Buffer.from((await raw.read()) ?? []).toString()).toBe("first");
    expect(Buffer.from((await raw.read()) ?? []).toString()).toBe("second");
    raw.end();
    expect(connection.ended).toBe(true);
  });
});
