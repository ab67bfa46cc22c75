import { expect, test } from "bun:test";
import { outcome } from "../base/testing.ts";
import { Closing } from "./closing.ts";

test("the promise that settles first counts", async () => {
  const closing = new Closing();
  expect(await closing.until(Promise.resolve(1))).toBe(1);
  expect(await outcome(closing.until(Promise.reject(new Error("no"))))).toThrow("no");
  const waiting = closing.until(Promise.withResolvers<number>().promise);
  closing.close();
  expect(await waiting).toBeUndefined();
  expect(await closing.until(Promise.resolve(1))).toBeUndefined();
});
