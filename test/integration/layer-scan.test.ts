import { afterAll, beforeEach, expect, test } from "bun:test";
import { linkSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "#image";
import { receiveLayer, type ScannedEntry, scanTree } from "#layer";
import { streamOf, type TarMember, tarOf, temporaryDirectory } from "../support/tree.ts";

const scratch = temporaryDirectory("layer-scan");
const target = join(scratch.path, "target");
afterAll(() => scratch[Symbol.dispose]());
beforeEach(() => {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
});

async function scan(more: object = {}): Promise<ScannedEntry[]> {
  const found: ScannedEntry[] = [];
  for await (const batch of scanTree({ directory: target, mode: "layer", ...more })) {
    found.push(...batch);
  }
  return found;
}

const members: readonly TarMember[] = [
  { name: "./", type: "directory", mode: 0o755, mtime: 5n },
  { name: "a/.wh.gone" },
  { name: "a/file", content: "hello", mode: 0o4711, uid: 3, gid: 4, mtime: -1_500_000_001n },
  { name: "b/.wh..wh..opq" },
  { name: "b/link", type: "symlink", linkName: "../a/\xff" },
  { name: "b/second", type: "hardlink", linkName: "a/file" },
  { name: "dev/null", type: "character", device: { major: 1, minor: 3 } },
  { name: "n\xe9", content: "" },
];

test("a layer's entries are told as they are, in the order of their bytes", async () => {
  await receiveLayer({ source: { stream: streamOf(tarOf(members)) }, target });
  const entries = await scan({ digests: "sha256" });
  expect(entries.map(({ path }) => path)).toEqual([
    ...["", "a", "a/file", "a/gone", "b", "b/link", "b/second", "dev", "dev/null", "n\xe9"],
  ]);
  const at = (path: string) => entries.find((entry) => entry.path === path);
  expect(at("")).toEqual({
    ...{ path: "", type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0 },
    mtime: entries[0]?.mtime as bigint,
  });
  const file = {
    ...{ type: "file", mode: 0o4711, uid: 3, gid: 4, size: 5, mtime: -1_500_000_001n, links: 2 },
    ...{ inode: at("a/file")?.inode as string, digest: sha256("hello") },
  } as const;
  expect(at("a/file") as object).toEqual({ path: "a/file", ...file });
  expect(at("b/second") as object).toEqual({ path: "b/second", ...file });
  expect(at("a/gone")).toMatchObject({ type: "character", whiteout: true });
  expect(at("b")).toMatchObject({ type: "directory", opaque: true });
  expect(at("a")?.opaque).toBeUndefined();
  expect(at("b/link")).toMatchObject({ type: "symlink", linkName: "../a/\xff", size: 0 });
  expect(at("dev/null")?.device).toEqual({ major: 1, minor: 3 });
  expect(at("dev/null")?.whiteout).toBeUndefined();
  expect(at("n\xe9")?.digest).toBe(sha256(""));

  const tree = await scan({ mode: "tree" });
  expect(tree.map(({ path }) => path)).toEqual(entries.map(({ path }) => path));
  expect(tree.some(({ whiteout, opaque, digest }) => whiteout || opaque || digest)).toBe(false);
});

test("large trees come in batches, links beyond the tree and vast holes do no harm", async () => {
  for (let i = 0; i < 1300; i++) writeFileSync(join(target, `f${i}`), String(i));
  linkSync(join(target, "f0"), join(scratch.path, "beyond"));
  writeFileSync(join(target, "holes"), "");
  truncateSync(join(target, "holes"), 2 ** 31);
  const sizes: number[] = [];
  for await (const batch of scanTree({ directory: target, mode: "layer", digests: "sha256" })) {
    sizes.push(batch.length);
    const holes = batch.find(({ path }) => path === "holes");
    if (holes) expect(holes.digest).toBeUndefined();
  }
  expect(sizes.length).toBeGreaterThan(2);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(1302);
  for await (const batch of scanTree({ directory: target, mode: "layer" })) {
    expect(batch.length).toBeLessThan(1302);
    break;
  }
  rmSync(join(scratch.path, "beyond"));
});
