import { expect, test } from "bun:test";
import { DetachFilter, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";

test("keys are letters and control keys", () => {
  expect([...parseDetachKeys(defaultDetachKeys)]).toEqual([16, 17]);
  expect([...parseDetachKeys("ctrl-@,a,ctrl-[,ctrl-_,DEL,\x01")]).toEqual([0, 97, 27, 31, 127, 1]);
  for (const bad of ["", "ctrl-", "ctrl-P", "del", "ab", "ctrl-p,", "é"])
    expect(() => parseDetachKeys(bad)).toThrow("invalid detach keys");
});

function feed(parts: readonly number[][]): { passed: number[]; detached: boolean } {
  const filter = new DetachFilter(Uint8Array.of(16, 17));
  const passed: number[] = [];
  for (const part of parts) {
    const { pass, detach } = filter.push(Uint8Array.from(part));
    passed.push(...pass);
    if (detach) return { passed, detached: true };
  }
  return { passed, detached: false };
}

test("the sequence detaches, also when it comes in parts", () => {
  expect(feed([[97, 16, 17, 98]])).toEqual({ passed: [97], detached: true });
  expect(feed([[97, 16], [17]])).toEqual({ passed: [97], detached: true });
});

test("keys that only begin the sequence go on with the next key", () => {
  expect(feed([[16], [97]])).toEqual({ passed: [16, 97], detached: false });
  expect(feed([[16, 16, 17]])).toEqual({ passed: [16], detached: true });
  expect(feed([[17, 16]])).toEqual({ passed: [17], detached: false });
});
