import { expect, test } from "bun:test";
import { Patience, poll, retry } from "./backoff.ts";
import { Fault, isFault } from "./fault.ts";
import { outcome, rejection } from "./testing.ts";

const backoff = { attempts: 3, base: 1, max: 1 };
const failing = (errors: readonly unknown[]) => {
  let calls = 0;
  const work = async () => {
    if (calls < errors.length) throw errors[calls++];
    return ++calls;
  };
  return { work, calls: () => calls };
};
const isPassing = (error: unknown) => isFault(error, "unavailable");
const busy = new Fault("unavailable", "busy");

test("a passing failure is tried again, as often as is allowed", async () => {
  expect(await retry(failing([busy, busy]).work, { backoff, isPassing })).toBe(3);
  const never = failing([busy, busy, busy, busy]);
  expect(await rejection(retry(never.work, { backoff, isPassing }))).toBe(busy);
  expect(never.calls()).toBe(3);
});

test("any other failure is thrown at once, and a signal ends the tries", async () => {
  const wrong = failing([new Fault("invalid", "wrong")]);
  expect(await outcome(retry(wrong.work, { backoff, isPassing }))).toThrow("wrong");
  expect(wrong.calls()).toBe(1);
  const stop = new AbortController();
  stop.abort();
  const options = { backoff, isPassing, signal: stop.signal };
  expect(await rejection(retry(failing([busy]).work, options))).toMatchObject({ code: "canceled" });
});

test("a poll ends with the first yes, or with the last no", async () => {
  const answers = [false, false, true];
  expect(await poll(() => answers.shift() ?? false, backoff)).toBe(true);
  let asked = 0;
  expect(await poll(async () => ++asked > 3, backoff)).toBe(false);
  expect(asked).toBe(3);
});

test("patience ends with the failures it was for; progress renews it, grave ones end it sooner", async () => {
  const patience = new Patience(backoff);
  expect([patience.bears(), patience.bears(), patience.bears()]).toEqual([true, true, false]);
  patience.renew();
  expect([patience.bears(2), patience.bears()]).toEqual([true, false]);
  await patience.pause(0);
});
