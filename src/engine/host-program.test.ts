import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { runHostProgram } from "./host-program.ts";

test("a program does not have this process's oom score, and gets its arguments as they are", async () => {
  const path = "/proc/self/oom_score_adj";
  const before = readFileSync(path, "utf8");
  writeFileSync(path, "7");
  try {
    expect(await runHostProgram("cat", [path])).toBe("0\n");
  } finally {
    writeFileSync(path, before);
  }
  const odd = ["%s|", "a b", "$HOME", "'\"", ""];
  expect(await runHostProgram("printf", odd)).toBe("a b|$HOME|'\"||");
});

test("a program that is missing, or fails, says so", async () => {
  const codeOf = (work: Promise<string>) => work.catch(({ code }: { code?: unknown }) => code);
  expect(await codeOf(runHostProgram("no-such-program", []))).toBe(127);
  expect(await codeOf(runHostProgram("sh", ["-c", "exit 3"]))).toBe(3);
});
