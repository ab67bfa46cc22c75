import { afterAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeptDirectories } from "./kept-directories.ts";

const top = mkdtempSync(join(tmpdir(), "thimble-kept-"));
afterAll(() => rmSync(top, { recursive: true }));

let root = "";
let count = 0;
let kept: KeptDirectories;
beforeEach(() => {
  root = join(top, String(count++));
  kept = new KeptDirectories(root);
});

test("builds of one directory at a time have a copy each, and the next one has one of these", async () => {
  const one = kept.take("key");
  const two = kept.take("key");
  expect(one.directory).not.toBe(two.directory);
  expect(statSync(one.directory).mode & 0o777).toBe(0o755);
  writeFileSync(join(two.directory, "file"), "");
  await two[Symbol.asyncDispose]();
  const three = kept.take("key");
  expect(readdirSync(three.directory)).toEqual(["file"]);
  expect(kept.take("other").directory).not.toBe(one.directory);
});

test("what a holder knows is the next one's, and goes with the copy", async () => {
  let gone = 0;
  const known = { [Symbol.dispose]: () => void gone++ };
  const first = kept.take("key");
  first.known = known;
  await first[Symbol.asyncDispose]();
  const next = kept.take("key");
  expect(next.known).toBe(known);
  await next[Symbol.asyncDispose]();
  await using after = new KeptDirectories(root).take("key");
  expect(after.known).toBeUndefined();
  expect(gone).toBe(0);
  await kept.prune();
  expect(gone).toBe(1);
});

test("a prune leaves what a build has, and of others the last sixteen stay", async () => {
  const held = kept.take("held");
  const paths: string[] = [];
  for (let number = 0; number < 18; number++) {
    const each = kept.take(`key ${number}`);
    paths.push(each.directory);
    await each[Symbol.asyncDispose]();
  }
  expect(paths.filter((path) => existsSync(path))).toEqual(paths.slice(2));
  await kept.prune();
  expect(readdirSync(root)).toHaveLength(1);
  expect(existsSync(held.directory)).toBe(true);
});
