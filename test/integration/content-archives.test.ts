import { expect, test } from "bun:test";
import { collect } from "#base";
import {
  type Descriptor,
  encodeDocument,
  mediaTypes,
  parsePlatform,
  parseReference,
  sha256,
} from "#image";
import { outcome } from "../../src/base/testing.ts";
import { faultOf, openTestContent } from "../support/content.ts";
import { type MadeImage, makeImage, sourceOf } from "../support/content-images.ts";
import { streamOf, type TarMember, tarOf } from "../support/tree.ts";

const layer = tarOf([{ name: "etc/passwd", content: "base" }]);
const forPlatform = (architecture: string) =>
  makeImage({ layers: [layer], config: { architecture } });
const amd = forPlatform("amd64");
const arm = forPlatform("arm64");

const file = (name: string, bytes: Uint8Array): TarMember => ({
  name,
  content: Buffer.from(bytes).toString("latin1"),
});

function entryOf(made: MadeImage, more: Partial<Descriptor> = {}): Descriptor {
  const { mediaType } = made.manifest;
  return { mediaType, digest: made.digest, size: made.manifestBytes.length, ...more };
}

/** An OCI layout, its index.json as given. */
function layoutOf(
  images: readonly MadeImage[],
  index: object,
  options: { readonly prefix?: string; readonly blobs?: readonly Buffer[] } = {},
): Buffer {
  const { prefix = "", blobs = [] } = options;
  const all = new Map(blobs.map((bytes) => [sha256(bytes), bytes] as const));
  for (const { digest, manifestBytes, blobs: own } of images) {
    all.set(digest, manifestBytes);
    for (const [each, bytes] of own) all.set(each, bytes);
  }
  const directories = prefix === "" ? [] : [prefix, `${prefix}blobs/`, `${prefix}blobs/sha256/`];
  return tarOf([
    ...directories.map((name) => ({ name, type: "directory" as const })),
    file(`${prefix}oci-layout`, Buffer.from('{"imageLayoutVersion":"1.0.0"}')),
    file(`${prefix}index.json`, encodeDocument(index)),
    ...[...all].map(([digest, bytes]) => file(`${prefix}blobs/sha256/${digest.slice(7)}`, bytes)),
  ]);
}

const named = (name: string) => ({ annotations: { "io.containerd.image.name": name } });
const amdPlatform = { platform: { os: "linux", architecture: "amd64" } };
const armPlatform = { platform: { os: "linux", architecture: "arm64" } };
const both = [
  entryOf(arm, { ...armPlatform, ...named("registry.example/app:1") }),
  entryOf(amd, { ...amdPlatform, ...named("registry.example/app:1") }),
];

test.each(["", "./", "layout/", "./layout/"])(
  "a layout's directory as an archive, below %j",
  async (prefix) => {
    await using data = await openTestContent();
    const index = { schemaVersion: 2, manifests: [entryOf(amd, named("registry.example/app:1"))] };
    const loaded = await data.content.loadArchive(streamOf(layoutOf([amd], index, { prefix })));
    expect(loaded.map(({ image, tags }) => [image.digest, tags])).toEqual([
      [amd.digest, ["registry.example/app:1"]],
    ]);
  },
);

test("of entries for several platforms the one is loaded that is asked for, or the host's", async () => {
  const flat = layoutOf([amd, arm], { schemaVersion: 2, manifests: both });
  const inner = encodeDocument({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [entryOf(arm, armPlatform), entryOf(amd, amdPlatform)],
  });
  const middle = encodeDocument({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [{ mediaType: mediaTypes.index, digest: sha256(inner), size: inner.length }],
  });
  const outer = {
    mediaType: mediaTypes.index,
    digest: sha256(middle),
    size: middle.length,
    ...named("registry.example/app:1"),
  };
  const nested = layoutOf(
    [amd, arm],
    { schemaVersion: 2, manifests: [outer] },
    { blobs: [inner, middle] },
  );
  for (const archive of [flat, nested]) {
    for (const [platform, made] of [
      ["linux/amd64", amd],
      ["linux/arm64/v8", arm],
    ] as const) {
      await using data = await openTestContent();
      const options = { platform: parsePlatform(platform) };
      const loaded = await data.content.loadArchive(streamOf(archive), options);
      expect(loaded.map(({ image, tags }) => [image.id, tags])).toEqual([
        [made.id, ["registry.example/app:1"]],
      ]);
      expect(data.content.resolve("registry.example/app:1").digest).toBe(made.digest);
    }
    await using data = await openTestContent();
    const fault = await faultOf(
      data.content.loadArchive(streamOf(archive), { platform: parsePlatform("linux/s390x") }),
    );
    expect([fault.code as string, fault.message]).toEqual([
      "not_found",
      expect.stringMatching(/linux\/arm64|linux\/amd64/),
    ]);
    expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
  }
});

