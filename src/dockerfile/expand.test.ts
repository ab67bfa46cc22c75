import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { StepBudget } from "#base";
import { type ExpandOptions, expand } from "./expand.ts";

const variables = new Map([
  ["x", "value"],
  ["empty", ""],
  ["path", "/usr/local/lib/libfoo.so.1"],
  ["two", "one  two"],
  ["ü", "umlaut"],
  ["lines", "a\nb"],
]);

function expanded(text: string, options: Partial<ExpandOptions> = {}) {
  return expand(text, variables, { escape: "\\", ...options });
}

describe("a text is expanded", () => {
  const table = readFileSync(`${import.meta.dir}/testdata/expansions.txt`, "utf8");
  const cases = table
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" => "));

  test.each(cases)("%s", (text = "", wanted = "") => {
    expect(expanded(text).text).toBe(wanted.replaceAll("\\n", "\n"));
  });

  test.each([
    ["$two", ["one", "two"]],
    ['"$two" x', ["one  two", "x"]],
    ["a\\ b c", ["a b", "c"]],
    ["  ", []],
    ["'' $empty", []],
  ])("into words: %s", (text, wanted) => {
    expect(expanded(text).words).toEqual(wanted);
  });

  test("with what the options leave there", () => {
    expect(expanded(`'a' $none \${none:-b} \\c`, { keepUnset: true }).text).toBe(
      `a $none \${none:-b} c`,
    );
    expect(expanded("'$x' \"$x\"", { quotes: "keep" }).text).toBe("'$x' \"value\"");
    expect(expanded("'$x'", { quotes: "ignore" }).text).toBe("'value'");
    expect(expanded("\\c", { keepEscapes: true }).text).toBe("\\c");
    expect(expanded("C:\\$x `$x", { escape: "`" }).text).toBe("C:\\value $x");
  });

  test("and says which variables it takes, and which are not set", () => {
    const { used, unset } = expanded(`$x \${none:-$more} \${x:-$never}`);
    expect([...used]).toEqual(["x"]);
    expect([...unset].toSorted()).toEqual(["more", "never", "none"]);
  });
});

describe("hostile texts are refused", () => {
  test.each([
    ["values that grow without end", "$big".repeat(100), "longer than 1048576 characters"],
    ["replacements that grow without end", `\${big//a/${"b".repeat(1000)}}`, "longer than 1048576"],
    ["substitutions within one another", `\${a:-`.repeat(200), "more than 100 substitutions"],
  ])("%s", (_, text, message) => {
    const big = new Map([["big", "a".repeat(100_000)]]);
    expect(() => expand(text, big, { escape: "\\" })).toThrow(message);
  });

  test("patterns that take too many steps", () => {
    const big = new Map([["big", "a".repeat(1000)]]);
    const text = `\${big##${"*a".repeat(200)}b}`;
    const budget = new StepBudget(10_000);
    expect(() => expand(text, big, { escape: "\\", budget })).toThrow("takes too long");
  });
});
