import { expect, test } from "bun:test";
import { goFileMode, goModes, hasGoMode } from "./path-stat.ts";

test.each([
  ["a directory", 0o040755, 2147484141],
  ["a symbolic link", 0o120777, 134218239],
  ["a file", 0o100644, 420],
  ["a setuid program", 0o104755, 8389101],
  ["a sticky directory", 0o041777, 2148532735],
  ["a character device", 0o020666, 69206454],
])("%s has the mode that dockerd sends", (_kind, mode, sent) => {
  expect(goFileMode(mode)).toBe(sent);
});

test("bits of a mode are told apart, the highest too", () => {
  const mode = goFileMode(0o041777);
  expect(hasGoMode(mode, goModes.directory)).toBe(true);
  expect(hasGoMode(mode, goModes.sticky)).toBe(true);
  expect(hasGoMode(mode, goModes.symlink)).toBe(false);
});
