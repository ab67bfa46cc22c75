import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Content, FsckFinding } from "#content";
import { parseReference, sha256 } from "#image";
import { fsck } from "../../src/local/fsck.ts";
import { openTestContent, type TestContent } from "../support/content.ts";
import { makeImage, sourceOf } from "../support/content-images.ts";
import { tarOf } from "../support/tree.ts";

const base = tarOf([
  { name: "etc/", type: "directory", mode: 0o755 },
  { name: "etc/passwd", content: "base" },
]);
const top = tarOf([{ name: "etc/passwd", content: "top!" }, { name: ".wh.gone" }]);
const image = makeImage({ layers: [base, top] });
const source = sourceOf([image]);
const references = [parseReference("app:1")];

async function withImage(): Promise<TestContent> {
  const data = await openTestContent();
  await data.content.pull({ manifestBytes: image.manifestBytes, references, source });
  return data;
}

const kinds = (findings: readonly FsckFinding[]) => findings.map(({ kind }) => kind).toSorted();
const check = async (content: Content, repair = false, deep = false) =>
  (await content.fsck({ repair, deep })).findings;
const blobPath = (data: TestContent, digest: string) =>
  join(data.root, "content/blobs/sha256", digest.slice(7));

test("a whole store has no findings", async () => {
  await using data = await withImage();
  const report = await data.content.fsck({ repair: false, deep: true });
  expect(report).toEqual({
    blobs: 4,
    bytes:
      [...image.blobs.values()].reduce((sum, { length }) => sum + length, 0) +
      image.manifestBytes.length,
    layers: 2,
    findings: [],
  });
});

test.each<[string, FsckFinding["kind"], (path: string) => void]>([
  [
    "flipped bits",
    "blob-corrupt",
    (path) => {
      const bytes = readFileSync(path);
      bytes[10] = (bytes[10] ?? 0) ^ 4;
      writeFileSync(path, bytes);
    },
  ],
  ["a blob cut short", "blob-size", (path) => truncateSync(path, 20)],
  ["a blob that is gone", "blob-missing", (path) => rmSync(path)],
])("%s: found in each kind of blob, and good again after another pull", async (_, kind, spoil) => {
  const [layer] = image.manifest.layers;
  for (const digest of [layer?.digest ?? image.id, image.id, image.digest]) {
    await using data = await withImage();
    spoil(blobPath(data, digest));
    const [finding, ...more] = await check(data.content);
    expect(more).toEqual([]);
    // Nothing tells how long a manifest is.
    const isManifest = digest === image.digest && kind === "blob-size";
    const expected = isManifest ? "blob-corrupt" : kind;
    expect(finding).toMatchObject({
      kind: expected,
      about: digest,
      images: ["app:1"],
      repaired: false,
    });
    expect(kinds(await check(data.content, true))).toEqual([expected]);
    // Listing and removing need no documents.
    expect(data.content.images.list()[0]?.tags).toEqual(["app:1"]);
    await using again = await data.reopen();
    await again.content.pull({ manifestBytes: image.manifestBytes, references, source });
    expect(await check(again.content)).toEqual([]);
    const options = { force: false, usersOf: () => [] };
    rmSync(blobPath(again, digest));
    await again.content.images.remove("app:1", options);
    expect(await again.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
  }
});

test("layers whose files are lost or changed are unpacked again, under their children", async () => {
  await using data = await withImage();
  const { layers, chainId } = data.content.resolve("app:1");
  await data.snapshots.prepare("container", chainId);
  const passwd = async () => (await data.snapshots.lookup("container", "etc/passwd"))?.toString();
  for (const { chainId: chain } of layers) {
    rmSync(data.snapshots.directory(chain), { recursive: true });
    expect(kinds(await check(data.content))).toEqual(["layer-missing"]);
    const [finding] = await check(data.content, true);
    expect(finding).toMatchObject({ kind: "layer-missing", about: chain, repaired: true });
    expect(await check(data.content, false, true)).toEqual([]);
    expect(await passwd()).toBe("top!");
  }
  const file = join(data.snapshots.directory(chainId as string), "etc/passwd");
  const original = readFileSync(file);
  for (const change of [
    () => writeFileSync(file, "evil"),
    () => rmSync(file),
    () => writeFileSync(join(file, "../added"), "x"),
  ]) {
    change();
    expect(await check(data.content)).toEqual([]);
    expect(kinds(await check(data.content, false, true))).toEqual(["layer-damaged"]);
    expect((await check(data.content, true, true))[0]?.repaired).toBe(true);
    expect(await check(data.content, false, true)).toEqual([]);
    expect(readFileSync(join(data.snapshots.directory(chainId as string), "etc/passwd"))).toEqual(
      original,
    );
  }
});

test("a layer that is lost with its blob says so, and comes back with the next pull", async () => {
  await using data = await withImage();
  const [layer] = data.content.resolve("app:1").layers;
  if (!layer) throw new Error("there is a layer");
  rmSync(data.snapshots.directory(layer.chainId), { recursive: true });
  rmSync(blobPath(data, layer.blob.digest));
  const findings = await check(data.content, true);
  expect(kinds(findings)).toEqual(["blob-missing", "layer-missing"]);
  expect(findings.map(({ repaired }) => repaired)).toEqual([false, false]);
  expect(findings[1]?.message).toContain("pull or load the image again");
});

test("offline: finds leftovers of a crash without touching them, and repairs when told", async () => {
  const data = await withImage();
  const { root, snapshots } = data;
  const { chainId } = data.content.resolve("app:1");
  writeFileSync(blobPath(data, `sha256:${"0".repeat(64)}`), "orphan");
  mkdirSync(join(root, "content/ingest/w-half"));
  mkdirSync(join(root, "snapshots/999/fs"), { recursive: true });
  const orphan = join(data.work, "orphan");
  mkdirSync(orphan);
  await snapshots.adopt(sha256("orphan") as never, undefined, { directory: orphan, size: 0 });
  await snapshots.prepare("unpack-half", chainId);
  await snapshots.drain();
  data.state.close();
  const look = async (options: { readonly repair: boolean; readonly deep: boolean }) => {
    const told: FsckFinding[] = [];
    const onFinding = (finding: FsckFinding) => void told.push(finding);
    const report = await fsck({ dataRoot: root, ...options, onFinding });
    expect(told).toEqual([...report.findings]);
    return report;
  };
  const found = await look({ repair: false, deep: false });
  expect(kinds(found.findings)).toEqual([
    "blob-orphan",
    "layer-orphan",
    "leftover",
    "leftover",
    "leftover",
  ]);
  const repaired = await look({ repair: true, deep: true });
  expect(repaired.findings.map((each) => each.repaired)).toEqual(Array(5).fill(true));
  expect(await look({ repair: false, deep: true })).toMatchObject({
    blobs: 4,
    layers: 2,
    findings: [],
  });
  const again = await openTestContent(root);
  expect(await again.leftovers()).toEqual({ blobs: 4, snapshots: 2, loose: [] });
  await again[Symbol.asyncDispose]();
});
