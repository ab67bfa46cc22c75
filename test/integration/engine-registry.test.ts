import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { isFault } from "#base";
import type { Engine, EngineEvent, TransferEvent } from "#engine";
import { type Manifest, mediaTypes, sha256 } from "#image";
import { outcome } from "../../src/base/testing.ts";
import { type MadeImage, makeImage } from "../support/content-images.ts";
import {
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { FakeRegistry } from "../support/registry-fake.ts";
import { streamOf, tarOf } from "../support/tree.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let engine: Engine;
let registry: FakeRegistry;
/** What the policy says of a pull; nothing when absent. */
let refuse: ((reference: string) => void) | undefined;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots, {
    trust: {
      checkPull: async ({ reference }) => refuse?.(`${reference.path}:${reference.tag}`),
      checkRun: () => undefined,
    },
  });
  engine = opened.engine;
});
afterAll(async () => {
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});
beforeEach(async () => {
  registry = await FakeRegistry.start();
  refuse = undefined;
});
afterEach(async () => {
  await engine.images.prune({ dangling: ["false"] });
  expect(await engine.images.list({ all: true, filters: {} })).toEqual([]);
  expect((await engine.diskUsage()).blobs).toEqual({ count: 0, size: 0 });
  await registry[Symbol.asyncDispose]();
});

const anonymous = () => undefined;

function imageOf(name: string, config: object = {}): MadeImage {
  return makeImage({
    layers: [tarOf([{ name: "common", content: "c" }]), tarOf([{ name, content: name }])],
    config,
  });
}

function publish(repository: string, image: MadeImage, tag?: string): void {
  for (const bytes of image.blobs.values()) registry.addBlob(repository, bytes);
  registry.addManifest(repository, tag, image.manifest);
}

async function pull(reference: string, options: { platform?: string; all?: boolean } = {}) {
  const events: TransferEvent[] = [];
  const request = {
    reference: `${registry.host}/${reference}`,
    credentials: anonymous,
    ...options,
  };
  await engine.images.pull(request, (event) => events.push(event), new AbortController().signal);
  return events;
}

async function push(reference: string, all = false, compression?: string) {
  const events: TransferEvent[] = [];
  await engine.images.push(
    {
      ...{ reference: `${registry.host}/${reference}`, all, credentials: anonymous },
      ...(compression !== undefined && { compression }),
    },
    (event) => events.push(event),
    new AbortController().signal,
  );
  return events;
}

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await work;
  } catch (error) {
    if (isFault(error)) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: "none", message: "" };
}

const get = (reference: string) => engine.images.get(`${registry.host}/${reference}`);

/** amd64, arm of two variants, an attestation and what nobody knows, under one name. */
function publishIndex(repository: string) {
  const images = {
    amd64: imageOf("amd64"),
    v6: imageOf("v6", { architecture: "arm", variant: "v6" }),
    v7: imageOf("v7", { architecture: "arm", variant: "v7" }),
  };
  for (const image of Object.values(images)) publish(repository, image);
  const attestation = imageOf("attestation", { architecture: "unknown", os: "unknown" });
  publish(repository, attestation);
  const entry = (image: MadeImage, platform: object, annotations?: object) => ({
    mediaType: mediaTypes.manifest,
    digest: image.digest,
    size: image.manifestBytes.length,
    platform,
    ...(annotations && { annotations }),
  });
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      entry(
        attestation,
        { os: "unknown", architecture: "unknown" },
        {
          "vnd.docker.reference.type": "attestation-manifest",
          "vnd.docker.reference.digest": images.amd64.digest,
        },
      ),
      entry(images.v7, { os: "linux", architecture: "arm", variant: "v7" }),
      entry(images.v6, { os: "linux", architecture: "arm", variant: "v6" }),
      entry(images.amd64, { os: "linux", architecture: "amd64" }),
    ],
  };
  return { ...images, digest: registry.addManifest(repository, "1", index) };
}

