import { expect, test } from "bun:test";
import { Fault, silentLog } from "#base";
import { type Digest, mediaTypes, sha256 } from "#image";
import { rejection } from "../base/testing.ts";
import { Collector } from "./collector.ts";
import { isRepositoryName, isTag, layout, type RepositoryName, type Tag } from "./layout.ts";
import { Leases } from "./leases.ts";
import { parseManifestDocument } from "./manifest-document.ts";
import { Repositories } from "./repositories.ts";
import { MemoryStore, type TestImage, testImage } from "./testing.ts";
import { Uploads } from "./uploads.ts";

const name = ["team/app"].find(isRepositoryName) as RepositoryName;
const tag = ["v1"].find(isTag) as Tag;

/** A registry whose clock stands still but for `wait`. */
function registry({ activeUploads = 10 } = {}) {
  let nowMs = 1_000_000_000_000;
  const hooks: { onStep?: (what: string) => Promise<void> | undefined } = {};
  const store = new MemoryStore({
    now: () => nowMs,
    step: async (what) => await hooks.onStep?.(what),
  });
  const clock = { now: () => BigInt(nowMs) * 1_000_000n };
  const leases = new Leases(() => nowMs, 3_600_000);
  const repositories = new Repositories(store, leases);
  const limits = { blobBytes: 1 << 20, activeUploads };
  const uploads = new Uploads({ store, repositories, clock, limits });
  const collector = new Collector({ store, leases, repositories, uploads, clock, log: silentLog });
  async function upload(bytes: Buffer, to = name): Promise<Digest> {
    const id = await uploads.begin(to);
    async function* body() {
      yield bytes;
    }
    await uploads.finish(to, id, { digest: sha256(bytes), body: { stream: body() } });
    return sha256(bytes);
  }
  async function push(image: TestImage, as?: Tag): Promise<Digest> {
    for (const blob of image.blobs) await upload(blob);
    const document = parseManifestDocument(image.manifest, image.mediaType);
    return await repositories.putManifest(name, { bytes: image.manifest, document, tag: as });
  }
  const wait = (seconds: number) => {
    nowMs += seconds * 1000;
  };
  return { store, hooks, leases, repositories, uploads, collector, upload, push, wait };
}

function index(...children: readonly TestImage[]): TestImage {
  const manifests = children.map(({ digest, manifest, mediaType }) => ({
    mediaType,
    digest,
    size: manifest.length,
  }));
  const document = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
  const manifest = Buffer.from(JSON.stringify(document));
  return { blobs: [], manifest, digest: sha256(manifest), mediaType: mediaTypes.index };
}

test("an unreferenced blob goes when its time is over, and is counted", async () => {
  const { collector, upload, push, wait, store, repositories } = registry();
  const image = testImage(["used"]);
  await push(image, tag);
  const unused = await upload(Buffer.from("unused"));
  wait(3599);
  expect(await collector.collect()).toMatchObject({ blobs: 0, links: 0 });
  wait(2);
  expect(await collector.collect()).toMatchObject({
    blobs: 1,
    bytes: 6,
    links: 1,
    manifests: 0,
    uploads: 0,
    kept: { blobs: 3, manifests: 1 },
  });
  expect(store.objects.has(layout.blob(unused))).toBe(false);
  expect(await repositories.blobSize(name, sha256("used"))).toBe(4);
  expect(await collector.collect({ graceSeconds: 0 })).toMatchObject({ blobs: 0, links: 0 });
});

test("a client that was told of a blob finds it for the grace time", async () => {
  const { collector, upload, wait, repositories } = registry();
  const digest = await upload(Buffer.from("looked at"));
  wait(10_000);
  expect(await repositories.blobSize(name, digest)).toBe(9);
  wait(3599);
  expect((await collector.collect()).blobs).toBe(0);
  expect(await repositories.blobSize(name, sha256("none"))).toBeUndefined();
  wait(3601);
  expect((await collector.collect()).blobs).toBe(1);
});

test("a blob that is used in one repository only loses its name in the other", async () => {
  const { collector, push, wait, repositories } = registry();
  const other = ["other"].find(isRepositoryName) as RepositoryName;
  await push(testImage(["shared"]), tag);
  await repositories.linkBlob(other, sha256("shared"));
  wait(10_000);
  expect(await collector.collect()).toMatchObject({ links: 1, blobs: 0 });
  expect(await repositories.blobSize(other, sha256("shared"))).toBeUndefined();
  expect(await repositories.blobSize(name, sha256("shared"))).toBe(6);
});

test("untagged manifests stay, unless they are to go; tagged ones always stay", async () => {
  const { collector, push, wait, repositories } = registry();
  const [arm, amd, old] = [testImage(["arm"]), testImage(["amd"]), testImage(["old"])];
  const subject = (of: TestImage) => ({ subject: { mediaType: "x", digest: of.digest, size: 1 } });
  const signature = testImage(["signature"], subject(arm));
  const counter = testImage(["signature of the signature"], subject(signature));
  const stray = testImage(["stray"], subject(old));
  const multi = index(arm, amd);
  await push(old, tag);
  for (const each of [arm, amd, signature, counter, stray]) await push(each);
  await push(multi, tag);
  wait(10_000);
  expect(await collector.collect()).toMatchObject({ manifests: 0, blobs: 0 });
  expect(await collector.collect({ deleteUntagged: true })).toMatchObject({
    manifests: 2,
    links: 2,
    blobs: 4,
    kept: { manifests: 5 },
  });
  for (const { digest } of [multi, arm, amd, signature, counter]) {
    expect(await repositories.manifest(name, digest)).toBeDefined();
  }
  for (const { digest } of [old, stray]) {
    expect(await repositories.manifest(name, digest)).toBeUndefined();
  }
  expect(await Array.fromAsync(repositories.referrers(name, old.digest))).toEqual([]);
});

