import { afterEach, expect, test } from "bun:test";
import { connect } from "node:net";
import { sha256 } from "#image";
import type { RegistryServer, RegistryServerOptions } from "./registry-server.ts";
import { MemoryStore, startTestServer, testClient } from "./testing.ts";

const servers: RegistryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ seconds: 0 });
});

async function served(options: Partial<RegistryServerOptions> = {}) {
  const store = new MemoryStore();
  const server = await startTestServer({ store, ...options });
  servers.push(server);
  const client = testClient(server.url);
  const begin = async () => {
    const response = await client.call("POST", "/v2/r/blobs/uploads/");
    expect(response.status).toBe(202);
    return response.headers.get("location") ?? "";
  };
  const patch = (where: string, body: string, range?: string) =>
    client.call("PATCH", where, { body, headers: range ? { "Content-Range": range } : {} });
  const content = async (digest: string) =>
    await (await client.call("GET", `/v2/r/blobs/${digest}`)).text();
  return { store, server, client, begin, patch, content };
}

const keys = (store: MemoryStore) =>
  [...store.objects.keys()].filter((key) => /_uploads/.test(key));

test("a blob in one request", async () => {
  const { client, content, store } = await served();
  const digest = sha256("hello");
  const response = await client.pushBlob("r", Buffer.from("hello"));
  expect(response.status).toBe(201);
  expect(response.headers.get("location")).toBe(`/v2/r/blobs/${digest}`);
  expect(response.headers.get("docker-content-digest")).toBe(digest);
  expect(await content(digest)).toBe("hello");
  expect(keys(store)).toEqual([]);
});

test("begun, then sent whole", async () => {
  const { client, begin, content, store } = await served();
  const where = await begin();
  const digest = sha256("hello");
  const response = await client.call("PUT", `${where}?digest=${digest}`, { body: "hello" });
  expect(response.status).toBe(201);
  expect(await content(digest)).toBe("hello");
  expect(keys(store)).toEqual([]);
  expect((await client.call("GET", where)).status).toBe(404);
});

test("in chunks, in their order, with the state told", async () => {
  const { client, begin, patch, content } = await served();
  const where = await begin();
  const first = await patch(where, "hello", "0-4");
  expect([first.status, first.headers.get("range")]).toEqual([202, "0-4"]);
  const next = first.headers.get("location") ?? "";
  for (const range of ["0-4", "7-11", "4-9"]) {
    const refused = await patch(next, range === "4-9" ? " world" : "world", range);
    expect(refused.status).toBe(416);
    expect(refused.headers.get("range")).toBe("0-4");
    expect(refused.headers.get("location")).toBe(where);
  }
  expect((await patch(next, "x", "nonsense")).status).toBe(416);
  const status = await client.call("GET", next);
  expect([status.status, status.headers.get("range")]).toEqual([204, "0-4"]);
  expect((await patch(next, " wor", "5-8")).headers.get("range")).toBe("0-8");
  const digest = sha256("hello world");
  const last = await client.call("PUT", `${next}?digest=${digest}`, {
    body: "ld",
    headers: { "Content-Range": "9-10" },
  });
  expect(last.status).toBe(201);
  expect(await content(digest)).toBe("hello world");
});

test("without ranges, as Docker sends it", async () => {
  const { client, begin, patch, content } = await served();
  const where = await begin();
  expect((await patch(where, "abc")).headers.get("range")).toBe("0-2");
  expect((await patch(where, "def")).headers.get("range")).toBe("0-5");
  const digest = sha256("abcdef");
  expect((await client.call("PUT", `${where}?digest=${digest}`)).status).toBe(201);
  expect(await content(digest)).toBe("abcdef");
});

test("a chunk whose length is not its range's is refused", async () => {
  const { client, begin, patch } = await served();
  const where = await begin();
  const refused = await patch(where, "hello", "0-9");
  expect([refused.status, await client.errorCodes(refused)]).toEqual([400, ["SIZE_INVALID"]]);
  expect((await client.call("GET", where)).headers.get("range")).toBe("0-0");
});

test("an upload with another digest is refused and gone", async () => {
  const { client, begin, store } = await served();
  const where = await begin();
  const wrong = await client.call("PUT", `${where}?digest=${sha256("other")}`, { body: "hello" });
  expect([wrong.status, await client.errorCodes(wrong)]).toEqual([400, ["DIGEST_INVALID"]]);
  expect([...store.objects.keys()]).toEqual([]);
  const second = await begin();
  for (const query of ["", "?digest=sha256:xx"]) {
    const refused = await client.call("PUT", `${second}${query}`, { body: "hello" });
    expect([refused.status, await client.errorCodes(refused)]).toEqual([400, ["DIGEST_INVALID"]]);
  }
  expect((await client.call("GET", second)).status).toBe(204);
});

test("cancelled, it is gone", async () => {
  const { client, begin, patch, store } = await served();
  const where = await begin();
  await patch(where, "abc");
  expect((await client.call("DELETE", where)).status).toBe(204);
  for (const method of ["GET", "PATCH", "DELETE"]) {
    const response = await client.call(method, where, method === "PATCH" ? { body: "x" } : {});
    expect(response.status).toBe(404);
    expect(await client.errorCodes(response)).toEqual(["BLOB_UPLOAD_UNKNOWN"]);
  }
  expect([...store.objects.keys()]).toEqual([]);
  const elsewhere = (await begin()).replace("/r/", "/other/");
  expect((await client.call("GET", elsewhere)).status).toBe(404);
  expect((await client.call("GET", "/v2/r/blobs/uploads/../../x")).status).toBe(404);
});