test("of an index the platform's image is taken, and both digests lead to it", async () => {
  const { amd64, digest } = publishIndex("many");
  const events = await pull("many:1", { platform: "linux/amd64" });
  expect(events.at(0)).toEqual({ kind: "pulling", path: "many", label: "1" });
  expect(events.at(-2)).toMatchObject({ kind: "pulled", digest });
  const image = await get("many:1");
  expect(image.id).toBe(amd64.id);
  expect(image.digests).toEqual([`${registry.host}/many@${digest}`]);
  expect((await get(`many@${digest}`)).id).toBe(amd64.id);
  const others = registry.requests.filter((each) => each.includes("/blobs/")).length;
  expect(others).toBe(3);
});

test("variants: the asked one, or the nearest older", async () => {
  const { v6, v7 } = publishIndex("many");
  await pull("many:1", { platform: "linux/arm/v7" });
  expect((await get("many:1")).id).toBe(v7.id);
  await pull("many:1", { platform: "linux/arm/v6" });
  expect((await get("many:1")).id).toBe(v6.id);
  await pull("many:1", { platform: "linux/arm/v8" });
  expect((await get("many:1")).id).toBe(v7.id);
});

test("a platform that is not there is told, and nothing is stored", async () => {
  publishIndex("many");
  const { code, message } = await failure(pull("many:1", { platform: "linux/s390x" }));
  expect(code).toBe("not_found");
  expect(message).toContain("no matching manifest for linux/s390x in the manifest list entries");
  expect(message).toContain("linux/arm/v7");
});

test("an image alone is taken whatever its platform, with a word about it", async () => {
  publish("alone", imageOf("arm", { architecture: "arm64" }), "1");
  const events = await pull("alone:1", { platform: "linux/amd64" });
  expect(events.at(-1)).toMatchObject({
    kind: "other-platform",
    offered: "linux/arm64",
    wanted: "linux/amd64",
  });
});

test("an image that a policy refuses is not stored, nor any of its layers fetched", async () => {
  publish("app", imageOf("app"), "1");
  refuse = (reference) => {
    throw Object.assign(new Error(reference), { name: "Refused" });
  };
  expect(await outcome(pull("app:1"))).toThrow("app:1");
  expect(registry.requests.filter((each) => each.includes("/blobs/"))).toEqual([]);
});

test("an artifact is refused", async () => {
  registry.addManifest("odd", "1", {
    schemaVersion: 2,
    mediaType: "application/vnd.example.thing+json",
  });
  registry.addManifest("odd", "artifact", {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: {
      mediaType: "application/vnd.oci.empty.v1+json",
      ...registry.addBlob("odd", Buffer.from("{}")),
    },
    layers: [],
  });
  expect((await failure(pull("odd:1"))).code).not.toBe("none");
  expect((await failure(pull("odd:artifact"))).code).toBe("unsupported");
});

test("a pull that its client gives up leaves nothing", async () => {
  publish("slow", imageOf("slow"), "1");
  const asked = Promise.withResolvers<void>();
  registry.hook = ({ path }) => {
    if (!path.includes("/blobs/")) return undefined;
    asked.resolve();
    return "taken";
  };
  const abort = new AbortController();
  const request = { reference: `${registry.host}/slow:1`, credentials: anonymous };
  const pulling = engine.images.pull(request, () => undefined, abort.signal);
  const failed = failure(pulling);
  await asked.promise;
  abort.abort();
  expect((await failed).code).toBe("canceled");
});

test("all tags of a repository; a second pull fetches nothing", async () => {
  publish("all", imageOf("one"), "1");
  publish("all", imageOf("two"), "2");
  const events = await pull("all", { all: true });
  expect(events.at(-1)).toEqual({ kind: "complete", name: `${registry.host}/all`, isNew: true });
  const exists = events.filter((each) => each.kind === "layer" && each.step === "exists");
  expect(exists).toHaveLength(1);
  const before = registry.requests.filter((each) => each.includes("/blobs/")).length;
  expect((await pull("all", { all: true })).at(-1)).toMatchObject({ isNew: false });
  expect(registry.requests.filter((each) => each.includes("/blobs/"))).toHaveLength(before);
});

