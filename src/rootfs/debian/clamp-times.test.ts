import { expect, test } from "bun:test";
import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/tree.ts";
import { clampTimes } from "./clamp-times.ts";

test("files keep earlier times, and directories have one time whatever was done in them last", () => {
  using directory = temporaryDirectory("clamp");
  const path = (name: string) => join(directory.path, name);
  mkdirSync(path("d"));
  for (const [name, seconds] of Object.entries({ "d/old": 1_000, "d/new": 9_000 })) {
    writeFileSync(path(name), "");
    utimesSync(path(name), seconds, seconds);
  }
  utimesSync(path("d"), 2_000, 2_000);
  expect(clampTimes(directory.path, 5_000)).toBe(3);
  const times = ["d/old", "d/new", "d", ""].map((name) => statSync(path(name)).mtimeMs / 1000);
  expect(times).toEqual([1_000, 5_000, 5_000, 5_000]);
});
