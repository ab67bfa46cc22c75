/** Real layers on a disk, explained, compared and squashed. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { StoredImage } from "#content";
import { compareLayers, explainLayerPath, explainLayers } from "#explain";
import { parseReference } from "#image";
import { mountAll } from "#kernel";
import { squash } from "#rootfs";
import { faultOf, openTestContent, type TestContent } from "../support/content.ts";
import { directory, file, layeredArchive } from "../support/layered-image.ts";
import { describeTree, streamOf } from "../support/tree.ts";

const isRoot = process.getuid?.() === 0;

const status = [
  "Package: tool\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\nInstalled-Size: 9\n",
  "Package: other\nStatus: install ok installed\nVersion: 2.0\nArchitecture: amd64\n",
].join("\n");

const layers = [
  [
    directory("usr"),
    directory("usr/bin"),
    { name: "bin", type: "symlink", linkName: "usr/bin" },
    file("usr/bin/tool", 5000, { mode: 0o755 }),
    { name: "usr/bin/link", type: "hardlink", linkName: "usr/bin/tool" },
    file("usr/bin/other", 3000),
    file("deep/implied/by/name", 700),
    file("opt/old/1", 4000),
    file("opt/old/2", 2000),
    directory("srv"),
    file("srv/below", 1500),
    file("caf\xe9", 10),
    file("var/lib/dpkg/status", status),
    file("var/lib/dpkg/info/tool.list", "/.\n/bin\n/bin/tool\n/usr/bin/link\n"),
    file("var/lib/dpkg/info/other.list", "/usr/bin/other\n"),
  ],
  [
    directory("opt"),
    { name: "opt/.wh.old" },
    file("usr/bin/other", 3300),
    directory("srv"),
    { name: "srv/.wh..wh..opq" },
    file("srv/above", 1200),
    file("var/lib/apt/lists/list", 9000),
  ],
  [
    { name: "var/lib/apt/.wh.lists" },
    file("usr/bin/other", 3300, { mode: 0o600 }),
    file("copy", 5000),
    { name: "deep/.wh.implied" },
    { name: "usr/bin/.wh.link" },
    { name: "pipe", type: "fifo" },
    { name: "null", type: "character", device: { major: 1, minor: 3 }, mode: 0o666 },
    file("usr/cap", 1, { xattrs: new Map([["user.note", Buffer.from("here")]]) }),
  ],
] as const;

const archive = layeredArchive({ name: "web:1", layers: layers as never });

async function load(store: TestContent, bytes = archive): Promise<StoredImage> {
  const [loaded] = await store.content.loadArchive(streamOf(bytes));
  if (!loaded) throw new Error("nothing was loaded");
  return loaded.image;
}

const directoriesOf = ({ snapshots }: TestContent, image: StoredImage) =>
  image.layers.map(({ chainId }) => snapshots.directory(chainId));

/** What a container would see, as the kernel merges it. */
async function mounted(store: TestContent, image: StoredImage): Promise<string[]> {
  const key = `view-${image.id.slice(7, 19)}`;
  const target = join(store.work, key);
  mkdirSync(target);
  await store.snapshots.view(key, image.chainId);
  try {
    await using _ = await mountAll(await store.snapshots.mounts(key), target);
    return describeTree(target);
  } finally {
    await store.snapshots.remove(key);
  }
}

async function squashed(
  store: TestContent,
  image: StoredImage,
  options: { readonly keep: number; readonly created?: bigint; readonly signal?: AbortSignal },
): Promise<StoredImage> {
  const workDir = join(store.work, `squash-${readdirSync(store.work).length}`);
  mkdirSync(workDir);
  return await squash(store, {
    image,
    workDir,
    reference: parseReference("web:small"),
    ...options,
  });
}

