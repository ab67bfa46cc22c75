import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StoredLayer } from "#content";
import { parseReference } from "#image";
import { openTestContent, type TestContent } from "../support/content.ts";

const day = 86_400n * 1_000_000_000n;

/** Commits a step that writes these files over the layers below. */
async function step(
  { content, snapshots }: TestContent,
  below: readonly StoredLayer[],
  files: Readonly<Record<string, string>>,
): Promise<StoredLayer> {
  await using lease = content.lease();
  await snapshots.prepare("step", below.at(-1)?.chainId);
  for (const [path, text] of Object.entries(files)) {
    const full = join(snapshots.directory("step"), path);
    mkdirSync(join(full, ".."), { recursive: true });
    writeFileSync(full, text);
  }
  const layer = await content.commitLayer({ key: "step", below, latest: day, lease });
  content.pin(`test ${layer.chainId}`, { blobs: [layer.blob.digest], layers: [layer.chainId] });
  return layer;
}

test("the directory of a step becomes its layer, which stays as long as it is pinned", async () => {
  await using data = await openTestContent();
  const first = await step(data, [], { "etc/one": "1" });
  const second = await step(data, [first], { "etc/two": "2" });
  const { content, snapshots } = data;
  await content.collect();
  expect(snapshots.layers(second.chainId)).toHaveLength(2);
  const file = join(snapshots.directory(second.chainId), "etc/two");
  expect(statSync(file).mtimeMs).toBe(Number(day / 1_000_000n));
  expect(snapshots.stat("step")).toBeUndefined();
  expect((await content.fsck({ repair: false, deep: true })).findings).toEqual([]);
  expect(await content.unpin([`test ${second.chainId}`])).toBe(1 + second.blob.size);
  expect(content.has(second.blob.digest)).toBe(false);
  await content.unpin([`test ${first.chainId}`]);
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
});

test("the same changes are the same layer, and the one that was there first is kept", async () => {
  await using data = await openTestContent();
  const first = await step(data, [], { file: "1" });
  const { ino } = statSync(data.snapshots.directory(first.chainId));
  expect(await step(data, [], { file: "1" })).toEqual(first);
  expect(statSync(data.snapshots.directory(first.chainId)).ino).toBe(ino);
  expect(await data.leftovers()).toEqual({ blobs: 1, snapshots: 1, loose: [] });
});

test("a layer is put over other layers from its blob, and pins outlive the engine", async () => {
  const data = await openTestContent();
  const base = await step(data, [], { base: "b" });
  const linked = await step(data, [], { linked: "l" });
  {
    await using lease = data.content.lease();
    const placed = await data.content.placeLayer({ layer: linked, below: [base], lease });
    const directory = data.snapshots.directory(placed.chainId);
    expect(readFileSync(join(directory, "linked"), "utf8")).toBe("l");
    expect(placed.blob).toEqual(linked.blob);
  }
  const again = await data.reopen();
  expect(again.snapshots.list()).toHaveLength(2);
  expect(again.snapshots.stat(linked.chainId)).toBeDefined();
  expect(existsSync(again.snapshots.directory(base.chainId))).toBe(true);
  await again[Symbol.asyncDispose]();
});

test("an image of such layers has the configuration that it was given, and all its names", async () => {
  await using data = await openTestContent();
  const layer = await step(data, [], { file: "1" });
  const { content } = data;
  await using lease = content.lease();
  const config = {
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/file"] },
    rootfs: { type: "layers", diff_ids: [layer.diffId] },
    history: [{ created_by: "COPY file / # buildkit" }],
  } as const;
  const references = [parseReference("one:1"), parseReference("two:2")];
  const image = await content.storeBuilt({ layers: [layer], config, references, lease });
  expect(image.tags).toEqual(["one:1", "two:2"]);
  expect(image.config).toEqual(config);
  expect(image.layers).toEqual([layer]);
});
