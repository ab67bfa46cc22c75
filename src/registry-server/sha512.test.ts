import { afterEach, expect, test } from "bun:test";
import { type Digest, Digester, mediaTypes, parseReference, sha256 } from "#image";
import { createRegistryClient, openHostDirectory } from "#registry-client";
import { readAll, sourceOf } from "../../test/support/registry-client.ts";
import { layout, type RepositoryName } from "./layout.ts";
import type { RegistryServer } from "./registry-server.ts";
import { MemoryStore, startTestServer, testClient } from "./testing.ts";

const servers: RegistryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ seconds: 0 });
});

const sha512 = (bytes: Uint8Array | string) => new Digester("sha512").update(bytes).digest();
const name = "r" as RepositoryName;
const layer = Buffer.from("a layer");
const config = Buffer.from("{}");
const documentOf = (more: object = {}) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, digest: sha512(config), size: config.length },
      layers: [{ mediaType: mediaTypes.layer, digest: sha512(layer), size: layer.length }],
      ...more,
    }),
  );
const manifest = documentOf();

async function served(store = new MemoryStore()) {
  const server = await startTestServer({ store });
  servers.push(server);
  const client = testClient(server.url);
  const repository = createRegistryClient({
    hosts: openHostDirectory({ directories: [] }),
  }).repository(parseReference(`${new URL(server.url).host}/r`));
  const put = async (digest: Digest, bytes: Buffer) =>
    repository.putBlob({ digest, size: bytes.length }, sourceOf(bytes));
  return { server, client, repository, put };
}

test("blobs and manifests by sha512 are pushed, found, listed and pulled", async () => {
  const { repository, put, client } = await served();
  expect(await put(sha512(config), config)).toBe("uploaded");
  expect(await put(sha512(layer), layer)).toBe("uploaded");
  expect(await put(sha512(layer), layer)).toBe("existed");
  const digest = sha512(manifest);
  const pushed = await repository.putManifest(digest, manifest, mediaTypes.manifest);
  expect(pushed.digest).toBe(digest);
  expect((await repository.manifest(digest)).bytes.equals(manifest)).toBe(true);
  const read = await readAll(repository.blob({ digest: sha512(layer), size: layer.length }));
  expect(read.toString()).toBe("a layer");
  const subject = { mediaType: mediaTypes.manifest, digest, size: manifest.length };
  const about = documentOf({ subject, artifactType: "a/b" });
  await repository.attachReferrer(about, mediaTypes.manifest);
  await repository.putManifest(sha512(about), about, mediaTypes.manifest);
  expect((await repository.referrers(digest)).map((each) => each.digest)).toEqual([
    sha256(about),
    sha512(about),
  ]);
  const head = await client.call("HEAD", `/v2/r/manifests/${digest}`);
  expect(head.headers.get("docker-content-digest")).toBe(digest);
});

test("a tag stands for the sha256, or for the digest that is given with it", async () => {
  const { client, put } = await served();
  await put(sha512(config), config);
  await put(sha512(layer), layer);
  const tag = async (path: string) => {
    const body = new Uint8Array(manifest);
    const headers = { "Content-Type": mediaTypes.manifest };
    const response = await client.call("PUT", `/v2/r/manifests/${path}`, { body, headers });
    return [response.status, response.headers.get("docker-content-digest")];
  };
  expect(await tag("v1")).toEqual([201, sha256(manifest)]);
  expect(await tag(`v2?digest=${sha512(manifest)}`)).toEqual([201, sha512(manifest)]);
  expect((await tag(`v3?digest=${sha512("other")}`))[0]).toBe(400);
  const found = await client.call("GET", "/v2/r/manifests/v2");
  expect(found.headers.get("docker-content-digest")).toBe(sha512(manifest));
});

test("chunks are checked by sha512, whether it was announced or not", async () => {
  const { client } = await served();
  for (const query of ["", "?digest-algorithm=sha512", "?digest-algorithm=sha256"]) {
    for (const bytes of [Buffer.from(`right ${query}`), Buffer.from(`wrong ${query}`)]) {
      const begun = await client.call("POST", `/v2/r/blobs/uploads/${query}`);
      const where = begun.headers.get("location") ?? "";
      for (let at = 0; at < bytes.length; at += 4) {
        await client.call("PATCH", where, { body: new Uint8Array(bytes.subarray(at, at + 4)) });
      }
      const digest = sha512(`right ${query}`);
      const done = await client.call("PUT", `${where}?digest=${digest}`);
      expect(done.status).toBe(bytes.toString() === `right ${query}` ? 201 : 400);
    }
  }
  const unknown = await client.call("POST", "/v2/r/blobs/uploads/?digest-algorithm=md5");
  expect([unknown.status, await client.errorCodes(unknown)]).toEqual([400, ["DIGEST_INVALID"]]);
});

test("what docker-registry keeps under its sha256 and links by sha512 is served, mounted and not collected", async () => {
  const store = new MemoryStore();
  for (const bytes of [config, layer]) {
    await store.write(layout.blob(sha256(bytes)), bytes);
    for (const digest of [sha256(bytes), sha512(bytes)]) {
      await store.write(layout.layer(name, digest), Buffer.from(sha256(bytes)));
    }
  }
  const { server, repository } = await served(store);
  const blob = { digest: sha512(layer), size: layer.length };
  const read = async () => (await readAll(repository.blob(blob))).toString();
  expect(await read()).toBe("a layer");
  await repository.putManifest("v1", manifest, mediaTypes.manifest);
  const next = createRegistryClient({
    hosts: openHostDirectory({ directories: [] }),
  }).repository(parseReference(`${new URL(server.url).host}/next`));
  const mounted = next.putBlob(blob, sourceOf(Buffer.alloc(0)), { mountFrom: ["r"] });
  expect(await mounted).toBe("mounted");
  expect((await server.collect({ graceSeconds: 0 })).blobs).toBe(0);
  expect(await read()).toBe("a layer");
  await repository.deleteManifest(sha256(manifest));
  // The other repository's link was written and not used: it goes with the rest.
  await server.collect({ graceSeconds: 0 });
  expect((await server.collect({ graceSeconds: 0 })).kept).toEqual({ blobs: 0, manifests: 0 });
});

test("a collection keeps what sha512 manifests need and removes the rest", async () => {
  const store = new MemoryStore();
  const { server, put, repository } = await served(store);
  for (const bytes of [config, layer, Buffer.from("nobody's")]) await put(sha512(bytes), bytes);
  await repository.putManifest(sha512(manifest), manifest, mediaTypes.manifest);
  const report = await server.collect({ graceSeconds: 0 });
  expect([report.blobs, report.kept]).toEqual([1, { blobs: 3, manifests: 1 }]);
  expect((await repository.manifest(sha512(manifest))).descriptor.size).toBe(manifest.length);
  const blob = (await readAll(repository.blob({ digest: sha512(layer), size: 7 }))).toString();
  expect(blob).toBe("a layer");
});
