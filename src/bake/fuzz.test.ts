import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { isFault } from "#base";
import { random, rounds } from "../base/testing.ts";
import type { DefinitionFile } from "./definition-file.ts";
import { parseDefinitions } from "./parse-files.ts";
import { printTargets } from "./print.ts";
import { resolveTargets } from "./resolve-targets.ts";
import { readCases } from "./testing.ts";

const input = {
  lookUp: () => undefined,
  now: () => new Date(0),
  homeDirectory: "/root",
  builtins: new Map<string, string>(),
};

function bake(files: readonly DefinitionFile[]): string {
  const { definition } = parseDefinitions(files, input);
  const names = ["default"];
  return printTargets(
    resolveTargets(definition, { names, overrides: [], lookUp: () => undefined }),
  );
}

function hcl(text: string): string {
  return bake([{ name: "a.hcl", bytes: Buffer.from(text) }]);
}

/** What became of a definition: the code of the fault, or "ok". */
function codeOf(action: () => unknown): string {
  try {
    action();
    return "ok";
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  }
}

describe("hostile definitions", () => {
  const deep = (open: string, close: string) => open.repeat(5000) + close.repeat(5000);
  const list = `[${"1,".repeat(1000)}]`;
  test.each([
    ["lists within one another", `x = ${deep("[", "]")}`],
    ["parentheses within one another", `x = ${deep("(", ")")}`],
    ["signs before one another", `x = ${"-".repeat(5000)}1`],
    ["conditions within one another", `x = ${"true ? 1 : ".repeat(5000)}1`],
    ["blocks within one another", deep("a {\n", "}\n")],
    ["templates within one another", `x = ${deep('"${', '}"')}`],
    [
      "a matrix of millions",
      `target "default" {\n matrix = { a = ${list}, b = ${list}, c = ${list} }\n}`,
    ],
    ["loops of millions", `x = [for a in ${list} : [for b in ${list} : ${list}]]`],
    [
      "a text that doubles",
      `a = "${"x".repeat(1000)}"\n${Array.from({ length: 30 }, (_, at) => `${at === 0 ? "b0" : `b${at}`} = "\${${at === 0 ? "a" : `b${at - 1}`}}\${${at === 0 ? "a" : `b${at - 1}`}}"`).join("\n")}`,
    ],
    ["a large number", "x = 1e999999999"],
    ["a product of sets", `x = setproduct(${list}, ${list}, ${list})`],
    ["indents", 'x = indent(100000000, "a\\nb")'],
    ["widths", 'x = format("%1000000000d", 1)'],
  ])("%s end with a fault", (_, text) => {
    expect(codeOf(() => hcl(`${text}\ntarget "default" {}\n`))).toMatch(/^(?:exhausted|invalid)$/);
  });

  test("a file in JSON with arrays within one another ends with a fault", () => {
    const bytes = Buffer.from(`{"target": ${deep("[", "]")}}`);
    expect(codeOf(() => bake([{ name: "a.json", bytes }]))).toBe("exhausted");
  });
});

describe("broken definitions", () => {
  const cases = readCases(join(import.meta.dir, "testdata", "cases.txt"));
  const texts = cases.flatMap(({ files }) => [...files]);

  test("are refused with a fault, or read", () => {
    const below = random(7);
    const pieces = [
      '"',
      "${",
      "}",
      "{",
      "[",
      "]",
      "\n",
      "<<E\n",
      "%{ if true }",
      "\\",
      "é",
      "=",
      "...",
      "*",
      "\udc80",
    ];
    for (let round = 0; round < rounds(500, 150_000); round++) {
      const [name = "", text = ""] = texts[below(texts.length)] ?? [];
      const at = below(text.length + 1);
      const piece = pieces[below(pieces.length)] ?? "";
      const broken =
        below(2) === 0
          ? text.slice(0, at) + piece + text.slice(at)
          : text.slice(0, at) + text.slice(at + 1 + below(8));
      const bytes = Buffer.from(broken, "utf8");
      expect(codeOf(() => bake([{ name, bytes }]))).toMatch(/^(?:ok|exhausted|invalid)$/);
    }
  });

  test("of any bytes are refused with a fault, or read", () => {
    const below = random(11);
    for (let round = 0; round < rounds(100, 20_000); round++) {
      const bytes = Uint8Array.from({ length: below(200) }, () => below(256));
      for (const name of ["a.hcl", "a.json"]) {
        expect(codeOf(() => bake([{ name, bytes }]))).toMatch(/^(?:ok|exhausted|invalid)$/);
      }
    }
  });
});