test("all tags are those of images: signatures are passed over, other things told", async () => {
  const signature = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...registry.addBlob("mixed", Buffer.from("{}")) },
    layers: [
      {
        mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
        ...registry.addBlob("mixed", Buffer.from("{}")),
      },
    ],
  };
  registry.addManifest("mixed", `sha256-${"a".repeat(64)}.sig`, signature);
  registry.addManifest("mixed", `sha256-${"b".repeat(64)}`, signature);
  registry.addManifest("mixed", "thing", signature);
  expect((await failure(pull("mixed", { all: true }))).code).toBe("unsupported");
  publish("mixed", imageOf("one"), "zz");
  const events = await pull("mixed", { all: true });
  expect(events.filter(({ kind }) => kind === "skipped")).toEqual([
    expect.objectContaining({ name: `${registry.host}/mixed:thing` }),
  ]);
  expect(events.at(-1)).toMatchObject({ kind: "complete", isNew: true });
});

test("a prune tells the bytes that became free, shared ones once", async () => {
  publish("one", imageOf("one"), "1");
  publish("two", imageOf("two"), "1");
  await pull("one:1");
  await pull("two:1");
  const { layers, blobs } = await engine.diskUsage();
  const { deleted, bytes } = await engine.images.prune({ dangling: ["false"] });
  expect(deleted.filter((each) => "deleted" in each).length).toBeGreaterThan(1);
  expect(bytes).toBe(layers + blobs.size);
});

test("a push sends the pulled bytes, and is told as an event", async () => {
  const image = imageOf("round");
  publish("from", image, "1");
  await pull("from:1");
  await engine.images.tag(`${registry.host}/from:1`, `${registry.host}/to:2`);
  const abort = new AbortController();
  const seen: EngineEvent[] = [];
  const reading = (async () => {
    const filters = { type: ["image"], event: ["push"] };
    for await (const event of engine.events.subscribe({ filters, signal: abort.signal })) {
      seen.push(event);
      abort.abort();
    }
  })();
  const events = await push("to:2");
  await reading;
  expect(registry.manifests.get("to:2")?.bytes).toEqual(image.manifestBytes);
  expect(events.filter((each) => each.kind === "layer" && each.step === "mounted")).toMatchObject([
    { from: "from" },
    { from: "from" },
  ]);
  expect(events.at(-1)).toMatchObject({ kind: "pushed", tag: "2", digest: image.digest });
  expect(seen).toMatchObject([
    { action: "push", id: `${registry.host}/to:2`, attributes: { name: `${registry.host}/to` } },
  ]);
  expect((await get("to:2")).digests).toContain(`${registry.host}/to@${image.digest}`);
});

/** What a tag of the registry leads to. */
function pushed(place: string) {
  const manifest = JSON.parse(registry.manifests.get(place)?.bytes.toString() ?? "{}") as Manifest;
  return manifest.layers.map(({ mediaType, digest, size }) => {
    const bytes = registry.blobs.get(digest) ?? Buffer.alloc(0);
    expect([sha256(bytes), bytes.length]).toEqual([digest, size]);
    const plain = mediaType.endsWith("gzip") ? gunzipSync(bytes) : zstdDecompressSync(bytes);
    return { mediaType, digest, plain };
  });
}

/** An OCI layout of images by their names. */
function makeImageArchive(images: Readonly<Record<string, MadeImage>>) {
  const manifests = Object.entries(images).map(([name, { manifest, manifestBytes, digest }]) => ({
    ...{ mediaType: manifest.mediaType, digest, size: manifestBytes.length },
    annotations: { "io.containerd.image.name": `${registry.host}/${name}` },
  }));
  const blobs = new Map(
    Object.values(images).flatMap(({ blobs, digest, manifestBytes }) => [
      ...blobs,
      [digest, manifestBytes] as const,
    ]),
  );
  return tarOf([
    { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: "index.json", content: JSON.stringify({ schemaVersion: 2, manifests }) },
    ...[...blobs].map(([each, content]) => ({
      name: `blobs/sha256/${each.slice(7)}`,
      content: content.toString("latin1"),
    })),
  ]);
}

/** Longer than what is read at once, and nowhere like it is elsewhere. */
const numbers = Array.from({ length: 300_000 }, (_, n) => `${n}`).join(" ");
const plainTar = () => tarOf([{ name: "numbers", content: numbers }]);
async function importPlain(...tags: string[]): Promise<void> {
  const [first = "", ...others] = tags.map((tag) => `${registry.host}/${tag}`);
  const changes: string[] = [];
  await engine.images.import(streamOf(plainTar()), { reference: first, changes }, () => undefined);
  for (const other of others) await engine.images.tag(first, other);
}

