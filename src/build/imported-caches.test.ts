import { expect, test } from "bun:test";
import { type Descriptor, type DiffId, type Digest, mediaTypes, sha256 } from "#image";
import type { BuildEvent } from "./build-event.ts";
import { type EncodedCache, encodeCache, inlineCache } from "./cache-manifest.ts";
import type { CacheReader } from "./cache-place.ts";
import { ImportedCaches } from "./imported-caches.ts";

const layer = {
  diffId: sha256("tar") as unknown as DiffId,
  blob: { mediaType: mediaTypes.layerGzip, digest: sha256("layer"), size: 5 },
};
const key = sha256("key");
const steps = [{ key, layers: [layer], hasLayer: true }];
const cache = encodeCache(steps, { isImageManifest: true, isOci: true });

/** A reader of documents, the first of which is what the name stands for. */
function reader(name: string, documents: readonly Uint8Array[]): CacheReader {
  const byDigest = new Map<string, Uint8Array>(documents.map((each) => [sha256(each), each]));
  const get = (digest: Digest) => byDigest.get(digest) ?? Buffer.from("another");
  return {
    name,
    manifest: async (digest) => (digest ? get(digest) : (documents[0] ?? Buffer.alloc(0))),
    async *blob({ digest }: Descriptor) {
      yield get(digest);
    },
  };
}

function imported(...readers: readonly CacheReader[]) {
  const events: BuildEvent[] = [];
  const telling = { report: (event: BuildEvent) => void events.push(event), now: () => 1n };
  const caches = new ImportedCaches(readers, telling, new AbortController().signal);
  const warnings = () => events.flatMap((each) => (each.kind === "warning" ? [each.short] : []));
  return { caches, events, warnings };
}

const documentsOf = ({ manifestBytes, configBytes }: EncodedCache) => [manifestBytes, configBytes];

test("the first cache that knows a key has the step", async () => {
  const empty = encodeCache([], { isImageManifest: false, isOci: true });
  const first = reader("a", documentsOf(empty));
  const second = reader("b", documentsOf(cache));
  const { caches, events } = imported(first, second, reader("c", documentsOf(cache)));
  expect(await caches.find(key)).toEqual({ reader: second, layer });
  expect(await caches.find(sha256("other"))).toBeUndefined();
  const told = events.filter((each) => each.kind === "vertex" && each.completed !== undefined);
  expect(told).toMatchObject(
    ["a", "b", "c"].map((name) => ({ name: `importing cache manifest from ${name}` })),
  );
});

test("the images of an index have the records of all", async () => {
  const config = Buffer.from(
    JSON.stringify({ ...inlineCache(steps), rootfs: { diff_ids: [layer.diffId] } }),
  );
  const describe = (mediaType: string, bytes: Uint8Array) => ({
    ...{ mediaType, digest: sha256(bytes), size: bytes.length },
  });
  const image = Buffer.from(
    JSON.stringify({ config: describe(mediaTypes.config, config), layers: [layer.blob] }),
  );
  const index = Buffer.from(JSON.stringify({ manifests: [describe(mediaTypes.manifest, image)] }));
  const { caches } = imported(reader("i", [index, image, config]));
  expect((await caches.find(key))?.layer).toEqual(layer);
});

const { config } = cache;
const large = { ...config, size: 1 << 30 };
const changed = (descriptor: object) =>
  Buffer.from(JSON.stringify({ config: descriptor, layers: cache.blobs }));
test.each([
  ["another configuration than its digest says", [cache.manifestBytes], "longer|more than|digest"],
  [
    "a configuration that is too large",
    [changed(large), cache.configBytes],
    "has 1073741824 bytes",
  ],
  ["a manifest that is none", [Buffer.from("<html>")], "is not JSON"],
  ["a digest that is a path", [changed({ ...config, digest: "sha256:../../x" })], "digest"],
])("a cache with %s is told, and has no step", async (_, documents, why) => {
  const { caches, warnings } = imported(reader("bad", documents), reader("b", documentsOf(cache)));
  expect((await caches.find(key))?.reader.name).toBe("b");
  expect(warnings()).toHaveLength(1);
  expect(warnings()[0]).toStartWith("the cache bad could not be used: ");
  expect(warnings()[0]).toMatch(new RegExp(why));
});
