import { expect, test } from "bun:test";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collect } from "#base";
import type { LayerPhase } from "#content";
import {
  type Digest,
  Digester,
  encodeDocument,
  isLayerType,
  mediaTypes,
  parseReference,
  sha256,
} from "#image";
import { faultOf, openTestContent } from "../support/content.ts";
import { type MadeImage, makeImage, sourceOf } from "../support/content-images.ts";
import { streamOf, tarOf } from "../support/tree.ts";

const noUsers = { force: false, usersOf: () => [] };
const noise = (seed: string, size: number) => {
  let text = "";
  for (let n = 0; text.length < size; n++) text += sha256(`${seed} ${n}`);
  return text.slice(0, size);
};

const base = tarOf([
  { name: "etc/", type: "directory", mode: 0o750, uid: 5 },
  { name: "etc/passwd", content: "base" },
  { name: "gone", content: noise("gone", 4000) },
]);
const middle = tarOf([{ name: "etc/more", content: noise("more", 5000) }, { name: ".wh.gone" }]);
const top = tarOf([{ name: "etc/passwd", content: "top!" }]);
const image = makeImage({ layers: [base, middle, top] });
const reference = parseReference("registry.example/app:1");
const byDigest = parseReference(`registry.example/app@${image.digest}`);
const request = (made: MadeImage, name = "registry.example/app:1") => ({
  manifestBytes: made.manifestBytes,
  references: [parseReference(name)],
});

test("an image is pulled with its names, and the second time nothing of it is fetched", async () => {
  await using data = await openTestContent();
  const source = sourceOf([image]);
  const phases = new Map<Digest, LayerPhase[]>();
  const pull = () =>
    data.content.pull({
      manifestBytes: image.manifestBytes,
      references: [reference, byDigest],
      source,
      onLayer: ({ digest }, { phase, current, total }) => {
        const seen = phases.get(digest) ?? [];
        if (seen.at(-1) !== phase) seen.push(phase);
        phases.set(digest, seen);
        if (total !== undefined) expect(current).toBeLessThanOrEqual(total);
      },
    });
  const { image: stored, isNew } = await pull();
  expect(isNew).toBe(true);
  expect([stored.id, stored.digest]).toEqual([image.id, image.digest]);
  expect(stored.tags).toEqual(["registry.example/app:1"]);
  expect(stored.digests).toEqual([`registry.example/app@${image.digest}`]);
  expect([...phases.values()]).toEqual(
    Array(3).fill(["waiting", "downloading", "verifying", "downloaded", "extracting", "complete"]),
  );
  expect(source.fetched.toSorted()).toEqual([...image.blobs.keys()].toSorted());
  expect(source.mostOpen()).toBeLessThanOrEqual(3);
  const lookup = async (path: string) =>
    (await data.snapshots.lookup(stored.chainId as string, path))?.toString();
  expect(await lookup("etc/passwd")).toBe("top!");
  expect(await lookup("gone")).toBeUndefined();
  // Only implied by the uppermost layer, which was unpacked beside the one that tells of it.
  const etc = statSync(join(data.snapshots.directory(stored.chainId as string), "etc"));
  expect([etc.mode & 0o7777, etc.uid]).toEqual([0o750, 5]);
  expect(data.content.sourcesOf(stored.layers[0]?.blob.digest as Digest)).toEqual([
    "registry.example/app",
  ]);
  phases.clear();
  expect((await pull()).isNew).toBe(false);
  expect([...phases.values()]).toEqual(Array(3).fill(["exists"]));
  expect(source.fetched.length).toBe(4);
  expect(await data.leftovers()).toEqual({ blobs: 5, snapshots: 3, loose: [] });
});

