import { afterEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TarType, TarWriter } from "#tar";
import { outcome } from "../base/testing.ts";
import { receiveTree } from "./receive-tree.ts";

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

function place(): { base: string; outside: string } {
  const directory = mkdtempSync(join(tmpdir(), "thimble-receive-"));
  made.push(directory);
  mkdirSync(join(directory, "base"));
  mkdirSync(join(directory, "outside"));
  return { base: join(directory, "base"), outside: join(directory, "outside") };
}

interface Member {
  readonly name: string;
  readonly type?: TarType;
  readonly link?: string;
  readonly text?: string;
  readonly mode?: number;
}

async function* archive(members: readonly Member[]): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  for (const { name, type = "file", link = "", text = "", mode = 0o644 } of members) {
    const bytes = Buffer.from(text);
    const common = { name, type, mode, uid: 1, gid: 1, mtime: 1_700_000_000_000_000_000n };
    tar.entry({ ...common, linkName: link, size: bytes.length }, bytes);
  }
  tar.finish();
  yield* chunks;
}

async function receive(base: string, members: readonly Member[]) {
  const skipped: string[] = [];
  const bytes = await receiveTree(archive(members), base, {
    skip: async (name) => void skipped.push(name),
  });
  return { bytes, skipped };
}

test("zeros arrive as holes", async () => {
  const { base } = place();
  const text = `${"\0".repeat(2 << 20)}middle${"\0".repeat(2 << 20)}`;
  await receive(base, [{ name: "file", text }]);
  const chunks = async function* () {
    for await (const bytes of archive([{ name: "sparse", text }])) {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    }
  };
  await receiveTree(chunks(), base, { skip: async () => undefined });
  const path = join(base, "sparse");
  expect(readFileSync(path, "utf8")).toBe(text);
  expect(statSync(path).blocks * 512).toBeLessThan(1 << 20);
});

test("files, directories and links arrive with their modes and times", async () => {
  const { base } = place();
  const { bytes } = await receive(base, [
    { name: "./", type: "directory", mode: 0o755 },
    { name: "sub/", type: "directory", mode: 0o750 },
    { name: "sub/file", text: "hello", mode: 0o600 },
    { name: "sub/link", type: "symlink", link: "file" },
    { name: "sub/same", type: "hardlink", link: "sub/file" },
  ]);
  expect(bytes).toBe(5);
  expect(readFileSync(join(base, "sub/link"), "utf8")).toBe("hello");
  expect(statSync(join(base, "sub/file")).mode & 0o777).toBe(0o600);
  expect(statSync(join(base, "sub/file")).ino).toBe(statSync(join(base, "sub/same")).ino);
  expect(statSync(join(base, "sub")).mode & 0o777).toBe(0o750);
  expect(statSync(join(base, "sub")).mtimeMs).toBe(1_700_000_000_000);
});

test("a file that is there is replaced, and a link never written through", async () => {
  const { base, outside } = place();
  writeFileSync(join(outside, "secret"), "kept");
  symlinkSync(join(outside, "secret"), join(base, "file"));
  await receive(base, [{ name: "file", text: "new" }]);
  expect(readFileSync(join(base, "file"), "utf8")).toBe("new");
  expect(readFileSync(join(outside, "secret"), "utf8")).toBe("kept");
});

test.each<[string, readonly Member[]]>([
  ["..", [{ name: "../outside/x", text: "x" }]],
  [
    "a link that came with it",
    [
      { name: "way", type: "symlink", link: "../outside" },
      { name: "way/x", text: "x" },
    ],
  ],
  [
    "a hard link through a link",
    [
      { name: "way", type: "symlink", link: "../outside" },
      { name: "x", type: "hardlink", link: "way/secret" },
    ],
  ],
  [
    "a link in a directory's place",
    [
      { name: "way", type: "symlink", link: "../outside" },
      { name: "way/", type: "directory" },
      { name: "way/x", text: "x" },
    ],
  ],
])("nothing gets out by %s", async (_, members) => {
  const { base, outside } = place();
  writeFileSync(join(outside, "secret"), "kept");
  expect(await outcome(receive(base, members))).toThrow();
  expect(existsSync(join(outside, "x"))).toBe(false);
  expect(existsSync(join(base, "x"))).toBe(false);
});

test("an absolute name lies below the base, devices are left out", async () => {
  const { base } = place();
  const { skipped } = await receive(base, [
    { name: "/etc/file", text: "x" },
    { name: "pipe", type: "fifo" },
    { name: "dangling", type: "symlink", link: "/nowhere" },
  ]);
  expect(readFileSync(join(base, "etc/file"), "utf8")).toBe("x");
  expect(readlinkSync(join(base, "dangling"))).toBe("/nowhere");
  expect(skipped).toEqual(["pipe"]);
});

test("a directory is not replaced by a file", async () => {
  const { base } = place();
  mkdirSync(join(base, "taken"));
  expect(await outcome(receive(base, [{ name: "taken", text: "x" }]))).toThrow("it is a directory");
});
