import { afterEach, beforeEach, expect, test } from "bun:test";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TarHeader, textToName } from "#tar";
import { outcome, rounds } from "../base/testing.ts";
import { TreeWriter } from "./tree-writer.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-tree-ü-"));
});

afterEach(() => rmSync(root, { recursive: true }));

async function* content(text: string) {
  yield Buffer.from(text);
}

async function put(tree: TreeWriter, entry: Partial<TarHeader> & { name: string }, text = "") {
  await tree.put({
    type: "file",
    mode: 0o644,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    size: text.length,
    mtime: 1_000_000_000n,
    linkName: "",
    ...entry,
    body: content(text),
  });
}

test("a directory leaves a link to a directory alone, as dpkg does", async () => {
  const tree = new TreeWriter(root, "test");
  await put(tree, { name: "bin", type: "symlink", linkName: "usr/bin" });
  await put(tree, { name: "./bin/", type: "directory", mode: 0o700 });
  await put(tree, { name: "./bin/sh" }, "shell");
  expect(readlinkSync(join(root, "bin"))).toBe("usr/bin");
  expect(readFileSync(join(root, "usr/bin/sh"), "utf8")).toBe("shell");
});

test("a later file takes an earlier one's place, also where two writers work", async () => {
  const [one, other] = [new TreeWriter(root, "one"), new TreeWriter(root, "other")];
  await put(one, { name: "a/b" }, "one");
  await put(other, { name: "a/b", mode: 0o600 }, "other");
  await put(one, { name: "a/c", type: "hardlink", linkName: "./a/b" });
  expect(readFileSync(join(root, "a/c"), "utf8")).toBe("other");
  expect(lstatSync(join(root, "a/b")).mode & 0o7777).toBe(0o600);
  expect(lstatSync(join(root, "a/b")).nlink).toBe(2);
});

test("two writers make the same directories at the same time", async () => {
  const count = rounds(200, 2_000);
  const writer = `
    import { TreeWriter } from ${JSON.stringify(join(import.meta.dir, "tree-writer.ts"))};
    const tree = new TreeWriter(${JSON.stringify(root)}, "test");
    const entry = { type: "directory", mode: 0o755, uid: process.getuid(), gid: process.getgid(), size: 0, mtime: 0n, linkName: "" };
    console.log("ready");
    for await (const _ of process.stdin) break;
    for (let n = 0; n < ${count}; n++) await tree.put({ ...entry, name: "a/" + n, body: [] });`;
  const both = [0, 1].map(() =>
    Bun.spawn([process.execPath, "-e", writer], { stdin: "pipe", stdout: "pipe", stderr: "pipe" }),
  );
  for (const { stdout } of both) await stdout.getReader().read();
  for (const { stdin } of both) {
    stdin.write("go\n");
    stdin.end();
  }
  for (const { stderr } of both) expect(await new Response(stderr).text()).toBe("");
  expect(readdirSync(join(root, "a")).length).toBe(count);
});

test("nothing takes a directory's place", async () => {
  const tree = new TreeWriter(root, "test");
  await put(tree, { name: "a/b" });
  expect(await outcome(put(tree, { name: "a" }))).toThrow("a directory is in its place");
  expect(await outcome(put(tree, { name: "a", type: "symlink", linkName: "/etc" }))).toThrow();
  expect(await outcome(put(tree, { name: "a/b", type: "directory" }))).toThrow("a file is in its");
});

test("names are bytes", async () => {
  const tree = new TreeWriter(root, "test");
  await put(tree, { name: textToName("ä/ö") }, "umlaut");
  expect(readFileSync(join(root, "ä/ö"), "utf8")).toBe("umlaut");
  await put(tree, { name: "\xff" }, "no utf-8");
  const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]);
  expect(readFileSync(path, "utf8")).toBe("no utf-8");
});
