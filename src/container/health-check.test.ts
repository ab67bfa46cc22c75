import { expect, test } from "bun:test";
import {
  checkHealthCheck,
  healthCheckOf,
  mergeHealthCheck,
  probeOf,
  shownHealthCheck,
} from "./health-check.ts";

test("empty fields are no check, and inspect shows what is there", () => {
  expect(healthCheckOf({ Test: [], Interval: 0, Retries: null })).toBeUndefined();
  const check = healthCheckOf({ Test: ["CMD", "true"], Retries: 2 });
  expect(shownHealthCheck(check)).toEqual({ Test: ["CMD", "true"], Retries: 2 });
});

test("the image's check fills the gaps of the user's", () => {
  const image = { Test: ["CMD", "a"], Interval: 5e9, Retries: 9 };
  expect(shownHealthCheck(mergeHealthCheck(undefined, image))).toEqual(image);
  const own = healthCheckOf({ Interval: 1e9 });
  expect(shownHealthCheck(mergeHealthCheck(own, image))).toEqual({ ...image, Interval: 1e9 });
  const off = healthCheckOf({ Test: ["NONE"] });
  expect(probeOf(mergeHealthCheck(off, image))).toBeUndefined();
});

test("a probe has Docker's defaults, and its shell where it is a script", () => {
  expect(probeOf(healthCheckOf({ Test: ["CMD-SHELL", "a || b"] }))).toEqual({
    test: { kind: "program", argv: ["/bin/sh", "-c", "a || b"] },
    interval: 30_000,
    timeout: 30_000,
    startPeriod: 0,
    startInterval: 5_000,
    retries: 3,
  });
  const own = healthCheckOf({ Test: ["CMD-SHELL", "a"], Interval: 1.5e9, StartPeriod: 2e6 });
  expect(probeOf(own, ["/bin/ash", "-ec"])).toMatchObject({
    test: { kind: "program", argv: ["/bin/ash", "-ec", "a"] },
    interval: 1500,
    startPeriod: 2,
  });
  expect(probeOf(healthCheckOf({ Test: ["CMD", "x", "y"] }))?.test).toEqual({
    kind: "program",
    argv: ["x", "y"],
  });
  expect(probeOf(healthCheckOf({ Test: ["TCP", "80"] }))?.test).toEqual({ kind: "tcp", port: 80 });
});

test.each([[["CMD"]], [["NONE"]], [["RUN", "x"]], [[]]])("%j is no probe", (words) => {
  expect(probeOf(healthCheckOf({ Test: words, Retries: 1 }))).toBeUndefined();
});

test.each([
  [{ Interval: 1 }, "Interval in Healthcheck cannot be less than 1ms"],
  [{ StartInterval: -1 }, "StartInterval in Healthcheck cannot be less than 1ms"],
  [{ Test: ["TCP", "postgres"] }, '"postgres" is no port'],
  [{ Retries: -1 }, "Retries in Healthcheck cannot be negative"],
])("%j is refused", (sent, why) => {
  expect(() => checkHealthCheck(healthCheckOf(sent))).toThrow(why);
});