describe.skipIf(!isRoot)("explaining images [needs root]", () => {
  test("bytes by layer, package and path, with those that later layers hide", async () => {
    await using store = await openTestContent();
    const image = await load(store);
    const found = await explainLayers({
      layers: directoriesOf(store, image),
      ...{ top: 20, depth: 3 },
    });
    expect(found.layers.map(({ bytes }) => bytes)).toEqual(image.layers.map(({ size }) => size));
    expect(found.total.bytes).toBe(image.size);
    expect(found.total.visible + found.total.wasted).toBe(found.total.bytes);
    expect(found.wasted.list).toEqual([
      { kind: "deleted", path: "/var/lib/apt/lists/", bytes: 9000, files: 1, layers: [2], by: [3] },
      {
        kind: "replaced",
        path: "/usr/bin/other",
        bytes: 6300,
        files: 2,
        layers: [1, 2],
        by: [2, 3],
      },
      { kind: "deleted", path: "/opt/old/", bytes: 6000, files: 2, layers: [1], by: [2] },
      { kind: "deleted", path: "/srv/", bytes: 1500, files: 1, layers: [1], by: [2] },
      { kind: "deleted", path: "/deep/implied/", bytes: 700, files: 1, layers: [1], by: [3] },
    ]);
    // The link is gone, the file is not.
    expect(found.total.unchanged).toBe(3300);
    expect(found.packages.list.map(({ name, bytes, missing }) => [name, bytes, missing])).toEqual([
      ["tool", 5000, 1],
      ["other", 3300, 0],
    ]);
    expect(found.duplicates).toMatchObject({ count: 0 });
    expect(found.files.slice(0, 2)).toEqual([
      { path: "/usr/bin/tool", bytes: 5000, layer: 1, package: "tool", links: 0 },
      { path: "/copy", bytes: 5000, layer: 3, links: 0 },
    ]);
    expect(found.unowned.list.map(({ path }) => path)).toContain("/copy");
  });

  test("one path, through a link and after its end", async () => {
    await using store = await openTestContent();
    const all = directoriesOf(store, await load(store));
    expect(await explainLayerPath({ layers: all, path: "/bin/other" })).toMatchObject({
      resolved: "/usr/bin/other",
      layer: 3,
      mode: 0o600,
      package: { name: "other", version: "2.0" },
      steps: [
        { layer: 1, action: "added", bytes: 3000 },
        { layer: 2, action: "replaced", bytes: 3300 },
        { layer: 3, action: "replaced", bytes: 3300 },
      ],
    });
    const gone = await explainLayerPath({ layers: all, path: "/srv/below" });
    expect(gone.steps.at(-1)).toEqual({ layer: 2, action: "deleted", with: "/srv/" });
    const fault = await faultOf(explainLayerPath({ layers: all, path: "/nosuch" }));
    expect([fault.code, fault.message]).toEqual(["not_found", "no layer of the image has /nosuch"]);
  });

  test("a cancelled job ends, and others have their turn", async () => {
    await using store = await openTestContent();
    const all = directoriesOf(store, await load(store));
    const stop = new AbortController();
    const request = { layers: all, top: 1, depth: 1 };
    const jobs = Array.from({ length: 6 }, (_, at) =>
      explainLayers(request, at % 2 === 0 ? stop.signal : undefined),
    );
    stop.abort();
    const ended = await Promise.allSettled(jobs);
    expect(ended.map(({ status: how }) => how)).toEqual([
      ...["rejected", "fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
    ] as never);
  });

  test("no descriptor is left open", async () => {
    await using store = await openTestContent();
    const all = directoriesOf(store, await load(store));
    await explainLayers({ layers: all, top: 1, depth: 1 });
    const before = readdirSync("/proc/self/fd").length;
    for (let at = 0; at < 3; at++) await explainLayers({ layers: all, top: 1, depth: 1 });
    await faultOf(explainLayers({ layers: [...all, "/nosuch"], top: 1, depth: 1 }));
    expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before);
  });
});

