import { expect, test } from "bun:test";
import { parseFilters, renderFilters } from "./filters.ts";

test("both forms of filters are read", () => {
  expect(parseFilters('{"label":["a","b"]}')).toEqual({ label: ["a", "b"] });
  expect(parseFilters('{"dangling":{"true":true,"false":false}}')).toEqual({
    dangling: ["true", "false"],
  });
  expect(parseFilters(undefined)).toEqual({});
  expect(parseFilters("")).toEqual({});
  expect(parseFilters("null")).toEqual({});
});

test("a key of the prototype is a key like any other", () => {
  expect(Object.keys(parseFilters('{"__proto__":["x"]}'))).toEqual(["__proto__"]);
});

test("anything else is refused", () => {
  for (const bad of ["zz", "[]", '"x"', "1", '{"a":1}', '{"a":[1]}', '{"a":{"b":1}}'])
    expect(() => parseFilters(bad)).toThrow("invalid filter");
});

test("filters are written as a query value", () => {
  expect(renderFilters({ label: ["a"], name: [] })).toBe('{"label":["a"]}');
  expect(renderFilters({})).toBeUndefined();
});
