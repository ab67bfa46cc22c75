import { afterEach, expect, test } from "bun:test";
import { Fault } from "#base";
import { type Digest, sha256 } from "#image";
import type { RegistryServer, Upstream } from "./registry-server.ts";
import { MemoryStore, startTestServer, testClient, testImage } from "./testing.ts";

const servers: RegistryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ seconds: 0 });
});

const image = testImage(["layer of some bytes"]);
const layer = sha256("layer of some bytes");

/** An upstream with one image, that counts what it is asked and can be changed. */
function fakeUpstream() {
  const asked: string[] = [];
  const state = {
    asked,
    manifest: image,
    isDown: false,
    blob: (digest: Digest): Buffer | undefined =>
      image.blobs.find((bytes) => sha256(bytes) === digest),
    promise: undefined as number | undefined,
    pause: Promise.resolve(),
  };
  const upstream: Upstream = {
    manifest: async (repository, reference) => {
      asked.push(`manifest ${repository} ${reference}`);
      if (state.isDown) throw new Fault("unavailable", "down");
      const { manifest: bytes, digest, mediaType } = state.manifest;
      if (reference !== "v1" && reference !== digest) throw new Fault("not_found", "none");
      return { bytes, digest, mediaType };
    },
    blob: async (repository, digest) => {
      asked.push(`blob ${repository} ${digest}`);
      if (state.isDown) throw new Fault("unavailable", "down");
      const bytes = state.blob(digest);
      if (!bytes) throw new Fault("not_found", "none");
      async function* stream(found: Buffer) {
        yield found.subarray(0, 5);
        await state.pause;
        yield found.subarray(5);
      }
      return { size: state.promise ?? bytes.length, stream: stream(bytes) };
    },
  };
  return { state, upstream, asked };
}

async function cache(more: Partial<Upstream> = {}) {
  const { upstream, ...fake } = fakeUpstream();
  const looks = { count: 0 };
  const store = new MemoryStore({
    step: async (what) => {
      if (what.startsWith("stat") && what.includes(layer.slice(7))) looks.count++;
    },
  });
  const server = await startTestServer({ store, upstream: { ...upstream, ...more } });
  servers.push(server);
  const client = testClient(server.url);
  const get = (path: string) => client.call("GET", `/v2/a/b/${path}`);
  return { ...fake, store, looks, client, get };
}

