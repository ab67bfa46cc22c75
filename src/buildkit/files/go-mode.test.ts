import { expect, test } from "bun:test";
import { modeFromGo, modeToGo } from "./go-mode.ts";

/** As Go 1.24 has them: stat(2)'s mode, then os.FileMode. */
const pairs = [
  ["a file", 0o100644, 0o644],
  ["a setuid file", 0o104755, 0x800000 + 0o755],
  ["a setgid directory", 0o042750, 0x80000000 + 0x400000 + 0o750],
  ["a sticky directory", 0o041777, 0x80000000 + 0x100000 + 0o777],
  ["a link", 0o120777, 0x8000000 + 0o777],
  ["a FIFO", 0o010600, 0x2000000 + 0o600],
  ["a socket", 0o140755, 0x1000000 + 0o755],
  ["a block device", 0o060660, 0x4000000 + 0o660],
  ["a character device", 0o020620, 0x4200000 + 0o620],
] as const;

for (const [what, mode, go] of pairs)
  test(`${what} has the same mode in both forms`, () => {
    expect(modeFromGo(go)).toBe(mode);
    expect(modeToGo(mode)).toBe(go);
  });

test("modes of no type of Linux are known as such", () => {
  expect(modeFromGo(0x80000)).toBeUndefined();
  expect(modeFromGo(0x88000000)).toBeUndefined();
});
