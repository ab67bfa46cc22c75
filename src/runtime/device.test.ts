import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readHostDevices } from "./device.ts";

test("a directory without devices gives an empty list, and so does one that is gone", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-devices-"));
  mkdirSync(join(directory, "below"));
  writeFileSync(join(directory, "below", "file"), "");
  expect(readHostDevices(directory)).toEqual([]);
  rmSync(directory, { recursive: true });
  expect(readHostDevices(directory)).toEqual([]);
});

test("a walk for devices ends after a number of files", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-devices-"));
  for (let n = 0; n < 4; n++) writeFileSync(join(directory, `${n}`), "");
  expect(readHostDevices(directory, 4)).toEqual([]);
  expect(() => readHostDevices(directory, 3)).toThrow("holds more than 3 files");
  rmSync(directory, { recursive: true });
});