/** Until no upload is under way any more; a test's own time limit ends it. */
async function settled(store: MemoryStore): Promise<void> {
  while ([...store.objects.keys()].some((key) => key.includes("_uploads"))) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("an object that was fetched once is served from here", async () => {
  const { get, asked, store, client, state } = await cache();
  const manifest = await get("manifests/v1");
  expect(Buffer.from(await manifest.arrayBuffer()).equals(image.manifest)).toBe(true);
  expect((await client.call("HEAD", `/v2/a/b/blobs/${layer}`)).headers.get("content-length")).toBe(
    "19",
  );
  expect(await (await get(`blobs/${layer}`)).text()).toBe("layer of some bytes");
  await settled(store);
  asked.length = 0;
  expect(await (await get(`blobs/${layer}`)).text()).toBe("layer of some bytes");
  expect((await get(`manifests/${image.digest}`)).status).toBe(200);
  expect(asked).toEqual([]);
  state.isDown = true;
  expect((await get("manifests/v1")).headers.get("docker-content-digest")).toBe(image.digest);
  expect((await get(`blobs/${layer}`)).status).toBe(200);
});

test("a tag is followed, and not asked about again within its time", async () => {
  const { get, asked, state } = await cache();
  await get("manifests/v1");
  state.manifest = testImage(["newer"]);
  expect((await get("manifests/v1")).headers.get("docker-content-digest")).toBe(
    state.manifest.digest,
  );
  expect(asked.length).toBe(2);
  const fresh = await cache({ tagSeconds: 60 });
  for (let at = 0; at < 3; at++) expect((await fresh.get("manifests/v1")).status).toBe(200);
  expect(fresh.asked.length).toBe(1);
});

test("objects that the upstream lacks, and an upstream that does not answer", async () => {
  const { get, state, client } = await cache();
  const none = await get("manifests/v2");
  expect([none.status, await client.errorCodes(none)]).toEqual([404, ["MANIFEST_UNKNOWN"]]);
  const blob = await get(`blobs/${sha256("none")}`);
  expect([blob.status, await client.errorCodes(blob)]).toEqual([404, ["BLOB_UNKNOWN"]]);
  state.isDown = true;
  for (const path of ["manifests/v1", `blobs/${layer}`]) {
    const down = await get(path);
    expect([down.status, await client.errorCodes(down)]).toEqual([503, ["UNAVAILABLE"]]);
  }
});

test("lies are not kept, and not passed off as whole", async () => {
  const { get, state, store } = await cache();
  const got = () => get(`blobs/${layer}`).then((response) => response.text());
  const kept = () => [...store.objects.keys()].filter((key) => key.includes("blobs/"));
  state.blob = () => Buffer.from("layer of evil bytes");
  expect(await got().catch(() => "cut")).toBe("cut");
  state.blob = () => Buffer.from("short");
  state.promise = 19;
  expect(await got().catch(() => "cut")).toBe("cut");
  state.blob = () => Buffer.alloc(10_000_000);
  expect(await got().catch(() => "cut")).toBe("cut");
  await settled(store);
  state.manifest = { ...image, manifest: Buffer.from("{}") };
  expect((await get("manifests/v1")).status).toBe(500);
  expect(kept()).toEqual([]);
});

test("requests during a fetch wait, and it is fetched once", async () => {
  const { get, state, asked, looks } = await cache();
  const { promise, resolve } = Promise.withResolvers<void>();
  state.pause = promise;
  const first = await get(`blobs/${layer}`);
  const before = looks.count;
  const second = get(`blobs/${layer}`);
  // It looks twice, for the link and for the bytes, before it waits.
  while (looks.count < before + 2) await new Promise((done) => setImmediate(done));
  resolve();
  expect(await first.text()).toBe("layer of some bytes");
  expect(await (await second).text()).toBe("layer of some bytes");
  expect(asked.length).toBe(1);
});

test("a client that leaves does not stop the keeping", async () => {
  const { get, store, state, asked } = await cache();
  const { promise, resolve } = Promise.withResolvers<void>();
  state.pause = promise;
  const response = await get(`blobs/${layer}`);
  await response.body?.cancel();
  resolve();
  await settled(store);
  while (
    !store.objects.has(
      `docker/registry/v2/blobs/sha256/${layer.slice(7, 9)}/${layer.slice(7)}/data`,
    )
  ) {
    await new Promise((done) => setImmediate(done));
  }
  asked.length = 0;
  expect(await (await get(`blobs/${layer}`)).text()).toBe("layer of some bytes");
  expect(asked).toEqual([]);
});

test("nothing is pushed into a cache", async () => {
  const { client } = await cache();
  for (const [method, path] of [
    ["POST", "/v2/a/b/blobs/uploads/"],
    ["PUT", "/v2/a/b/manifests/v1"],
    ["DELETE", "/v2/a/b/manifests/v1"],
  ] as const) {
    const refused = await client.call(method, path);
    expect([refused.status, await client.errorCodes(refused)]).toEqual([405, ["UNSUPPORTED"]]);
  }
});

test.each([
  ["text/html", "application/json"],
  ["application/xhtml+xml", "application/json"],
  ["application/vnd.x\r\nSet-Cookie: a=b", "application/json"],
  ["application/vnd.example.thing.v1+json", "application/vnd.example.thing.v1+json"],
])("a document of the type %p is no page of ours", async (mediaType, expected) => {
  const { get, state } = await cache();
  const manifest = Buffer.from(JSON.stringify({ mediaType, x: "<script>alert(1)</script>" }));
  state.manifest = { ...image, manifest, digest: sha256(manifest), mediaType };
  const answer = await get("manifests/v1");
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, expected]);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer.headers.get("set-cookie")).toBeNull();
});
