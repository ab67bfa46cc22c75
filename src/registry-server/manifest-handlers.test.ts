import { afterEach, expect, test } from "bun:test";
import { mediaTypes, sha256 } from "#image";
import type { RegistryServer } from "./registry-server.ts";
import { MemoryStore, startTestServer, type TestImage, testClient, testImage } from "./testing.ts";

const servers: RegistryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ seconds: 0 });
});

async function served() {
  const store = new MemoryStore();
  const server = await startTestServer({ store });
  servers.push(server);
  const client = testClient(server.url);
  const get = (reference: string, headers: Record<string, string> = {}) =>
    client.call("GET", `/v2/r/manifests/${reference}`, { headers });
  const refused = async (response: Response) => [
    response.status,
    ...(await client.errorCodes(response)),
  ];
  return { store, client, get, refused };
}

function index(manifests: readonly TestImage[], mediaType: string = mediaTypes.index): TestImage {
  const entries = manifests.map((each, at) => ({
    mediaType: each.mediaType,
    digest: each.digest,
    size: each.manifest.length,
    platform: { os: "linux", architecture: at === 0 ? "arm64" : "amd64" },
  }));
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: entries }));
  return { blobs: [], manifest, digest: sha256(manifest), mediaType };
}

function docker(texts: readonly string[]): TestImage {
  const { blobs, manifest } = testImage(texts, { mediaType: mediaTypes.dockerManifest });
  return { blobs, manifest, digest: sha256(manifest), mediaType: mediaTypes.dockerManifest };
}

test("a manifest comes back byte for byte, by tag and by digest", async () => {
  const { client, get } = await served();
  const image = testImage(["one", "two"], { annotations: { note: "kept \u00e4s it is" } });
  for (const blob of image.blobs) await client.pushBlob("r", blob);
  const put = await client.putManifest("r", "v1", image);
  expect(put.status).toBe(201);
  expect(put.headers.get("location")).toBe(`/v2/r/manifests/${image.digest}`);
  expect(put.headers.get("docker-content-digest")).toBe(image.digest);
  expect(put.headers.has("oci-subject")).toBe(false);
  for (const reference of ["v1", image.digest]) {
    const got = await get(reference);
    expect(Buffer.from(await got.arrayBuffer()).equals(image.manifest)).toBe(true);
    const head = await client.call("HEAD", `/v2/r/manifests/${reference}`);
    for (const { status, headers } of [got, head]) {
      expect(status).toBe(200);
      expect(headers.get("content-type")).toBe(image.mediaType);
      expect(headers.get("docker-content-digest")).toBe(image.digest);
      expect(headers.get("etag")).toBe(`"${image.digest}"`);
      expect(headers.get("content-length")).toBe(String(image.manifest.length));
    }
    expect((await get(reference, { "if-none-match": `"${image.digest}"` })).status).toBe(304);
  }
});

test("a missing manifest is unknown, whatever its name looks like", async () => {
  const { client, get, refused } = await served();
  await client.push("r", "v1", testImage(["one"]));
  for (const reference of ["v2", sha256("x"), ".bad", "x".repeat(129), "sha256:12"]) {
    expect(await refused(await get(reference))).toEqual([404, "MANIFEST_UNKNOWN"]);
    expect((await client.call("HEAD", `/v2/r/manifests/${reference}`)).status).toBe(404);
  }
  const elsewhere = await client.call("GET", "/v2/none/manifests/v1");
  expect(await refused(elsewhere)).toEqual([404, "MANIFEST_UNKNOWN"]);
});

test("a manifest that refers to missing blobs is refused", async () => {
  const { client, refused, store } = await served();
  const image = testImage(["one", "two"]);
  await client.pushBlob("r", image.blobs[0] ?? Buffer.alloc(0));
  await client.pushBlob("other", image.blobs[1] ?? Buffer.alloc(0));
  const response = await client.putManifest("r", "v1", image);
  expect(response.status).toBe(400);
  const { errors } = (await response.json()) as {
    errors: { code: string; detail: { digest: string }[] }[];
  };
  expect(errors[0]?.code).toBe("MANIFEST_BLOB_UNKNOWN");
  const missing = errors[0]?.detail.map((each) => each.digest).sort();
  expect(missing).toEqual([sha256("one"), sha256("two")].sort());
  expect([...store.objects.keys()].filter((key) => key.includes("_manifests"))).toEqual([]);
  const list = await client.putManifest("r", "list", index([image]));
  expect(await refused(list)).toEqual([400, "MANIFEST_BLOB_UNKNOWN"]);
});

test("a layer that lies elsewhere need not be here", async () => {
  const { client } = await served();
  const foreign = {
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    digest: sha256("elsewhere"),
    size: 9,
    urls: ["https://example.org/layer"],
  };
  const image = testImage([], { layers: [foreign] });
  expect(await client.push("r", "v1", image)).toBe(201);
});

