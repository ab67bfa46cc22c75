import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#base";
import { printConfig } from "./index.ts";
import { memoryFiles, recordedRoot } from "./testing.ts";

const text = readFileSync(join(import.meta.dir, "../../docs/compose.md"), "utf8");
const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
  .filter(([, language]) => language !== "sh")
  .map(([, , block]) => block ?? "");

function config(file: string): string {
  const request = {
    files: memoryFiles(new Map([["compose.yaml", file]])),
    cwd: recordedRoot,
    env: {},
    paths: [],
    envFiles: [],
    profiles: [],
    name: "shop",
    stdin: () => "",
    warn: () => undefined,
  };
  return printConfig(request, {}, [], "yaml");
}

test("docs/compose.md shows what config prints", () => {
  const [file = "", printed = ""] = blocks;
  expect(config(file)).toBe(printed);
});

test("docs/compose.md shows what config says of a file that is wrong", () => {
  const [, , file = "", said = ""] = blocks;
  expect(() => config(file)).toThrow(Fault);
  try {
    config(file);
  } catch (error) {
    const message = (error as Error).message.replaceAll(recordedRoot, "/srv/shop");
    expect(`${message}\n`).toBe(said);
  }
});
