import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSetting } from "./cgroup-files.ts";

test("values are written one after another, and nothing behind them", () => {
  const directory = mkdtempSync("/tmp/thimble-setting-");
  try {
    const path = join(directory, "devices.allow");
    writeFileSync(path, "");
    writeSetting(path, "c 1:3 rwm", "c 1:5 rwm");
    expect(readFileSync(path, "utf8")).toBe("c 1:3 rwmc 1:5 rwm");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("the fault names the value and the file", () => {
  expect(() => writeSetting("/dev/full", "a", "b")).toThrow(
    'cannot write "a" to /dev/full: no space left on the device (write: ENOSPC)',
  );
  expect(() => writeSetting("/dev/null/x", "a")).toThrow(
    'cannot write "a" to /dev/null/x: not a directory (write: ENOTDIR)',
  );
});