test("malformed documents are refused with the reason", async () => {
  const { client, refused } = await served();
  const good = testImage([]);
  await client.push("r", "v1", good);
  const parsed = JSON.parse(good.manifest.toString()) as Record<string, unknown>;
  const put = (document: unknown, type: string = good.mediaType, reference = "v2") =>
    client.call("PUT", `/v2/r/manifests/${reference}`, {
      body: typeof document === "string" ? document : JSON.stringify(document),
      headers: { "Content-Type": type },
    });
  const bad: readonly (readonly [unknown, string?])[] = [
    ["", good.mediaType],
    ["{", good.mediaType],
    ["[]", good.mediaType],
    ["[".repeat(100_000), good.mediaType],
    [{ ...parsed, schemaVersion: 1 }],
    [{ ...parsed, schemaVersion: "2" }],
    [{ ...parsed, manifests: [] }],
    [{ ...parsed, config: undefined }],
    [{ ...parsed, config: { digest: "sha256:12", size: 2 } }],
    [{ ...parsed, layers: {} }],
    [{ ...parsed, layers: [{ digest: sha256("{}"), size: -1 }] }],
    [{ ...parsed, layers: [{ digest: "../../../etc/passwd", size: 1 }] }],
    [parsed, mediaTypes.dockerManifest],
    [{ ...parsed, mediaType: undefined }, mediaTypes.dockerManifest],
    [{ ...parsed, mediaType: "text/html" }, "text/html"],
    [{ ...parsed, mediaType: undefined }, "application/json"],
  ];
  for (const [document, type] of bad) {
    expect(await refused(await put(document, type))).toEqual([400, "MANIFEST_INVALID"]);
  }
  expect((await put({ ...parsed, mediaType: undefined })).status).toBe(201);
  expect(await refused(await put(parsed, undefined, sha256("x")))).toEqual([400, "DIGEST_INVALID"]);
  expect(await refused(await put(parsed, undefined, "sha512:12"))).toEqual([400, "DIGEST_INVALID"]);
  expect(await refused(await put(parsed, undefined, "-v"))).toEqual([400, "TAG_INVALID"]);
  const huge = { ...parsed, annotations: { x: "y".repeat(4 << 20) } };
  expect(await refused(await put(huge))).toEqual([413, "MANIFEST_INVALID"]);
});

test("a tag moves, a deleted one is gone, and the manifest stays", async () => {
  const { client, get } = await served();
  const [one, two] = [testImage(["one"]), testImage(["two"])];
  await client.push("r", "v", one);
  await client.push("r", "v", two);
  expect((await get("v")).headers.get("docker-content-digest")).toBe(two.digest);
  expect((await get(one.digest)).status).toBe(200);
  expect((await client.call("DELETE", "/v2/r/manifests/v")).status).toBe(202);
  expect((await client.call("DELETE", "/v2/r/manifests/v")).status).toBe(404);
  expect((await get("v")).status).toBe(404);
  expect((await get(two.digest)).status).toBe(200);
});