test("an index in an index in an index and so on is refused", async () => {
  await using data = await openTestContent();
  const blobs: Buffer[] = [];
  let entry: Descriptor = entryOf(amd);
  for (let depth = 0; depth < 6; depth++) {
    const bytes = encodeDocument({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [entry],
    });
    blobs.push(bytes);
    entry = { mediaType: mediaTypes.index, digest: sha256(bytes), size: bytes.length };
  }
  const archive = layoutOf([amd], { schemaVersion: 2, manifests: [entry] }, { blobs });
  const fault = await faultOf(data.content.loadArchive(streamOf(archive)));
  expect([fault.code as string, fault.message]).toEqual([
    "invalid",
    expect.stringContaining("nested deeper"),
  ]);
});

test("many images at once: names, no names, attestations and signatures beside them", async () => {
  await using data = await openTestContent();
  const docker = makeImage({ layers: [layer], docker: true });
  const untagged = makeImage({ layers: [layer], config: { author: "untagged" } });
  const attestation = makeImage({
    layers: [],
    manifest: {
      layers: [{ mediaType: "application/vnd.in-toto+json", digest: sha256("x"), size: 1 }],
    },
  });
  const signature = makeImage({
    layers: [],
    manifest: {
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256("{}"), size: 2 },
    },
  });
  const index = {
    schemaVersion: 2,
    annotations: { note: "of the whole" },
    manifests: [
      entryOf(amd, named("registry.example/oci:1")),
      entryOf(docker, named("registry.example/docker:1")),
      entryOf(untagged, { annotations: { "org.opencontainers.image.ref.name": "just-a-tag" } }),
      entryOf(attestation),
      entryOf(signature),
    ],
  };
  const archive = layoutOf([amd, docker, untagged, attestation, signature], index);
  const loaded = await data.content.loadArchive(streamOf(archive));
  expect(loaded.map(({ tags }) => tags)).toEqual([
    ["registry.example/oci:1"],
    ["registry.example/docker:1"],
    [],
  ]);
  // Schema 2 as well as OCI, of one configuration: each keeps its digest, here and after a round trip.
  const names = ["registry.example/oci:1", "registry.example/docker:1"];
  expect(names.map((name) => data.content.resolve(name).digest)).toEqual([
    amd.digest,
    docker.digest,
  ]);
  const saved = await collect(
    data.content.saveArchive([...names, untagged.id]),
    1 << 24,
    "archive",
  );
  await using other = await openTestContent();
  await other.content.loadArchive(streamOf(saved));
  expect(names.map((name) => other.content.resolve(name).digest)).toEqual([
    amd.digest,
    docker.digest,
  ]);
  expect(other.content.resolve(untagged.id).tags).toEqual([]);
});

test("saving for a platform: the image for it, or a fault that names the image's own", async () => {
  await using data = await openTestContent();
  const references = [parseReference("arm:1")];
  const { manifestBytes } = arm;
  await data.content.pull({ manifestBytes, references, source: sourceOf([arm]) });
  const save = (platform: string) =>
    data.content.saveArchive(["arm:1"], { platform: parsePlatform(platform) });
  expect((await collect(save("linux/arm64"), 1 << 20, "archive")).length).toBeGreaterThan(1000);
  expect(() => save("linux/amd64")).toThrow(
    "is for linux/arm64 and cannot be saved for linux/amd64",
  );
});