test("a client that looks at an index during a collection finds all of it afterwards", async () => {
  const { collector, push, wait, repositories, hooks } = registry();
  const pairs = ["1", "2", "3"].map((each) => {
    const child = testImage([each]);
    return { child, parent: index(child) };
  });
  for (const { child, parent } of pairs) {
    await push(child);
    await push(parent);
  }
  wait(10_000);
  const looked: (typeof pairs)[number][] = [];
  hooks.onStep = async (what) => {
    const first = pairs.find(
      ({ parent }) => what === `delete ${layout.revision(name, parent.digest)}`,
    );
    if (!first || looked.length > 0) return;
    const next = pairs.filter((each) => each !== first);
    looked.push(...next);
    for (const { parent } of next) await repositories.manifest(name, parent.digest);
  };
  const report = await collector.collect({ deleteUntagged: true, graceSeconds: 0 });
  expect(looked.length).toBe(2);
  expect(report.manifests).toBe(2);
  for (const { child, parent } of looked) {
    expect(await repositories.manifest(name, parent.digest)).toBeDefined();
    expect(await repositories.manifest(name, child.digest)).toBeDefined();
    expect(await repositories.blobSize(name, sha256(child.blobs[1] ?? ""))).toBe(1);
  }
});

test("uploads go when they had no progress for long, and not while a request works on them", async () => {
  const { collector, uploads, wait, store } = registry();
  const [idle, slow] = [await uploads.begin(name), await uploads.begin(name)];
  await uploads.append(name, idle, { stream: chunks("abc") });
  wait(90_000);
  const { promise, resolve } = Promise.withResolvers<void>();
  async function* hanging() {
    yield Buffer.from("x");
    await promise;
  }
  const appending = uploads.append(name, slow, { stream: hanging() });
  const report = await collector.collect();
  expect(report.uploads).toBe(1);
  resolve();
  expect(await appending).toBe(1);
  expect(await rejection(uploads.size(name, idle))).toMatchObject({ code: "BLOB_UPLOAD_UNKNOWN" });
  expect([...store.objects.keys()].every((key) => key.includes(slow))).toBe(true);
  wait(80_000);
  expect((await collector.collect()).uploads).toBe(0);
  wait(10_000);
  expect((await collector.collect()).uploads).toBe(1);
  expect(store.objects.size).toBe(0);
});

test("a store that fails ends it before anything is removed on half a view", async () => {
  const { collector, push, upload, wait, store, hooks } = registry();
  await push(testImage(["used"]), tag);
  await upload(Buffer.from("unused"));
  wait(10_000);
  const before = [...store.objects.keys()];
  hooks.onStep = async (what) => {
    if (what.startsWith("get")) throw new Fault("unavailable", "the disk went away");
  };
  expect(await rejection(collector.collect())).toMatchObject({ code: "unavailable" });
  expect([...store.objects.keys()]).toEqual(before);
  delete hooks.onStep;
  expect((await collector.collect()).blobs).toBe(1);
});

test("a manifest that cannot be read keeps whatever it mentions", async () => {
  const { collector, upload, wait, store, repositories } = registry();
  const kept = await upload(Buffer.from("mentioned"));
  const old = Buffer.from(`{"schemaVersion":1,"fsLayers":[{"blobSum":"${kept}"}],"signatures":[]}`);
  const broken = Buffer.from(
    `{"schemaVersion":2,"mediaType":"${mediaTypes.manifest}","layers":"${kept}"}`,
  );
  for (const bytes of [old, broken, Buffer.from("\xff{")]) {
    await store.write(layout.blob(sha256(bytes)), bytes);
    await store.write(layout.revision(name, sha256(bytes)), Buffer.from(sha256(bytes)));
  }
  await store.write(layout.revision(name, sha256("lost")), Buffer.from(sha256("lost")));
  wait(10_000);
  expect(await collector.collect()).toMatchObject({ blobs: 0, links: 0 });
  expect(await repositories.blobSize(name, kept)).toBe(9);
});

test("a second request during a collection gets its report", async () => {
  const { collector, upload, wait } = registry();
  await upload(Buffer.from("unused"));
  wait(10_000);
  const [first, second] = [collector.collect(), collector.collect()];
  expect(first).toBe(second);
  expect((await first).blobs).toBe(1);
  expect((await collector.collect()).blobs).toBe(0);
});

test("leftovers of tags and referrers from a crash are tidied up", async () => {
  const { collector, push, store } = registry();
  const image = testImage(["x"]);
  await push(image, tag);
  const gone = sha256("gone");
  const torn = ["torn"].find(isTag) as Tag;
  await store.write(layout.tagIndex(name, torn, gone), Buffer.from(gone));
  await store.write(layout.referrer(name, image.digest, gone), Buffer.from(gone));
  const before = store.objects.size;
  await collector.collect();
  expect(store.objects.size).toBe(before - 2);
});

async function* chunks(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}

test("an abandoned upload goes where no upload is let in, as in a collection offline", async () => {
  const { uploads, collector, store, wait } = registry({ activeUploads: 0 });
  await uploads.begin(name);
  wait(2 * 86_400);
  expect(await collector.collect()).toMatchObject({ uploads: 1 });
  expect(await Array.fromAsync(store.walk(""))).toEqual([]);
});
