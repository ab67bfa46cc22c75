import { expect, test } from "bun:test";
import { whyRun } from "./explain.ts";

const before = [
  { parts: { kind: "run", argv: '["a"]', env: '["A=1","B=1"]', base: "x" } },
  { parts: { kind: "run", argv: '["b"]', env: '["A=9"]', base: "y" } },
];

test.each([
  [
    "what is below",
    { argv: '["a"]', env: '["A=1","B=1"]', base: "z" },
    "the step below it gave other files",
  ],
  ["a variable", { argv: '["a"]', env: '["A=2","B=1"]', base: "x" }, "the environment changed: A"],
  ["the command", { argv: '["c"]', env: '["A=1","B=1"]', base: "z" }, "the command changed"],
  [
    "files",
    { argv: '["a"]', env: '["A=1","B=1"]', base: "x", "mount 0": "q" },
    "files that it reads have changed",
  ],
  [
    "nothing",
    { argv: '["a"]', env: '["A=1","B=1"]', base: "x" },
    "its result is not in the cache any more",
  ],
])("the nearest step before tells what changed: %s", (_, parts, reason) => {
  expect(whyRun({ kind: "run", ...parts }, before)).toBe(reason);
});

test("a step that is new says so", () => {
  expect(whyRun({ kind: "run" }, [])).toBe("no build before had this step");
});