describe.skipIf(!isRoot)("squash [needs root]", () => {
  test.each([0, 1])("with %i layers kept a container sees the same", async (keep) => {
    await using store = await openTestContent();
    const image = await load(store);
    const result = await squashed(store, image, { keep });
    expect(result.layers).toHaveLength(keep + 1);
    expect(result.tags).toEqual(["web:small"]);
    expect(result.layers.slice(0, keep)).toEqual(image.layers.slice(0, keep));
    const timeless = (lines: string[]) =>
      // A directory that no layer names has the time of its unpacking.
      lines.map((line) => (/ 4\d{4} /.test(line) ? line.replace(/ \d{12,} /, " ") : line));
    expect(timeless(await mounted(store, result))).toEqual(timeless(await mounted(store, image)));
    const { total } = await explainLayers({
      layers: directoriesOf(store, result),
      ...{ top: 1, depth: 1 },
    });
    if (keep === 0) expect(total.wasted).toBe(0);
    expect(total.bytes).toBeLessThan(image.size);
    const same = await compareLayers({
      from: directoriesOf(store, image),
      to: directoriesOf(store, result),
      ...{ shared: keep, limit: 10 },
    });
    expect(same).toMatchObject({ changes: [], more: 0 });
  });

  test("settings stay, and the history tells the merged steps", async () => {
    await using store = await openTestContent();
    const image = await load(store);
    const { config } = await squashed(store, image, { keep: 1 });
    const { rootfs: _, history, created = "", ...rest } = config;
    const { rootfs: __, history: ___, created: time, ...before } = image.config;
    expect(rest).toEqual(before);
    expect(Date.parse(created)).toBe(Date.parse(time ?? ""));
    expect(history).toEqual([
      { created: "2024-05-06T07:08:09Z", created_by: "step 1" },
      { created: "2024-05-06T07:08:09Z", created_by: "step 2", empty_layer: true },
      { created: "2024-05-06T07:08:09Z", created_by: "step 3", empty_layer: true },
      {
        created: "2024-05-06T07:08:09.000Z",
        created_by: "thimble squash --from 1",
        comment: `2 layers of ${image.id} merged into one`,
      },
    ]);
  });

  test("a single layer needs no merge", async () => {
    await using store = await openTestContent();
    const image = await load(store);
    const fault = await faultOf(squashed(store, image, { keep: 2 }));
    expect(fault.code).toBe("invalid");
    expect(fault.message).toContain("there is nothing to merge");
  });

  test("a cancel leaves nothing behind", async () => {
    await using store = await openTestContent();
    const image = await load(store);
    const before = await store.leftovers();
    const signal = AbortSignal.abort();
    expect((await faultOf(squashed(store, image, { keep: 0, signal }))).code).toBe("canceled");
    expect(await store.leftovers()).toEqual(before);
    expect(store.content.images.list()).toHaveLength(1);
  });

  test("the base stays whole when the squashed image goes", async () => {
    await using store = await openTestContent();
    const image = await load(store);
    const before = await store.leftovers();
    await squashed(store, image, { keep: 1 });
    await store.content.images.remove("web:small", { force: false, usersOf: () => [] });
    expect(await store.leftovers()).toEqual(before);
    await mounted(store, image);
  });

  test("the same image gives the same result in two data roots", async () => {
    const digests = async (created?: bigint) => {
      await using store = await openTestContent();
      const image = await load(store);
      const options = created === undefined ? {} : { created };
      const whole = await squashed(store, image, { keep: 0, ...options });
      const partial = await squashed(store, image, { keep: 1, ...options });
      return [whole.digest, whole.id, partial.digest, partial.id];
    };
    const own = await digests();
    expect(await digests()).toEqual(own);
    const epoch = 1_600_000_000_000_000_000n;
    const fixed = await digests(epoch);
    expect(await digests(epoch)).toEqual(fixed);
    expect(fixed).not.toEqual(own);
  });
});