test("goes on in another server, which reads again the bytes that it must hash", async () => {
  const { store, begin, patch } = await served();
  const where = await begin();
  await patch(where, "hello ");
  const again = await served({ store });
  const status = await again.client.call("GET", where);
  expect(status.headers.get("range")).toBe("0-5");
  expect((await again.patch(where, "wor", "6-8")).status).toBe(202);
  const digest = sha256("hello world");
  const done = await again.client.call("PUT", `${where}?digest=${digest}`, { body: "ld" });
  expect(done.status).toBe(201);
});

/** Sends the head and some of the body of a PATCH, and leaves the connection to the test. */
async function hanging(server: RegistryServer, where: string, sent: string) {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.on("error", () => undefined).resume();
  await new Promise<void>((resolve) => socket.on("connect", () => resolve()));
  socket.write(`PATCH ${where} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n${sent}`);
  return { socket, closed };
}

/** Until the upload has so many bytes; a test's own time limit ends it. */
async function arrived(store: MemoryStore, bytes: number): Promise<void> {
  for (;;) {
    for (const [key, { bytes: data }] of store.objects) {
      if (key.endsWith("/data") && data.length === bytes) return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("goes on after a dropped connection where it ended", async () => {
  const { server, store, client, begin, patch } = await served();
  const where = await begin();
  const { socket, closed } = await hanging(server, where, "hello");
  await arrived(store, 5);
  socket.destroy();
  await closed;
  expect((await patch(where, " world", "5-10")).status).toBe(202);
  const digest = sha256("hello world");
  expect((await client.call("PUT", `${where}?digest=${digest}`)).status).toBe(201);
});

test("is taken over from a request that hangs", async () => {
  const { server, store, client, begin } = await served();
  const where = await begin();
  const { socket } = await hanging(server, where, "hello");
  await arrived(store, 5);
  const digest = sha256("hello world");
  const done = await client.call("PUT", `${where}?digest=${digest}`, { body: " world" });
  expect(done.status).toBe(201);
  socket.destroy();
});

test("too large a blob, and too many at a time, are refused", async () => {
  const { server, store, client, begin, patch } = await served({
    limits: { blobBytes: 10, activeUploads: 1 },
  });
  const where = await begin();
  const large = await patch(where, "hello world");
  expect([large.status, await client.errorCodes(large)]).toEqual([413, ["SIZE_INVALID"]]);
  const { socket } = await hanging(server, where, "hello");
  await arrived(store, 5);
  const busy = await patch(await begin(), "x");
  expect([busy.status, await client.errorCodes(busy)]).toEqual([429, ["TOOMANYREQUESTS"]]);
  expect(busy.headers.get("retry-after")).toBe("1");
  socket.destroy();
});

test("a store's smallest chunk is told", async () => {
  const { client } = await served({ store: new MemoryStore({ chunkMinLength: 5_000_000 }) });
  const response = await client.call("POST", "/v2/r/blobs/uploads/");
  expect(response.headers.get("oci-chunk-min-length")).toBe("5000000");
});

test("a blob is mounted from where it is, else an upload begins", async () => {
  const { client, content } = await served();
  const digest = sha256("hello");
  await client.pushBlob("from/here", Buffer.from("hello"));
  const mount = (query: string) => client.call("POST", `/v2/r/blobs/uploads/?mount=${query}`);
  for (const query of [
    `${digest}&from=not/there`,
    `${sha256("x")}&from=from/here`,
    `${digest}&from=../x`,
  ]) {
    expect((await mount(query)).status).toBe(202);
  }
  expect((await client.call("HEAD", `/v2/r/blobs/${digest}`)).status).toBe(404);
  const mounted = await mount(`${digest}&from=from/here`);
  expect(mounted.status).toBe(201);
  expect(mounted.headers.get("location")).toBe(`/v2/r/blobs/${digest}`);
  expect(await content(digest)).toBe("hello");
  const anywhere = await client.call("POST", `/v2/third/blobs/uploads/?mount=${digest}`);
  expect(anywhere.status).toBe(201);
});

test("a blob that the client may not read is not mounted", async () => {
  const asked: string[] = [];
  const { client } = await served({
    authorizer: {
      authorize: async ({ repository, actions }) => {
        asked.push(`${repository} ${actions}`);
        return repository === "secret" && !actions.includes("push")
          ? { ok: false, status: 403 }
          : { ok: true };
      },
    },
  });
  const digest = sha256("hello");
  await client.pushBlob("secret", Buffer.from("hello"));
  const mount = (from: string) =>
    client.call("POST", `/v2/r/blobs/uploads/?mount=${digest}${from}`);
  expect((await mount("&from=secret")).status).toBe(202);
  expect(asked.slice(-2)).toEqual(["r pull,push", "secret pull"]);
  expect((await mount("")).status).toBe(202);
  expect((await client.call("HEAD", `/v2/r/blobs/${digest}`)).status).toBe(404);
});
