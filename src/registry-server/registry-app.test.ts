import { afterEach, expect, test } from "bun:test";
import { connect } from "node:net";
import { createLog, Fault } from "#base";
import { sha256 } from "#image";
import { rejection } from "../base/testing.ts";
import type {
  AuthorizationRequest,
  RegistryServer,
  RegistryServerOptions,
  RequestObservation,
} from "./registry-server.ts";
import { startServer } from "./start-server.ts";
import { MemoryStore, startTestServer, testClient, testImage } from "./testing.ts";

const servers: RegistryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ seconds: 0 });
});

async function served(options: Partial<RegistryServerOptions> = {}) {
  const server = await startTestServer(options);
  servers.push(server);
  return { server, client: testClient(server.url) };
}

test("the ping says which API this is", async () => {
  const { client } = await served();
  for (const path of ["/v2/", "/v2"]) {
    const response = await client.call("GET", path);
    expect([response.status, await response.text()]).toEqual([200, "{}"]);
    expect(response.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
  }
});

test("a request outside of the API is refused in its words", async () => {
  const { client } = await served();
  for (const [method, path, status] of [
    ["POST", "/v2/", 405],
    ["PUT", "/v2/r/tags/list", 405],
    ["PATCH", `/v2/r/blobs/${sha256("x")}`, 405],
    ["PUT", "/v2/r/blobs/uploads/", 405],
    ["POST", "/v2/r/manifests/v", 405],
    ["GET", "/v2/r", 404],
    ["GET", "/v2/r/tags", 404],
    ["GET", "/v2/r/tags/other", 404],
    ["GET", "/v2//manifests/x", 404],
    ["GET", "/v2/_other", 404],
  ] as const) {
    const response = await client.call(method, path);
    expect([response.status, await client.errorCodes(response)]).toEqual([status, ["UNSUPPORTED"]]);
  }
  expect((await client.call("GET", "/other")).status).toBe(404);
});

test("a page of another site cannot make a browser write", async () => {
  const { client, server } = await served();
  const post = (origin: string) =>
    client.call("POST", "/v2/r/blobs/uploads/", { headers: { Origin: origin } });
  for (const origin of ["https://evil.example", "null", "http://127.0.0.1:1"]) {
    const response = await post(origin);
    expect([response.status, await client.errorCodes(response)]).toEqual([403, ["DENIED"]]);
  }
  expect((await post(server.url)).status).toBe(202);
  // Whatever else writes is asked about first, and nothing here gives leave.
  const asked = await client.call("OPTIONS", "/v2/r/manifests/v", {
    headers: { Origin: "https://evil.example", "Access-Control-Request-Method": "PUT" },
  });
  expect(asked.status).toBe(405);
  expect([...asked.headers.keys()].filter((each) => each.startsWith("access-control"))).toEqual([]);
});

test("every request is put to the authorizer, with the rights that it needs", async () => {
  const asked: AuthorizationRequest[] = [];
  const { client, server } = await served({
    authorizer: {
      authorize: async (request) => {
        asked.push(request);
        return { ok: true };
      },
    },
  });
  const needs = async (method: string, path: string) => {
    asked.length = 0;
    await client.call(method, path, { headers: { Authorization: "Bearer x" } });
    return asked.map(({ repository, actions }) => `${repository ?? "-"} ${actions.join(",")}`);
  };
  const digest = sha256("x");
  const id = "00000000-0000-0000-0000-000000000000";
  expect(await needs("GET", "/v2/")).toEqual(["- "]);
  expect(await needs("GET", "/v2/_catalog")).toEqual(["- catalog"]);
  expect(await needs("GET", "/v2/a/b/tags/list")).toEqual(["a/b pull"]);
  expect(await needs("HEAD", "/v2/a/b/manifests/v")).toEqual(["a/b pull"]);
  expect(await needs("PUT", "/v2/a/b/manifests/v")).toEqual(["a/b pull,push"]);
  expect(await needs("DELETE", "/v2/a/b/manifests/v")).toEqual(["a/b delete"]);
  expect(await needs("GET", `/v2/a/blobs/${digest}`)).toEqual(["a pull"]);
  expect(await needs("DELETE", `/v2/a/blobs/${digest}`)).toEqual(["a delete"]);
  expect(await needs("GET", `/v2/a/referrers/${digest}`)).toEqual(["a pull"]);
  expect(await needs("POST", "/v2/a/blobs/uploads/")).toEqual(["a pull,push"]);
  expect(await needs("PATCH", `/v2/a/blobs/uploads/${id}`)).toEqual(["a pull,push"]);
  expect(await needs("GET", "/v2/../a")).toEqual([]);
  expect(await needs("GET", "/v2/%2e%2e/tags/list")).toEqual([]);
  await needs("GET", "/v2/");
  expect(asked[0]).toMatchObject({ authorization: "Bearer x", origin: server.url, method: "GET" });
  expect(asked[0]?.remote).toMatch(/127\.0\.0\.1$/);
});

test("a client without the right is told so, and how to ask", async () => {
  const answers = {
    none: { ok: false, status: 401, challenge: 'Basic realm="x"' },
    other: { ok: false, status: 403 },
    many: { ok: false, status: 429, retryAfter: 2.5 },
  } as const;
  const { client } = await served({
    authorizer: {
      authorize: async ({ repository }) => {
        if (repository === "broken") throw new Error("secret words");
        return answers[repository as keyof typeof answers];
      },
    },
  });
  const get = async (name: string) => {
    const response = await client.call("GET", `/v2/${name}/tags/list`);
    const text = await response.clone().text();
    return { response, text, codes: await client.errorCodes(response) };
  };
  const none = await get("none");
  expect([none.response.status, none.codes]).toEqual([401, ["UNAUTHORIZED"]]);
  expect(none.response.headers.get("www-authenticate")).toBe('Basic realm="x"');
  const other = await get("other");
  expect([other.response.status, other.codes]).toEqual([403, ["DENIED"]]);
  const many = await get("many");
  expect([many.response.status, many.codes]).toEqual([429, ["TOOMANYREQUESTS"]]);
  expect(many.response.headers.get("retry-after")).toBe("3");
  const broken = await get("broken");
  expect([broken.response.status, broken.codes]).toEqual([500, ["UNKNOWN"]]);
  expect(broken.text).not.toContain("secret words");
});

test("other handlers have every other path, with small bodies", async () => {
  const { client, server } = await served({
    handlers: [
      {
        handle: async (request, { url, catalogue, origin }) => {
          if (url.pathname === "/broken") throw new Error("no");
          if (url.pathname !== "/page") return undefined;
          const names = await catalogue.repositories();
          return new Response(`${origin} ${names} ${await request.text()}`);
        },
      },
      { handle: () => new Response("second", { status: 418 }) },
    ],
  });
  await client.push("r", "v", testImage([]));
  const page = await client.call("POST", "/page", { body: "body" });
  expect(await page.text()).toBe(`${server.url} r body`);
  expect(page.headers.has("docker-distribution-api-version")).toBe(false);
  expect((await client.call("GET", "/none")).status).toBe(418);
  expect((await client.call("GET", "/broken")).status).toBe(500);
  expect((await client.call("POST", "/page", { body: "x".repeat(70_000) })).status).toBe(413);
  expect((await client.call("GET", "/v2/page")).status).toBe(404);
});

test("requests are observed by kind", async () => {
  const seen: RequestObservation[] = [];
  const { client } = await served({ observe: (request) => seen.push(request) });
  const image = testImage([]);
  await client.push("r", "v", image);
  await client.call("GET", `/v2/r/blobs/${sha256("{}")}`);
  await client.call("GET", "/v2/r/nothing");
  await client.call("GET", "/page");
  const short = seen.map(({ method, route, status, received, sent }) => [
    `${method} ${route} ${status}`,
    received,
    sent,
  ]);
  expect(short).toEqual([
    ["POST upload 201", 2, 0],
    ["PUT manifest 201", image.manifest.length, 0],
    ["GET blob 200", 0, 2],
    ["GET other 404", 0, 0],
    ["GET extra 404", 0, 0],
  ]);
  expect(seen.every(({ seconds }) => seconds >= 0)).toBe(true);
});

test("a store that is full or away is told as such, and its words stay in the log", async () => {
  const lines: string[] = [];
  const store = new MemoryStore({
    step: async (what) => {
      if (what.startsWith("write")) throw new Fault("exhausted", "no space in /secret");
      if (what.startsWith("stat")) throw new Fault("unavailable", "bucket secret");
    },
  });
  const { client } = await served({ store, log: createLog("info", (line) => lines.push(line)) });
  const full = await client.call("POST", "/v2/r/blobs/uploads/");
  expect([full.status, await client.errorCodes(full.clone() as Response)]).toEqual([
    507,
    ["UNKNOWN"],
  ]);
  expect(await full.text()).not.toContain("secret");
  const away = await client.call("GET", `/v2/r/blobs/${sha256("x")}`);
  expect([away.status, await client.errorCodes(away)]).toEqual([503, ["UNAVAILABLE"]]);
  expect(lines.join("")).toContain("/secret");
  expect(lines.join("")).toContain("bucket secret");
});

test("an answer that cannot be finished is cut, never passed off as whole", async () => {
  const failing = new MemoryStore();
  failing.read = async function* () {
    yield Buffer.alloc(100_000);
    throw new Fault("unavailable", "the disk went away");
  };
  const { client, server } = await served({ store: failing });
  const bytes = Buffer.alloc(200_000);
  await client.pushBlob("r", bytes);
  const { hostname, port } = new URL(server.url);
  const text = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), hostname);
    let got = "";
    socket.on("data", (chunk) => {
      got += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(got));
    socket.write(`GET /v2/r/blobs/${sha256(bytes)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  });
  expect(text).toStartWith("HTTP/1.1 200");
  expect(text.endsWith("\r\n0\r\n\r\n")).toBe(false);
});

test("an address that cannot be served is told", async () => {
  const { server } = await served();
  const port = Number(new URL(server.url).port);
  const again = startServer({ address: { host: "127.0.0.1", port }, store: new MemoryStore() });
  expect(await rejection(again)).toMatchObject({
    code: "unavailable",
    message: `cannot serve a registry at 127.0.0.1:${port}: another program listens there; choose another port`,
  });
  const foreign = startServer({
    address: { host: "192.0.2.1", port: 0 },
    store: new MemoryStore(),
  });
  expect(await rejection(foreign)).toMatchObject({
    message: expect.stringContaining("this machine does not have that address"),
  });
  const tls = { cert: "no certificate", key: "no key" };
  const bad = startServer({
    address: { host: "127.0.0.1", port: 0 },
    store: new MemoryStore(),
    tls,
  });
  expect(await rejection(bad)).toMatchObject({ code: "invalid" });
});