test("an image whose digests are sha512 is pulled, saved, loaded and checked", async () => {
  const made = makeImage({ layers: [base, middle, top], algorithm: "sha512" });
  await using data = await openTestContent();
  const source = sourceOf([made]);
  const manifestDigest = new Digester("sha512").update(made.manifestBytes).digest();
  const name = parseReference(`registry.example/app@${manifestDigest}`);
  const { image: stored } = await data.content.pull({
    ...{ manifestBytes: made.manifestBytes, references: [reference, name], source },
  });
  expect([stored.id, stored.digest]).toEqual([made.id, made.digest]);
  expect(data.content.resolve(`registry.example/app@${manifestDigest}`).id).toBe(made.id);
  const passwd = await data.snapshots.lookup(stored.chainId as string, "etc/passwd");
  expect(passwd?.toString()).toBe("top!");
  await data.content.pull({ ...request(made), source });
  expect(source.fetched.length).toBe(4);
  const report = await data.content.fsck({ repair: false, deep: true });
  expect([report.blobs, report.layers, report.findings]).toEqual([6, 3, []]);

  const archive = await Array.fromAsync(data.content.saveArchive(["registry.example/app:1"]));
  await using other = await openTestContent();
  const [loaded] = await other.content.loadArchive(streamOf(Buffer.concat(archive)));
  expect([loaded?.image.id, loaded?.tags]).toEqual([made.id, ["registry.example/app:1"]]);
  expect((await other.content.fsck({ repair: false, deep: true })).findings).toEqual([]);

  const [lowest] = made.manifest.layers;
  const place = join(data.root, "content/blobs/sha512", (lowest?.digest ?? "").slice(7));
  writeFileSync(place, Buffer.alloc(lowest?.size ?? 0));
  const damaged = await data.content.fsck({ repair: false, deep: false });
  expect(damaged.findings.map(({ kind, about }) => [kind, about])).toEqual([
    ["blob-corrupt", lowest?.digest ?? ""],
  ]);
  for (const each of [data, other]) {
    await each.content.images.remove(made.id, noUsers);
    expect(await each.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
  }
});

test("the index that an image was chosen from stays with it, and goes with it", async () => {
  await using data = await openTestContent();
  const index = encodeDocument({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] });
  const name = parseReference(`registry.example/app@${sha256(index)}`);
  const { manifestBytes } = image;
  const source = sourceOf([image]);
  await data.content.pull({ manifestBytes, references: [reference, name], source, index });
  expect(data.content.readManifest(sha256(index)).equals(index)).toBe(true);
  expect(data.content.resolve(`registry.example/app@${sha256(index)}`).digest).toBe(image.digest);
  const removals = await data.content.images.remove("registry.example/app:1", noUsers);
  expect(removals.slice(0, 3)).toEqual([
    { untagged: "registry.example/app:1" },
    { untagged: `registry.example/app@${sha256(index)}` },
    { deleted: image.id },
  ]);
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
});

test("pulls at the same time fetch each layer once, three at most over all of them", async () => {
  await using data = await openTestContent();
  const layers = Array.from({ length: 8 }, (_, n) =>
    tarOf([{ name: `file${n}`, content: noise(`${n}`, 3000) }]),
  );
  const images = Array.from({ length: 6 }, (_, n) =>
    makeImage({
      layers: [...layers.slice(0, 2 + n), layers[0] as Buffer],
      config: { author: `${n}` },
    }),
  );
  // The first three go on together, so that there are three however slow the machine is.
  const { promise: three, resolve } = Promise.withResolvers<void>();
  const source = sourceOf(images, {
    before: async ({ mediaType }) => {
      if (source.mostOpen() >= 3) resolve();
      if (isLayerType(mediaType)) await three;
    },
  });
  await Promise.all(
    images.flatMap((made, n) =>
      [0, 1].map(() => data.content.pull({ ...request(made, `app:${n}`), source })),
    ),
  );
  expect(source.mostOpen()).toBe(3);
  const layerBlobs = source.fetched.filter((digest) => images.every(({ id }) => id !== digest));
  expect(layerBlobs.length).toBe(new Set(layerBlobs).size);
  expect(data.content.images.list().length).toBe(6);
  for (let n = 0; n < 6; n++) await data.content.images.remove(`app:${n}`, noUsers);
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
});

test("a download goes on while a caller waits, and stops with the last", async () => {
  await using data = await openTestContent();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let stopped = false;
  const source = sourceOf([image], {
    before: async ({ size }, offset, signal) => {
      if (size < 1000 || offset < 1000) return;
      begin();
      signal?.addEventListener("abort", () => {
        stopped = true;
      });
      await gate;
    },
  });
  const [first, second] = [new AbortController(), new AbortController()];
  const { promise: joined, resolve: release } = Promise.withResolvers<void>();
  const pull = ({ signal }: AbortController, onLayer?: () => void) =>
    data.content.pull({
      ...{ ...request(image), source, signal },
      onLayer: (_, { phase }) => phase === "downloading" && onLayer?.(),
    });
  const pulls = [pull(first)];
  await begun;
  pulls.push(pull(second, release));
  await joined;
  first.abort();
  expect((await faultOf(pulls[0] as Promise<unknown>)).code).toBe("canceled");
  expect(stopped).toBe(false);
  second.abort();
  expect((await faultOf(pulls[1] as Promise<unknown>)).code).toBe("canceled");
  expect(stopped).toBe(true);
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
  expect(await data.snapshots.activeKeys()).toEqual([]);
  open();
  const third = new AbortController();
  const one = data.content.pull({ ...request(image), source, signal: third.signal });
  const other = data.content.pull({ ...request(image), source });
  third.abort();
  await faultOf(one);
  expect((await other).image.id).toBe(image.id);
});

