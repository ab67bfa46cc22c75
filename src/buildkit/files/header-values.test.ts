import { expect, test } from "bun:test";
import { headerValues } from "./header-values.ts";

test("plain values are sent as they are, and empty lists not at all", () => {
  const values = { "dir-name": ["context"], followpaths: ["a b", "c,d", "%41+"], none: [] };
  expect(headerValues(values)).toEqual({
    "dir-name": ["context"],
    followpaths: ["a b", "c,d", "%41+"],
  });
});

test("one value beyond ASCII has all of them escaped as in a query", () => {
  expect(headerValues({ "exclude-patterns": ["schön", "a b+(c)", "!*"] })).toEqual({
    "exclude-patterns": ["sch%C3%B6n", "a+b%2B%28c%29", "%21%2A"],
    "exclude-patterns-encoded": ["1"],
  });
  expect(headerValues({ x: ["a\nb"] })["x-encoded"]).toEqual(["1"]);
});
