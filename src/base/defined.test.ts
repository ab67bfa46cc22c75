import { expect, test } from "bun:test";
import { defined } from "./defined.ts";

test("fields that are undefined are not there; null, 0, false and the empty text are", () => {
  const missing: string | undefined = undefined as string | undefined;
  const fields: { a: number; b?: string; c: null; d: boolean; e: string } = defined({
    a: 0,
    b: missing,
    c: null,
    d: false,
    e: "",
  });
  expect(Object.entries(fields)).toEqual([
    ["a", 0],
    ["c", null],
    ["d", false],
    ["e", ""],
  ]);
  expect({ b: "kept", ...defined({ b: missing }) }).toEqual({ b: "kept" });
});