test("a pull that joined one that fails goes on with a source of its own", async () => {
  await using data = await openTestContent();
  const { promise: joined, resolve: release } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const bad = sourceOf([image], {
    before: async ({ size }, offset) => {
      if (size < 1000 || offset === 0) return;
      begin();
      await joined;
      throw new Error("the line is dead");
    },
  });
  const first = data.content.pull({ ...request(image), source: bad });
  await begun;
  const second = data.content.pull({
    ...request(image),
    source: sourceOf([image]),
    onLayer: (_, { phase }) => phase === "downloading" && release(),
  });
  expect((await faultOf(first)).message).toContain("the line is dead");
  expect((await second).image.id).toBe(image.id);
});

const wrongDiff = makeImage({
  layers: [base],
  config: { rootfs: { type: "layers", diff_ids: [sha256("other")] } },
});
const firstLayer = image.manifest.layers[0]?.digest;
const artifact = makeImage({
  layers: [],
  manifest: {
    artifactType: "application/vnd.example.chart",
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256("{}"), size: 2 },
  },
});
const foreign = makeImage({
  layers: [base],
  manifest: {
    layers: [
      {
        mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest: sha256("foreign"),
        size: 100,
        urls: ["https://example.org/layer"],
      },
    ],
  },
});
const huge = makeImage({
  layers: [],
  manifest: { config: { mediaType: mediaTypes.config, digest: sha256("x"), size: 5 << 20 } },
});

interface Refusal {
  readonly what: string;
  readonly made: MadeImage;
  readonly code?: string;
  readonly says?: string;
  readonly instead?: (digest: Digest, bytes: Buffer) => Buffer;
}

/** The first layer's bytes come as something else. */
const spoilt = (what: string, change: (bytes: Buffer) => Buffer): Refusal => ({
  what,
  made: image,
  instead: (digest, bytes) => (digest === firstLayer ? change(bytes) : bytes),
});

const refusals: readonly Refusal[] = [
  {
    what: "an artifact",
    made: artifact,
    code: "unsupported",
    says: "type application/vnd.example.chart, not an image",
  },
  {
    what: "a layer of elsewhere",
    made: foreign,
    code: "denied",
    says: "https://example.org/layer",
  },
  { what: "a configuration without end", made: huge, code: "exhausted", says: "5242880" },
  {
    what: "another system",
    made: makeImage({ layers: [], config: { os: "windows" } }),
    code: "unsupported",
    says: "windows",
  },
  {
    what: "a layer that is not what the configuration says",
    made: wrongDiff,
    code: "data_loss",
    says: "expected sha256:",
  },
  {
    what: "fewer layers than promised",
    made: makeImage({ layers: [base, top], config: { rootfs: { type: "layers", diff_ids: [] } } }),
    code: "invalid",
    says: "2 layers",
  },
  {
    what: "a layer of no known type",
    made: makeImage({
      layers: [base],
      manifest: {
        layers: [{ mediaType: "application/vnd.in-toto+json", digest: sha256(""), size: 0 }],
      },
    }),
    code: "unsupported",
    says: "in-toto",
  },
  spoilt("flipped bits", (bytes) => {
    const copy = Buffer.from(bytes);
    copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
    return copy;
  }),
  spoilt("a layer that is cut off", (bytes) => bytes.subarray(0, -9)),
  spoilt("a layer that goes on", (bytes) => Buffer.concat([bytes, bytes])),
  {
    what: "a configuration of another digest",
    made: image,
    code: "data_loss",
    says: "expected sha256:",
    instead: (digest, bytes) =>
      digest === image.id ? Buffer.from(bytes.toString().replace("sh", "sx")) : bytes,
  },
];

test.each(refusals.map((each) => [each.what, each] as const))(
  "%s: said clearly, nothing half-stored",
  async (_what, { made, code, says = "", instead }) => {
    await using data = await openTestContent();
    const source = sourceOf([made], instead ? { instead } : {});
    const fault = await faultOf(data.content.pull({ ...request(made), source }));
    if (code !== undefined) expect(fault.code as string).toBe(code);
    expect(["data_loss", "invalid", "exhausted", "unsupported", "denied"]).toContain(fault.code);
    expect(fault.message).toContain(says);
    expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
    expect(await data.snapshots.activeKeys()).toEqual([]);
  },
);

