import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstMark, MarkFile } from "./ship-mark.ts";

let directory = "";
let path = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-mark-"));
  path = join(directory, "shipped");
});
afterEach(() => rmSync(directory, { recursive: true }));

const mark = {
  inode: 7n,
  firstTime: 1_700_000_000_123_456_789n,
  offset: 9,
  shipped: 3,
  dropped: 2,
};

test("a mark is read as it was written, and its file never grows", () => {
  using file = new MarkFile(path);
  file.write({ ...mark, offset: 2 ** 50, shipped: 2 ** 50 });
  const { size, mode } = statSync(path);
  file.write(mark);
  expect(statSync(path).size).toBe(size);
  expect(mode & 0o777).toBe(0o600);
  using again = new MarkFile(path);
  expect(again.read()).toEqual(mark);
});

test.each([
  "",
  "{",
  "[]",
  "null",
  '{"inode":"x"}',
  '{"inode":"1","firstTime":"1","offset":-1,"shipped":0,"dropped":0}',
])("a file with %j counts as none", (text) => {
  writeFileSync(path, text);
  using file = new MarkFile(path);
  expect(file.read()).toEqual(firstMark);
});

test("reading makes no file", () => {
  using file = new MarkFile(path);
  expect(file.read()).toEqual(firstMark);
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});
