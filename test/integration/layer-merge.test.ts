import { afterAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { mergeLayers, receiveLayer } from "#layer";
import {
  describeTree,
  streamOf,
  type TarMember,
  tarOf,
  temporaryDirectory,
} from "../support/tree.ts";

const scratch = temporaryDirectory("layer-merge");
afterAll(() => scratch[Symbol.dispose]());

function fresh(name: string): string {
  const path = join(scratch.path, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  return path;
}

async function layer(name: string, members: readonly TarMember[]): Promise<string> {
  const target = fresh(name);
  await receiveLayer({ source: { stream: streamOf(tarOf(members)) }, target });
  return target;
}

/** What an overlay of layers, uppermost first, shows. */
function shown(layers: readonly string[]): string[] {
  const mounted = fresh("mounted");
  const lower = [...layers, fresh("nothing")].join(":");
  execFileSync("mount", ["-t", "overlay", "overlay", "-o", `lowerdir=${lower}`, mounted]);
  try {
    return describeTree(mounted);
  } finally {
    execFileSync("umount", ["-l", mounted]);
  }
}

const base: readonly TarMember[] = [
  { name: "./", type: "directory", mode: 0o755, mtime: 1n },
  { name: "gone/", type: "directory" },
  { name: "gone/x", content: "x" },
  { name: "cut/", type: "directory" },
  { name: "cut/below", content: "below" },
  { name: "kept", content: "kept" },
  { name: "was-file", content: "f" },
];
const middle: readonly TarMember[] = [
  { name: "./", type: "directory", mode: 0o711, mtime: 2n },
  { name: "dir/", type: "directory", mode: 0o2755, uid: 4, mtime: 77n },
  { name: "dir/a", content: "a", mode: 0o4755, xattrs: new Map([["user.k", Buffer.from("v")]]) },
  { name: "dir/b", type: "hardlink", linkName: "dir/a" },
  { name: "dir/only-here", content: "deleted above" },
  { name: "cut/", type: "directory", mode: 0o700 },
  { name: "cut/.wh..wh..opq" },
  { name: "cut/mid", content: "mid" },
  { name: "link", type: "symlink", linkName: "dir/\xff", uid: 9 },
  { name: "null", type: "character", device: { major: 1, minor: 3 } },
];
const upper: readonly TarMember[] = [
  { name: "./", type: "directory", mode: 0o700, mtime: 3n },
  { name: ".wh.gone" },
  { name: ".wh.was-file" },
  { name: "was-file/", type: "directory" },
  { name: "was-file/in", content: "in" },
  { name: "dir/", type: "directory", mode: 0o750, uid: 5, mtime: 78n },
  { name: "dir/.wh.only-here" },
  { name: "dir/c", content: "c" },
  { name: "cut/", type: "directory", mode: 0o701 },
  { name: "cut/up", content: "up" },
];

test("several layers become one that shows the same, by links", async () => {
  const layers = [await layer("upper", upper), await layer("middle", middle)];
  const lowest = await layer("base", base);
  const whole = fresh("whole");
  const result = await mergeLayers({
    layers: [...layers, lowest],
    target: whole,
    keepWhiteouts: false,
  });
  expect(shown([whole])).toEqual(shown([...layers, lowest]));
  expect(result).toEqual({ entries: 13, size: 13, linked: 9, copied: 0 });
  expect(lstatSync(join(whole, "kept")).ino).toBe(lstatSync(join(lowest, "kept")).ino);
  expect(readdirSync(whole)).not.toContain("gone");

  const part = fresh("part");
  await mergeLayers({ layers, target: part, keepWhiteouts: true });
  expect(shown([part, lowest])).toEqual(shown([...layers, lowest]));
  expect(readdirSync(part)).toContain("gone");
});

test("a whiteout where the layers below have no such directory is not listed", async () => {
  const lone = await layer("lone", [
    { name: "own/", type: "directory" },
    { name: "own/.wh.gone" },
    { name: "own/there", content: "t" },
  ]);
  const lowest = await layer("base", base);
  const names = shown([lone, lowest]).map((line) => line.split(" ")[0]);
  expect(names.filter((name) => name?.startsWith("/own/"))).toEqual(["/own/there"]);
});

test("a file that is copied keeps its holes", async () => {
  const source = await layer("upper", upper);
  const size = 2 ** 32 + 7;
  const fd = openSync(join(source, "sparse"), "w");
  writeSync(fd, "middle", 2 ** 31);
  ftruncateSync(fd, size);
  closeSync(fd);
  const target = fresh("other");
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", target]);
  try {
    await mergeLayers({ layers: [source], target, keepWhiteouts: false });
    const copy = lstatSync(join(target, "sparse"));
    expect(copy.size).toBe(size);
    expect(copy.blocks * 512).toBeLessThan(1 << 20);
    const bytes = Buffer.alloc(8);
    const read = openSync(join(target, "sparse"), "r");
    readSync(read, bytes, 0, 8, 2 ** 31);
    closeSync(read);
    expect(bytes.toString()).toBe("middle\0\0");
  } finally {
    execFileSync("umount", [target]);
  }
});

test("on another file system all is copied, names of one file staying so", async () => {
  const layers = [await layer("upper", upper), await layer("middle", middle)];
  const target = fresh("other");
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", target]);
  try {
    const result = await mergeLayers({ layers, target, keepWhiteouts: false });
    expect(result).toMatchObject({ linked: 0, copied: 8 });
    const withoutXattrs = (lines: readonly string[]) =>
      lines.map((line) => line.replace(/ user\.\S*/, ""));
    expect(withoutXattrs(describeTree(target))).toEqual(withoutXattrs(shown(layers)));
    expect(lstatSync(join(target, "dir/a")).ino).toBe(lstatSync(join(target, "dir/b")).ino);
  } finally {
    execFileSync("umount", ["-l", target]);
  }
});

test("trees deeper than descriptors allow are merged", async () => {
  const deep = "d/".repeat(300);
  const layers: string[] = [];
  for (let i = 0; i < 4; i++) {
    layers.push(await layer(`deep${i}`, [{ name: `${deep}f${i}`, content: String(i) }]));
  }
  const target = fresh("deep");
  const before = readdirSync("/proc/self/fd").length;
  const result = await mergeLayers({ layers, target, keepWhiteouts: true });
  expect(result).toMatchObject({ entries: 305, linked: 4 });
  expect(readdirSync(join(target, deep)).sort()).toEqual(["f0", "f1", "f2", "f3"]);
  expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before + 2);
});