test("a deleted manifest takes the tags along that point at it, and no others", async () => {
  const { client, get, store } = await served();
  const [one, two] = [testImage(["one"]), testImage(["two"])];
  for (const tag of ["a", "b"]) await client.push("r", tag, one);
  await client.push("r", "moved", one);
  await client.push("r", "moved", two);
  expect((await client.call("DELETE", `/v2/r/manifests/${one.digest}`)).status).toBe(202);
  expect((await client.call("DELETE", `/v2/r/manifests/${one.digest}`)).status).toBe(404);
  for (const gone of ["a", "b", one.digest]) expect((await get(gone)).status).toBe(404);
  expect((await get("moved")).status).toBe(200);
  expect([...store.objects.keys()].filter((key) => /tags\/[ab]\//.test(key))).toEqual([]);
});

test("an index needs its manifests, and an old client gets the image it can run", async () => {
  const { client, get } = await served();
  const images = [docker(["arm"]), docker(["amd"])];
  const list = index(images, mediaTypes.dockerIndex);
  for (const image of images) await client.push("r", image.digest, image);
  expect((await client.putManifest("r", "multi", list)).status).toBe(201);
  const asked = { accept: `${mediaTypes.dockerManifest}, text/plain;q=0.1` };
  const image = await get("multi", asked);
  expect(image.headers.get("docker-content-digest")).toBe(images[1]?.digest ?? "");
  expect(image.headers.get("content-type")).toBe(mediaTypes.dockerManifest);
  expect((await get(list.digest, asked)).headers.get("content-type")).toBe(mediaTypes.dockerIndex);
});

test("an index may hold the layers of a build's cache, which are blobs", async () => {
  const { client, refused } = await served();
  const [layer, config] = [Buffer.from("a layer"), Buffer.from("{}")];
  const manifests = [
    { mediaType: mediaTypes.layerZstd, digest: sha256(layer), size: layer.length },
    { mediaType: mediaTypes.cacheConfig, digest: sha256(config), size: config.length },
  ];
  const mediaType = mediaTypes.index;
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  const cache = { blobs: [], manifest, digest: sha256(manifest), mediaType };
  await client.pushBlob("r", layer);
  const early = await client.putManifest("r", "cache", cache);
  expect(await refused(early)).toEqual([400, "MANIFEST_BLOB_UNKNOWN"]);
  await client.pushBlob("r", config);
  expect((await client.putManifest("r", "cache", cache)).status).toBe(201);
});

test("OCI documents go to clients that ask for them", async () => {
  const { client, get, refused } = await served();
  const image = testImage(["one"]);
  await client.push("r", "v", image);
  await client.putManifest("r", "multi", index([image]));
  const old = { accept: mediaTypes.dockerManifest };
  for (const reference of ["v", "multi"]) {
    expect(await refused(await get(reference, old))).toEqual([404, "MANIFEST_UNKNOWN"]);
    expect((await get(reference, { accept: "text/html, */*" })).status).toBe(200);
  }
  expect((await get("v", { accept: `text/html,${mediaTypes.manifest};q=0.9` })).status).toBe(200);
});

test("referrers are listed with their type, before and after their subject exists", async () => {
  const { client } = await served();
  const image = testImage(["one"]);
  const subject = { mediaType: image.mediaType, digest: image.digest, size: image.manifest.length };
  const signature = testImage(["sig"], {
    subject,
    artifactType: "example/sig",
    annotations: { k: "v" },
  });
  const config = { mediaType: "example/config", digest: sha256("{}"), size: 2 };
  const sbom = testImage(["sbom"], { subject, config });
  for (const blob of signature.blobs) await client.pushBlob("r", blob);
  const put = await client.putManifest("r", signature.digest, signature);
  expect([put.status, put.headers.get("oci-subject")]).toEqual([201, image.digest]);
  await client.push("r", "v1", image);
  await client.push("r", "sbom", sbom);
  const list = async (query = "", digest: string = image.digest) => {
    const response = await client.call("GET", `/v2/r/referrers/${digest}${query}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(mediaTypes.index);
    const body = (await response.json()) as { manifests: { artifactType: string }[] };
    return { response, body };
  };
  const { body, response } = await list();
  expect(response.headers.has("oci-filters-applied")).toBe(false);
  expect(body).toMatchObject({ schemaVersion: 2, mediaType: mediaTypes.index });
  expect(body.manifests.map((each) => each.artifactType).sort()).toEqual([
    "example/config",
    "example/sig",
  ]);
  const filtered = await list("?artifactType=example/sig");
  expect(filtered.response.headers.get("oci-filters-applied")).toBe("artifactType");
  expect(filtered.body.manifests as unknown[]).toEqual([
    {
      mediaType: mediaTypes.manifest,
      digest: signature.digest,
      size: signature.manifest.length,
      artifactType: "example/sig",
      annotations: { k: "v" },
    },
  ]);
  expect((await list("", sha256("nobody"))).body.manifests).toEqual([]);
  expect((await client.call("GET", "/v2/r/referrers/x")).status).toBe(400);
  await client.call("DELETE", `/v2/r/manifests/${signature.digest}`);
  expect((await list()).body.manifests.length).toBe(1);
});

test("many referrers come in pages, each exactly once", async () => {
  const { client } = await served();
  const subject = { mediaType: mediaTypes.manifest, digest: sha256("s"), size: 1 };
  const large = "x".repeat(600_000);
  const pushed: string[] = [];
  for (let at = 0; at < 9; at++) {
    const artifactType = at % 2 === 0 ? "example/even" : "example/odd";
    const image = testImage([], { subject, artifactType, annotations: { large, at: String(at) } });
    await client.push("r", image.digest, image);
    pushed.push(image.digest);
  }
  const seen: string[] = [];
  let path: string | undefined = `/v2/r/referrers/${subject.digest}`;
  for (let pages = 0; path; pages++) {
    const response: Response = await client.call("GET", path);
    const { manifests } = (await response.json()) as { manifests: { digest: string }[] };
    seen.push(...manifests.map((each) => each.digest));
    path = /<(.*)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
    expect(pages).toBeLessThan(3);
  }
  expect(seen).toEqual(pushed.sort());
  const odd = await client.call(
    "GET",
    `/v2/r/referrers/${subject.digest}?artifactType=example/odd`,
  );
  expect(((await odd.json()) as { manifests: unknown[] }).manifests.length).toBe(4);
});
