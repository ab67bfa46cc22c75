import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mayHave } from "./layer-path.ts";

const directory = mkdtempSync(join(tmpdir(), "tl-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const layers = ["upper", "lower"].map((name) => join(directory, name));
mkdirSync(join(directory, "lower/var/lib"), { recursive: true });
mkdirSync(join(directory, "upper/var/cache"), { recursive: true });
symlinkSync("/var", join(directory, "upper/link"));
writeFileSync(join(directory, "upper/file"), "");

test.each([
  ["/var/lib", true],
  ["/var/cache", true],
  ["/var/other", false],
  ["/data", false],
  ["/data/below", false],
  // What the link leads to is not looked at.
  ["/link/other", true],
  ["/file/below", true],
  ["/", true],
])("a stack of layers may have %s: %p", (path, expected) => {
  expect(mayHave(layers, path)).toBe(expected);
});
