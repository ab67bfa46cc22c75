import { expect, test } from "bun:test";
import { makeUpName, parseName } from "./name.ts";

test.each(["ab", "/web-1", "a.b_c-d", "0x", "n".repeat(300)])("%p is a name", (name) => {
  expect(parseName(name)).toBe(name.replace("/", ""));
});

test.each(["", "a", "-ab", "a b", "a/b", "ü1", "//ab"])("%p is none", (name) => {
  expect(() => parseName(name)).toThrow(`Invalid container name (${name})`);
});

test("made-up names are names", () => {
  for (let i = 0; i < 100; i++) {
    const name = makeUpName(() => false);
    expect(parseName(name)).toBe(name);
  }
});

test("where all pairs are taken a number is added", () => {
  expect(makeUpName((name) => !/\d$/.test(name))).toMatch(/^[a-z]+_[a-z]+\d+$/);
});
