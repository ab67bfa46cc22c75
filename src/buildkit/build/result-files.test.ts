import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readText } from "../files/read-text.ts";
import { readDirectory, readPart, statFile } from "./result-files.ts";

const tree = mkdtempSync(join(tmpdir(), "result-"));
mkdirSync(join(tree, "etc"));
writeFileSync(join(tree, "etc/name"), "of the tree");
symlinkSync("/etc/name", join(tree, "link"));
symlinkSync("../../../../../../etc/hostname", join(tree, "out"));
afterAll(() => rmSync(tree, { recursive: true }));

const part = (path: string, offset = 0n, length = 0n) =>
  Buffer.from(readPart(tree, path, { offset, length })).toString();

test("a file is read whole or in parts, and links are followed in the tree alone", () => {
  expect([part("etc/name"), part("link", 3n), part("/etc/name", 3n, 3n)]).toEqual([
    "of the tree",
    "the tree",
    "the",
  ]);
  expect(part("etc/name", 99n)).toBe("");
  expect(() => part("out")).toThrow("no such file");
  expect(() => part("etc")).toThrow("etc is not a regular file");
});

test("names and kinds are told as they are in the tree", () => {
  expect(readDirectory(tree, "/", "l*").map(({ path, linkname }) => ({ path, linkname }))).toEqual([
    { path: "link", linkname: "/etc/name" },
  ]);
  expect(statFile(tree, "../etc/name")).toMatchObject({ path: "name", size: 11n });
});

test("a text has a limit, and is undefined where there is no such file", () => {
  expect(readText(tree, "link", 11)).toBe("of the tree");
  expect(readText(tree, "absent", 11)).toBeUndefined();
  expect(() => readText(tree, "link", 10)).toThrow("link is larger than 10 bytes");
  expect(() => readText(tree, "etc", 10)).toThrow("etc is not a regular file");
});
