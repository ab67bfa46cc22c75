import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { O_DIRECTORY, O_PATH, openat2, setXattr } from "#kernel";
import { type Compression, type PackResult, packBlob } from "#layer";
import { temporaryDirectory } from "../support/tree.ts";

const scratch = temporaryDirectory("layer-reproducible");
afterAll(() => scratch[Symbol.dispose]());

/** 2020-01-01 */
const epoch = 1_577_836_800;

/** The same tree in another order, at another time, with other inodes. */
function make(name: string, order: (names: string[]) => string[], age: number): string {
  const root = join(scratch.path, name);
  for (const at of order(["a", "b", "b-c", "B", "z"])) {
    mkdirSync(join(root, at), { recursive: true });
    for (const file of order(["1", "10", "2", "\u00e9", "x".repeat(120)])) {
      const path = join(root, at, file);
      writeFileSync(path, `${at}/${file} `.repeat(3000));
      chmodSync(path, 0o4711);
      utimesSync(path, epoch - 1000, epoch - 1000);
    }
    linkSync(join(root, at, "2"), join(root, at, "20"));
    symlinkSync("../a", join(root, at, "link"));
    chmodSync(join(root, at), 0o750);
    using directory = openat2(undefined, join(root, at), { flags: O_PATH | O_DIRECTORY });
    for (const key of order(["user.one", "user.two"])) {
      setXattr(directory, "1", key, Buffer.from(at));
    }
    lutimesSync(join(root, at, "link"), epoch + age, epoch + age);
    utimesSync(join(root, at), epoch + age, epoch + age);
  }
  chmodSync(root, 0o755);
  utimesSync(root, epoch + age, epoch + age);
  return root;
}

async function pack(directory: string, compression: Compression): Promise<PackResult> {
  const path = join(scratch.path, "blob");
  const result = await packBlob({
    ...{ directory, mode: "tree", includeRoot: true },
    latest: BigInt(epoch) * 1_000_000_000n,
    blob: { path, compression: compression === "none" ? compression : { format: compression } },
  });
  rmSync(path);
  return result;
}

test("the same tree gives the same bytes, however and whenever it was made", async () => {
  const first = make("first", (names) => names, 10);
  const second = make("second", (names) => names.toReversed(), 5000);
  const seen = new Set<string>();
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const result = await pack(first, compression);
    expect(await pack(second, compression)).toEqual(result);
    expect(await pack(first, compression)).toEqual(result);
    seen.add(result.diffId);
    expect(result.entries).toBe(41);
  }
  // Of any machine, any file system: no inode, device number, locale or clock is in it.
  expect([...seen]).toEqual([
    "sha256:3c7948b8a5c31e8ca1fba26351ec62a62e3ecb428c6dd8b475807958585cb48e",
  ]);

  chmodSync(join(second, "a/10"), 0o4710);
  expect((await pack(second, "none")).diffId).not.toBe((await pack(first, "none")).diffId);
});