test("of several images of an archive those for the platform are loaded, with their digests", async () => {
  await using data = await openTestContent();
  for (const [name, made] of [
    ["amd:1", amd],
    ["arm:1", arm],
  ] as const) {
    const { manifestBytes } = made;
    const references = [parseReference(name)];
    await data.content.pull({ manifestBytes, references, source: sourceOf([made]) });
  }
  const archive = await collect(data.content.saveArchive(["amd:1", "arm:1"]), 1 << 20, "archive");
  await using other = await openTestContent();
  const load = (platform: string) =>
    other.content.loadArchive(streamOf(archive), { platform: parsePlatform(platform) });
  const loaded = await load("linux/arm64");
  expect(loaded.map(({ image, tags }) => [image.digest, tags])).toEqual([[arm.digest, ["arm:1"]]]);
  expect(await outcome(load("linux/s390x"))).toThrow("the archive has no image for linux/s390x");
  expect(other.content.images.list()).toHaveLength(1);
});

test("an image that is removed while it is saved is saved whole", async () => {
  await using data = await openTestContent();
  const references = [parseReference("app:1")];
  const { manifestBytes } = amd;
  await data.content.pull({ manifestBytes, references, source: sourceOf([amd]) });
  const stream = data.content.saveArchive(["app:1"]);
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) {
    if (chunks.length === 0) {
      await data.content.images.remove("app:1", { force: true, usersOf: () => [] });
    }
    chunks.push(chunk);
  }
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
  await data.content.loadArchive(streamOf(Buffer.concat(chunks)));
  expect(data.content.resolve("app:1").digest).toBe(amd.digest);
});

test("disk usage: each layer and blob once, shared and unique sizes of each image", async () => {
  await using data = await openTestContent();
  const other = tarOf([{ name: "own", content: "12345678" }]);
  const first = makeImage({ layers: [layer, other] });
  const second = makeImage({ layers: [layer] });
  const third = makeImage({ layers: [layer], config: { author: "third" } });
  const made = { "first:1": first, "second:1": second, "third:1": third };
  for (const [name, { manifestBytes }] of Object.entries(made)) {
    const references = [parseReference(name)];
    await data.content.pull({
      ...{ manifestBytes, references },
      source: sourceOf([first, second, third]),
    });
  }
  const usage = await data.content.diskUsage((id) => id === first.id);
  const of = (image: MadeImage) => usage.images.find(({ id }) => id === image.id);
  expect(of(first)).toEqual({ id: first.id, size: 12, sharedSize: 4, uniqueSize: 8 });
  expect(of(second)).toEqual({ id: second.id, size: 4, sharedSize: 4, uniqueSize: 0 });
  expect(usage.layers).toEqual({ count: 2, size: 12 });
  const bytes = new Map([first, second, third].flatMap(({ blobs }) => [...blobs]));
  const manifests = [first, second, third].map(({ manifestBytes }) => manifestBytes.length);
  const total = [...[...bytes.values()].map(({ length }) => length), ...manifests];
  const sum = (sizes: readonly number[]) => sizes.reduce((all, size) => all + size, 0);
  expect(usage.blobs).toEqual({ count: total.length, size: sum(total) });
  const own = [second, third].flatMap(({ id, manifestBytes, blobs }) => [
    manifestBytes.length,
    blobs.get(id)?.length ?? 0,
  ]);
  expect(usage.reclaimable).toBe(sum(own));
  expect((await data.content.diskUsage()).reclaimable).toBe(12 + sum(total));
});

test("zstd is saved as gzip, which every reader knows, unless another form is asked for", async () => {
  const made = makeImage({
    layers: [tarOf([{ name: "a", content: "a".repeat(9000) }])],
    compression: "zstd",
  });
  await using data = await openTestContent();
  const references = [parseReference("app:1")];
  const { manifestBytes } = made;
  const source = sourceOf([made]);
  const { image } = await data.content.pull({ manifestBytes, references, source });
  const reload = async (options: Parameters<typeof data.content.saveArchive>[1] = {}) => {
    await using other = await openTestContent();
    const [loaded] = await other.content.loadArchive(data.content.saveArchive(["app:1"], options));
    expect([loaded?.image.id, loaded?.tags]).toEqual([image.id, ["app:1"]]);
    return [loaded?.image.manifest.layers[0]?.mediaType, loaded?.image.digest === image.digest];
  };
  expect(await reload()).toEqual([mediaTypes.layerGzip, false]);
  expect(await reload({ compression: "keep" })).toEqual([mediaTypes.layerZstd, true]);
  expect(await reload({ compression: { format: "zstd", level: 19 } })).toEqual([
    mediaTypes.layerZstd,
    false,
  ]);
  // The gzip was for the archive alone.
  expect((await data.leftovers()).blobs).toBe(3);
});