test("plain layers are compressed on their way, once, and the image becomes the pushed one", async () => {
  await importPlain("plain:1", "plain:2");
  const before = await get("plain:1");
  const events = await push("plain:1");
  expect(compresses(events)).toBe(true);
  const [layer] = pushed("plain:1");
  expect(layer?.mediaType).toBe(mediaTypes.layerZstd);
  expect(layer?.plain.equals(plainTar())).toBe(true);
  const after = await get("plain:1");
  expect(after.id).toBe(before.id);
  const digest = sha256(registry.manifests.get("plain:1")?.bytes ?? "");
  expect(events.at(-1)).toMatchObject({ kind: "pushed", digest });
  expect(after.digests).toEqual([`${registry.host}/plain@${digest}`]);
  const again = await push("plain:2");
  expect(compresses(again)).toBe(false);
  expect(pushed("plain:2")).toEqual(pushed("plain:1"));
});

test("the user chooses how layers are compressed, and gets the same bytes each time", async () => {
  await importPlain("chosen:1");
  await push("chosen:1", false, "gzip:9");
  const [first] = pushed("chosen:1");
  expect([first?.mediaType, first?.plain.equals(plainTar())]).toEqual([mediaTypes.layerGzip, true]);
  await push("chosen:1", false, "zstd:19");
  expect(pushed("chosen:1")[0]?.mediaType).toBe(mediaTypes.layerZstd);
  await push("chosen:1", false, "gzip:9");
  expect(pushed("chosen:1")).toEqual([first as NonNullable<typeof first>]);
  const refused = await failure(push("chosen:1", false, "xz"));
  expect([refused.code, refused.message]).toEqual(["invalid", expect.stringContaining('"xz"')]);
});

const compresses = (events: readonly TransferEvent[]) =>
  events.some((each) => each.kind === "layer" && each.step === "compressing");

test("a plain layer that images share is compressed once and goes on being shared", async () => {
  const plain = { layers: [plainTar()], compression: "none" } as const;
  const top = tarOf([{ name: "top", content: "0".repeat(50_000) }]);
  const pulled = makeImage({ ...plain, config: { author: "pulled" } });
  publish("had", pulled, "1");
  await pull("had:1");
  const save = makeImageArchive({
    "base:1": makeImage(plain),
    "above:1": makeImage({ ...plain, layers: [plainTar(), top] }),
    "old:1": makeImage({ ...plain, docker: true, config: { author: "old" } }),
  });
  await engine.images.load(streamOf(save), {}, () => undefined);
  const ids = async () =>
    Promise.all(["base:1", "above:1"].map(async (each) => (await get(each)).id));
  const before = await ids();
  expect(compresses(await push("above:1"))).toBe(true);
  expect(await ids()).toEqual(before);
  const events = await push("base:1");
  expect(compresses(events)).toBe(false);
  expect(pushed("base:1")).toEqual(pushed("above:1").slice(0, 1));
  // What a registry has keeps its digest; Docker's format has no zstd.
  await engine.images.tag(`${registry.host}/had:1`, `${registry.host}/on:1`);
  await push("on:1");
  expect(registry.manifests.get("on:1")?.bytes).toEqual(pulled.manifestBytes);
  await push("old:1");
  expect(pushed("old:1")[0]?.mediaType).toBe(mediaTypes.dockerLayerGzip);
  // The plain blob stays for "had" alone and goes with it.
  const sizes = async () => (await engine.diskUsage()).blobs.size;
  const whole = await sizes();
  for (const each of ["had:1", "on:1"]) {
    await engine.images.remove(`${registry.host}/${each}`, { force: true, prune: true });
  }
  expect(whole - (await sizes())).toBeGreaterThan(plainTar().length);
});

test("plain layers that a registry has already stay as they are, and so does the digest", async () => {
  const image = makeImage({ layers: [plainTar()], compression: "none" });
  publish("kept", image, "1");
  await pull("kept:1");
  await engine.images.tag(`${registry.host}/kept:1`, `${registry.host}/on:1`);
  await push("on:1");
  expect(registry.manifests.get("on:1")?.bytes).toEqual(image.manifestBytes);
});

