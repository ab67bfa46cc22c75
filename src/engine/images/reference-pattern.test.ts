import { expect, test } from "bun:test";
import { referencePattern } from "./reference-pattern.ts";

const names = ["bb:1", "cmp/bb:1", "cmp/bb:2", "cmp/lab:latest"];

/** As dockerd 28.5 chose. */
test.each<[string, string[]]>([
  ["*", ["bb:1"]],
  ["*/*", ["cmp/bb:1", "cmp/bb:2", "cmp/lab:latest"]],
  ["cmp", []],
  ["cmp/b?", ["cmp/bb:1", "cmp/bb:2"]],
  ["cmp/bb:[12]", ["cmp/bb:1", "cmp/bb:2"]],
  ["cmp/bb:[!2]", ["cmp/bb:2"]],
  ["cmp/bb:[^2]", ["cmp/bb:1"]],
  ["cmp/bb:[0-1]", ["cmp/bb:1"]],
  ["*:1", ["bb:1"]],
  ["cmp\\/bb", ["cmp/bb:1", "cmp/bb:2"]],
  ["cmp/{bb,lab}", []],
  ["", []],
])("the pattern %p", (pattern, expected) => {
  expect(names.filter(referencePattern(pattern))).toEqual(expected);
});

test.each(["[", "a[", "[]", "[-a]", "[a-]", "a\\", "[a\\"])("%p is not a pattern", (pattern) => {
  expect(() => referencePattern(pattern)).toThrow("syntax error in pattern");
});

test("a pattern of many runs ends soon", () => {
  expect(referencePattern(`${"*a".repeat(200)}b`)("a".repeat(4_000))).toBe(false);
});
