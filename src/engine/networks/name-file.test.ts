import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changeNameFile } from "./name-file.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "thimble-name-file-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a file is changed in place", () => {
  const path = join(folder, "hosts");
  writeFileSync(path, "127.0.0.1\tlocalhost\n");
  const { ino } = statSync(path);
  changeNameFile(path, (text) => `${text}10.0.0.2\tweb\n`);
  expect(readFileSync(path, "utf8")).toBe("127.0.0.1\tlocalhost\n10.0.0.2\tweb\n");
  expect(statSync(path).ino).toBe(ino);
});

test("a file that the container has made very long is not read", () => {
  const path = join(folder, "long");
  writeFileSync(path, "127.0.0.1\tlocalhost\n");
  truncateSync(path, 2 ** 40);
  changeNameFile(path, () => {
    throw new Error("it was read");
  });
  expect(statSync(path).size).toBe(2 ** 40);
});
