import { expect, test } from "bun:test";
import { isFault } from "#base";
import { printConfig } from "./index.ts";
import { memoryFiles, recordedRoot } from "./testing.ts";

/** What a file is refused with. */
function refusal(file: string): string {
  const request = {
    files: memoryFiles(new Map([["compose.yaml", file]])),
    cwd: recordedRoot,
    env: {},
    paths: [],
    envFiles: [],
    profiles: [],
    stdin: () => "",
    warn: () => undefined,
  };
  try {
    printConfig(request, {}, [], "yaml");
  } catch (error) {
    if (isFault(error)) return error.message;
    throw error;
  }
  return "";
}

test("aliases that multiply are refused", () => {
  const lines = ['a0: &a0 ["x", "x", "x", "x", "x", "x", "x", "x", "x", "x"]'];
  for (let i = 1; i < 12; i++) {
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(", ")}]`,
    );
  }
  expect(refusal(`x-bomb:\n${lines.map((line) => `  ${line}\n`).join("")}`)).toContain(
    "document contains excessive aliasing",
  );
});

test("deep nesting is refused, in brackets, blocks and variables", () => {
  expect(refusal(`x-a: ${"[".repeat(100_000)}`)).toContain("exceeded max depth");
  const deep = Array.from({ length: 700 }, (_, i) => `${" ".repeat(i)}- \n`).join("");
  expect(refusal(`x-a:\n${deep}`)).toContain("exceeded max depth");

  expect(refusal(`x-a: "${"${A:-".repeat(5000)}x${"}".repeat(5000)}"`)).toContain("too deeply");
  expect(refusal(`services: {a: {image: i}}`)).toBe("");
});

test("an alias within its own anchor is refused", () => {
  expect(refusal("services: &s\n  a: {image: i, x-a: *s}\n")).toContain("cycle detected");
  expect(refusal("x-l: &l [*l]\nservices: {a: {image: i}}\n")).not.toBe("");
});

test("a file of more than 10 MB is refused", () => {
  expect(refusal(`x-a: ${"a".repeat(10 * 1024 * 1024)}`)).toContain("larger than 10 MB");
});

test("a variable that cannot be replaced is shown in its line", () => {
  const line = `      - \${NEED:?say it}`;
  const file = `services:\n  a:\n    image: i\n    command:\n      - x\n${line}\n`;
  expect(refusal(file)).toBe(
    `error while interpolating services.a.command.[]: required variable NEED is missing a value: say it
${recordedRoot}/compose.yaml:6:9: here
6 | ${line}
  |         ^`,
  );
});
