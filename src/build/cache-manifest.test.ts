import { expect, test } from "bun:test";
import { type Descriptor, type DiffId, mediaTypes, sha256 } from "#image";
import { random, rounds } from "../base/testing.ts";
import {
  type CacheLayer,
  encodeCache,
  inlineCache,
  parseCacheConfig,
  parseCacheDocument,
  parseInlineCache,
} from "./cache-manifest.ts";

const layer = (name: string): CacheLayer => ({
  diffId: sha256(`tar ${name}`) as unknown as DiffId,
  blob: { mediaType: mediaTypes.layerZstd, digest: sha256(name), size: name.length },
});
const [base, one, two] = [layer("base"), layer("one"), layer("two")];
const key = (name: string) => sha256(`key ${name}`);
const steps = [
  { key: key("one"), layers: [base, one], hasLayer: true },
  { key: key("none"), layers: [base, one], hasLayer: false },
  { key: key("two"), layers: [base, one, two], hasLayer: true },
  { key: key("beside"), layers: [base, two], hasLayer: true },
];
const known = new Map([
  [key("one"), one],
  [key("none"), undefined],
  [key("two"), two],
  [key("beside"), two],
]);
const oci = { isImageManifest: true, isOci: true };

test.each([
  ["an image's manifest", oci, mediaTypes.manifest],
  ["an index", { isImageManifest: false, isOci: true }, mediaTypes.index],
  ["Docker's list", { isImageManifest: false, isOci: false }, mediaTypes.dockerIndex],
])("what is written as %s is read again", (_, form, mediaType) => {
  const cache = encodeCache(steps, form);
  expect(cache.manifest.mediaType).toBe(mediaType);
  const document = parseCacheDocument(cache.manifestBytes, "m");
  if (document.kind !== "cache") throw new Error(document.kind);
  expect(document.config).toMatchObject({ ...cache.config });
  const records = parseCacheConfig(cache.configBytes, document.layers, "c");
  const digests = (all: ReadonlyMap<string, CacheLayer | undefined>) =>
    [...all].map(([name, found]) => [name, found?.diffId, found?.blob.digest]);
  expect(digests(records)).toEqual(digests(known));
});

test("records and chains are as BuildKit has them: each layer once above the same one", () => {
  const { configBytes, blobs } = encodeCache(steps, oci);
  expect(JSON.parse(configBytes.toString())).toEqual({
    layers: [
      { blob: base.blob.digest, parent: -1 },
      { blob: one.blob.digest, parent: 0 },
      { blob: two.blob.digest, parent: 1 },
      { blob: two.blob.digest, parent: 0 },
    ],
    records: [
      { layers: [{ layer: 1 }], digest: key("one") },
      { digest: key("none") },
      { layers: [{ layer: 2 }], digest: key("two") },
      { layers: [{ layer: 3 }], digest: key("beside") },
    ],
  });
  expect(blobs.map(({ digest }) => digest)).toEqual([base, one, two].map((l) => l.blob.digest));
  expect(blobs[1]?.annotations).toEqual({ "containerd.io/uncompressed": one.diffId });
});

test("an image has the records of its layers, and one without any has none", () => {
  const [first, none, last] = steps;
  if (!first || !none || !last) throw new Error("no steps");
  const rootfs = { diff_ids: [base, one, two].map(({ diffId }) => diffId) };
  const blobs = [base, one, two].map(({ blob }) => blob);
  const config = Buffer.from(JSON.stringify({ ...inlineCache([first, none, last]), rootfs }));
  const records = parseInlineCache(config, blobs, "i");
  expect(records?.get(key("two"))).toEqual(two);
  expect(records?.has(key("none"))).toBe(true);
  expect(parseInlineCache(Buffer.from(JSON.stringify({ rootfs })), blobs, "i")).toBeUndefined();
  expect(() => parseInlineCache(config, blobs.slice(1), "i")).toThrow(
    "has 3 layers, the manifest 2",
  );
});

const described = (each: CacheLayer, more: Partial<Descriptor> = {}): Descriptor => ({
  ...each.blob,
  annotations: { "containerd.io/uncompressed": each.diffId },
  ...more,
});
const read = (config: object, blobs: readonly Descriptor[] = [described(one)]) =>
  parseCacheConfig(Buffer.from(JSON.stringify(config)), blobs, "c");
const record = { digest: key("x"), layers: [{ layer: 0 }] };
const layers = [{ blob: one.blob.digest, parent: -1 }];

test("records of BuildKit, which depend on others, are passed over", () => {
  const linked = { digest: key("y"), inputs: [[{ link: 0 }]], layers: [{ layer: 0 }] };
  expect([...read({ layers, records: [record, linked] }).keys()]).toEqual([key("x")]);
});

test.each([
  ["a blob that the manifest does not have", { layers, records: [record] }, []],
  ["one without the digest of its tar", { layers, records: [record] }, [one.blob]],
  [
    "one that is no layer",
    { layers, records: [record] },
    [described(one, { mediaType: "text/plain" })],
  ],
  [
    "one whose digest is none",
    { layers, records: [record] },
    [described(one, { annotations: { "containerd.io/uncompressed": "../../etc" } })],
  ],
])("a record with %s is no result", (_, config, blobs) => {
  expect(read(config, blobs).size).toBe(0);
});

test.each([
  ["an index outside of the layers", { layers, records: [{ ...record, layers: [{ layer: 9 }] }] }],
  ["a negative one", { layers, records: [{ ...record, layers: [{ layer: -1 }] }] }],
  ["a record that is none", { layers, records: [1] }],
  ["layers that are none", { layers: "x", records: [record] }],
  ["too many records", { layers, records: Array.from({ length: 20_001 }, () => ({})) }],
])("%s is refused", (_, config) => {
  expect(() => read(config)).toThrow(/must|is no index|has more than/);
});

test("addresses of other servers are not followed", () => {
  const records = read({ layers, records: [record] }, [described(one, { urls: ["http://x/"] })]);
  expect(records.get(key("x"))?.blob).toEqual(one.blob);
});

test("damaged documents end in a fault and in nothing else", () => {
  const { manifestBytes, configBytes, blobs } = encodeCache(steps, oci);
  const next = random(9);
  for (let round = 0; round < rounds(200, 20_000); round++) {
    for (const bytes of [Buffer.from(manifestBytes), Buffer.from(configBytes)]) {
      for (let flips = 1 + next(4); flips > 0; flips--) bytes[next(bytes.length)] = next(256);
      try {
        parseCacheDocument(bytes, "m");
        parseCacheConfig(bytes, blobs, "c");
      } catch (error) {
        expect((error as { code?: string }).code).toBe("invalid");
      }
    }
  }
});
