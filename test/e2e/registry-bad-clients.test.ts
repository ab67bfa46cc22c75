/** Clients that mean harm before `thimble registry serve`: refused in the registry's words, nothing written elsewhere, bounded memory. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { type RunningRegistry, startRegistry } from "../support/registry-process.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";
const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;

describe("clients that mean harm", () => {
  let registry: RunningRegistry;
  beforeAll(async () => {
    registry = await startRegistry([]);
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  /** What comes back for bytes that no decent client would send, until the registry closes. */
  const raw = (bytes: string): Promise<string> =>
    new Promise((resolve) => {
      const { hostname, port } = new URL(registry.url);
      let received = "";
      const socket = connect(Number(port), hostname, () => socket.write(bytes, "latin1"));
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1");
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(received));
    });
  const get = (target: string) =>
    raw(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  const send = async (method: string, path: string, body?: string, type?: string) => {
    const headers: Record<string, string> = type === undefined ? {} : { "Content-Type": type };
    const init = { method, headers, ...(body !== undefined && { body }) };
    const answer = await fetch(`${registry.url}${path}`, init);
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  const begin = async () => (await send("POST", "/v2/a/blobs/uploads/")).headers.get("location");
  /** What lies in the root but for the blobs and repositories that are meant to. */
  const strays = () =>
    readdirSync(registry.root, { recursive: true, encoding: "utf8" }).filter((path) =>
      /passwd|evil|\.\./.test(path),
    );

  test.each([
    ["/v2/../../../../etc/passwd", 404],
    ["/v2/%2e%2e/%2e%2e/etc/manifests/passwd", 404],
    ["/v2/..%2f..%2fetc/manifests/passwd", 400],
    ["/v2/a/manifests/..%2f..%2fpasswd", 404],
    ["/v2/a/blobs/sha256:..%2f..%2fpasswd", 400],
    ["/v2/a/blobs/uploads/..%2f..%2fpasswd", 404],
    ["/v2/a%00b/tags/list", 400],
    ["/v2/%zz/tags/list", 404],
    ["/v2/_uploads/tags/list", 400],
    ["/v2/__proto__/tags/list", 400],
    ["/v2/constructor/manifests/toString", 404],
    [`/v2/${"a/".repeat(2000)}tags/list`, 400],
    ["/v2/_catalog?n=99999999999999999999", 400],
    ["/v2/_catalog?n=-1", 400],
  ])("GET %s", async (target, status) => {
    const answer = await get(target);
    expect(answer).toStartWith(`HTTP/1.1 ${status} `);
    expect(answer).not.toContain("root:");
  });

  test.each([
    [
      "a header without end",
      `GET /v2/ HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(1 << 20)}`,
      431,
    ],
    [
      "headers without end",
      `GET /v2/ HTTP/1.1\r\nHost: localhost\r\n${"X: a\r\n".repeat(50_000)}`,
      431,
    ],
    ["a line without end", `GET /${"a".repeat(1 << 20)}`, 431],
    ["TLS", "\x16\x03\x01\x00\xff".padEnd(1000, "\0"), 400],
    ["two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400],
    ["two framings", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
    ["a negative length", post("Content-Length: -5\r\n", ""), 400],
    ["no host", "GET /v2/ HTTP/1.1\r\n\r\n", 400],
  ])("%s", async (_, bytes, status) => {
    expect(await raw(bytes)).toStartWith(`HTTP/1.1 ${status} `);
  });

  test("uploads with another digest or size", async () => {
    const finish = async (digest: string, body: string) =>
      send("PUT", `${await begin()}?digest=${digest}`, body);
    for (const digest of [digestOf("other"), "sha256:../../evil", "md5:x", ""]) {
      const { status, text } = await finish(digest, "hello");
      expect(status).toBe(400);
      expect(text).toContain("DIGEST_INVALID");
    }
    for (const range of ["100-104", "5-1", "0-99999999999999999999", "bytes x"]) {
      const init = { method: "PATCH", body: "hello", headers: { "Content-Range": range } };
      expect((await fetch(`${registry.url}${await begin()}`, init)).status).toBe(416);
    }
    const foreign = (await begin())?.replace("/v2/a/", "/v2/b/");
    expect((await send("PATCH", foreign ?? "", "hello")).status).toBe(404);
    expect((await send("HEAD", `/v2/a/blobs/${digestOf("hello")}`)).status).toBe(404);
    expect(strays()).toEqual([]);
  });

  test("one upload from many sides: one of them wins, and it can still be given up", async () => {
    const place = (await begin()) ?? "";
    const parts = Array.from({ length: 20 }, () => send("PATCH", place, "x".repeat(100_000)));
    const statuses = (await Promise.all(parts)).map(({ status }) => status);
    expect(statuses).toContain(202);
    expect(statuses.filter((status) => ![202, 409, 416].includes(status))).toEqual([]);
    expect((await send("DELETE", place)).status).toBe(204);
  });

  const manifest = { schemaVersion: 2, mediaType: manifestType };
  const traps: Readonly<Record<string, [content: string, type: string, status: number]>> = {
    nothing: ["", manifestType, 400],
    page: ["<html>", manifestType, 400],
    depth: ["[".repeat(1_000_000), manifestType, 400],
    bulk: [" ".repeat(5 << 20), manifestType, 413],
    "another type": [JSON.stringify({ ...manifest, mediaType: indexType }), manifestType, 400],
    "no type of ours": [JSON.stringify(manifest), "text/html", 400],
    "a path as digest": [withConfig("sha256:../../evil"), manifestType, 400],
    "what is not here": [withConfig(digestOf("nowhere")), manifestType, 400],
  };
  test.each(Object.entries(traps))("a manifest with %s", async (_, [content, type, status]) => {
    const answer = await send("PUT", "/v2/a/manifests/evil", content, type);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain('"errors"');
    expect(strays()).toEqual([]);
  });

  test("a subject that is not there, its referrer with megabytes of annotations", async () => {
    const subject = { mediaType: indexType, digest: digestOf("nobody"), size: 5 };
    const document = { schemaVersion: 2, mediaType: indexType, manifests: [], subject };
    const put = (annotations: object) =>
      send("PUT", "/v2/r/manifests/t", JSON.stringify({ ...document, annotations }), indexType);
    expect((await put({ small: "x" })).status).toBe(201);
    expect((await put({ large: "x".repeat(3 << 20) })).status).toBe(400);
    const { status, text } = await send("GET", `/v2/r/referrers/${subject.digest}`);
    expect(status).toBe(200);
    expect(JSON.parse(text).manifests).toHaveLength(1);
  });

  test("malformed ranges", async () => {
    const place = await begin();
    const digest = digestOf("hello");
    expect((await send("PUT", `${place}?digest=${digest}`, "hello")).status).toBe(201);
    const cases: [range: string, status: number, body?: string][] = [
      ["bytes=1-2", 206, "el"],
      ["bytes=-2", 206, "lo"],
      ["bytes=-0", 416],
      ["bytes=9999999999-", 416],
      ["bytes=5-1", 416],
      ["bytes=0-0,1-1,2-2", 200, "hello"],
      ["items=0-1", 200, "hello"],
    ];
    for (const [range, status, body] of cases) {
      const url = `${registry.url}/v2/a/blobs/${digest}`;
      const answer = await fetch(url, { headers: { Range: range } });
      const text = await answer.text();
      expect([range, answer.status]).toEqual([range, status]);
      if (body !== undefined) expect(text).toBe(body);
    }
  });

  test("many unfinished requests do not keep other clients out", async () => {
    const { hostname, port } = new URL(registry.url);
    const slow = Array.from({ length: 200 }, () =>
      connect(Number(port), hostname).on("error", () => undefined),
    );
    await Promise.all(slow.map((socket) => new Promise((done) => socket.once("connect", done))));
    for (const socket of slow) socket.write("GET /v2/ HTTP/1.1\r\nHost: localhost\r\n");
    expect((await send("GET", "/v2/")).status).toBe(200);
    for (const socket of slow) socket.destroy();
  });
});

function post(fields: string, body: string): string {
  return `POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n${body}`;
}

function withConfig(digest: string): string {
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 1 };
  return JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [] });
}
