import { expect, test } from "bun:test";
import { keysOf } from "./keys.ts";

test("bytes of a terminal are keys, and sequences that nobody knows are none", () => {
  const bytes = Buffer.from("\u001b[A\u001bOBx\t\r\u001b[5~\u0003\u001b[99;1~é\u001b");
  expect(keysOf(bytes)).toEqual([
    "up",
    "down",
    "x",
    "tab",
    "enter",
    "page-up",
    "ctrl-c",
    "é",
    "escape",
  ]);
});