test("an image in Docker's format gets gzip, the only compression that the format has", async () => {
  const image = makeImage({ layers: [plainTar()], compression: "none", docker: true });
  const save = makeImageArchive({ "docker:1": image });
  await engine.images.load(streamOf(save), {}, () => undefined);
  await push("docker:1");
  expect(pushed("docker:1")[0]?.mediaType).toBe(mediaTypes.dockerLayerGzip);
  const refused = await failure(push("docker:1", false, "zstd"));
  expect(refused.code).toBe("unsupported");
});

test("an image pulled by digest alone has a name: it is found by it, and no prune of dangling takes it", async () => {
  const image = imageOf("digest");
  publish("byhash", image, "1");
  await pull(`byhash@${image.digest}`);
  const list = async (filters: Record<string, string[]>) =>
    (await engine.images.list({ all: false, filters })).map(({ id }) => id);
  expect(await list({ reference: [`${registry.host}/byhash`] })).toEqual([image.id]);
  expect(await list({ reference: [`${registry.host}/other`] })).toEqual([]);
  expect(await list({ dangling: ["true"] })).toEqual([]);
  expect((await engine.images.prune({})).deleted).toEqual([]);
  expect(await list({ dangling: ["false"] })).toEqual([image.id]);
});

test("a push that fails half-way names nothing at the registry", async () => {
  publish("from", imageOf("half"), "1");
  await pull("from:1");
  await engine.images.tag(`${registry.host}/from:1`, `${registry.host}/broken:1`);
  registry.hook = ({ method, target }) =>
    method === "PUT" && target.includes("/blobs/uploads/")
      ? { status: 403, body: "{}" }
      : method === "POST"
        ? { ...{ status: 202 }, headers: { Location: "/v2/broken/blobs/uploads/x" } }
        : undefined;
  expect((await failure(push("broken:1"))).code).toBe("denied");
  expect([...registry.manifests.keys()].filter((key) => key.startsWith("broken"))).toEqual([]);
});

test("a registry is asked for the platforms of a name", async () => {
  const { digest } = publishIndex("many");
  const ask = (name: string) =>
    engine.registries.distribution(
      `${registry.host}/${name}`,
      anonymous,
      new AbortController().signal,
    );
  const found = await ask("many:1");
  expect(found).toMatchObject({ mediaType: mediaTypes.index, digest });
  expect(found.platforms).toContainEqual({ os: "linux", architecture: "arm", variant: "v7" });
  publish("alone", imageOf("arm", { architecture: "arm64" }), "1");
  expect((await ask("alone:1")).platforms).toEqual([{ os: "linux", architecture: "arm64" }]);
});

test("files come out of an image without a container, links lead within it", async () => {
  const layers = [
    tarOf([
      { name: "etc/", type: "directory", mode: 0o755 },
      { name: "etc/plain", content: "plain" },
      { name: "etc/gone", content: "x" },
      { name: "etc/passwd", type: "symlink", linkName: "/../../../etc/plain" },
      { name: "out", type: "symlink", linkName: "/../etc" },
    ]),
    tarOf([{ name: "etc/.wh.gone" }]),
  ];
  publish("files", makeImage({ layers }), "1");
  await pull("files:1");
  const read = async (path: string, follow = false) => {
    const { signal } = new AbortController();
    const options = { path, follow, signal };
    await using archive = await engine.images.archive(`${registry.host}/files:1`, options);
    const chunks: Uint8Array[] = [];
    for await (const bytes of archive.tar) chunks.push(bytes);
    return { ...archive, text: Buffer.concat(chunks).toString("latin1") };
  };
  expect(await read("/etc/plain")).toMatchObject({ name: "plain", size: 5, linkTarget: "" });
  expect((await read("/out/passwd", true)).text).toContain("plain");
  expect(await read("/etc/passwd")).toMatchObject({ linkTarget: "/../../../etc/plain" });
  const { text } = await read("/etc");
  expect(text).toContain("passwd");
  expect(text).not.toContain("gone");
  expect((await failure(read("/etc/gone"))).code).toBe("not_found");
  expect((await failure(read("/proc/self/environ"))).code).toBe("not_found");
});