test("a layer of elsewhere is fetched where that is allowed", async () => {
  await using data = await openTestContent();
  const made = makeImage({ layers: [base] });
  const [layer] = made.manifest.layers;
  const urls = ["https://example.org/layer"];
  const manifest = { ...made.manifest, layers: [{ ...layer, urls }] };
  const manifestBytes = encodeDocument(manifest);
  const asked: unknown[] = [];
  const plain = sourceOf([made]);
  await data.content.pull({
    ...{ manifestBytes, references: [reference], allowForeign: true },
    source: {
      blob: (descriptor, options) => {
        asked.push((descriptor as { urls?: unknown }).urls);
        return plain.blob(descriptor, options);
      },
    },
  });
  expect(asked).toEqual([undefined, urls]);
});

test("one configuration under two manifests: each name keeps its own, and both go", async () => {
  await using data = await openTestContent();
  const { content } = data;
  const zstd = makeImage({ layers: [base, middle, top], compression: "zstd" });
  const docker = makeImage({ layers: [base, middle, top], docker: true });
  expect(zstd.id).toBe(image.id);
  const source = sourceOf([image, zstd, docker]);
  for (const [made, name] of [
    [image, "app:gzip"],
    [zstd, "app:zstd"],
    [docker, "app:docker"],
  ] as const) {
    await content.pull({ ...request(made, name), source });
  }
  expect(content.images.list().length).toBe(1);
  const names = { "app:gzip": image, "app:zstd": zstd, "app:docker": docker };
  for (const [name, made] of Object.entries(names)) {
    expect([name, content.resolve(name).digest]).toEqual([name, made.digest]);
    expect(content.resolve(made.digest).digest).toBe(made.digest);
  }
  // manifests, configuration, layers in gzip (shared by two), layers in zstd
  expect(await data.leftovers()).toEqual({ blobs: 3 + 1 + 3 + 3, snapshots: 3, loose: [] });
  const kept = content.saveArchive(Object.keys(names), { compression: "keep" });
  const saved = await collect(kept, 1 << 24, "archive");
  await using other = await openTestContent();
  await other.content.loadArchive(streamOf(saved));
  for (const [name, made] of Object.entries(names)) {
    expect([name, other.content.resolve(name).digest]).toEqual([name, made.digest]);
  }
  await content.images.remove("app:gzip", noUsers);
  expect(await data.leftovers()).toEqual({ blobs: 2 + 1 + 3 + 3, snapshots: 3, loose: [] });
  await content.images.remove("app:docker", noUsers);
  expect(await data.leftovers()).toEqual({ blobs: 1 + 1 + 3, snapshots: 3, loose: [] });
  expect(content.resolve(image.id).digest).toBe(zstd.digest);
  content.images.tag("app:zstd", "other");
  expect(content.resolve("other").digest).toBe(zstd.digest);
  await content.pull({ ...request(image, "app:zstd"), source });
  expect(content.resolve("app:zstd").digest).toBe(image.digest);
  expect(content.resolve("other").digest).toBe(zstd.digest);
  await content.images.remove("app:zstd", noUsers);
  await content.images.remove("other", noUsers);
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
});

test("reading: from an offset, sizes, sources, and missing blobs", async () => {
  await using data = await openTestContent();
  const { content } = data;
  await content.pull({ ...request(image), source: sourceOf([image]) });
  const digest = firstLayer as Digest;
  const bytes = image.blobs.get(digest) as Buffer;
  expect(content.blobSize(digest)).toBe(bytes.length);
  const from = async (offset: number) =>
    await collect(content.read(digest, { offset }), 1 << 20, "blob");
  expect((await from(100)).equals(bytes.subarray(100))).toBe(true);
  expect((await from(bytes.length)).length).toBe(0);
  expect(content.readManifest(image.digest).equals(image.manifestBytes)).toBe(true);
  expect(() => content.readManifest(sha256("none"))).toThrow("there is no blob");
  for (let n = 0; n < 12; n++) content.noteSource(digest, `registry.example/r${n}`);
  content.noteSource(digest, "registry.example/r7");
  const sources = content.sourcesOf(digest);
  expect(sources.slice(0, 2)).toEqual(["registry.example/r7", "registry.example/r11"]);
  expect(sources.length).toBe(8);
  await content.images.remove("registry.example/app:1", noUsers);
  expect(content.sourcesOf(digest)).toEqual([]);
});
