import { expect, test } from "bun:test";
import { pauseAfter, startsAgain, startsWithEngine } from "./restart-policy.ts";

const ended = (policy: string, exitCode: number, change = {}) => ({
  host: { RestartPolicy: { Name: policy, MaximumRetryCount: 0 } },
  state: { exitCode, startedAt: 1n },
  restartCount: 0,
  endedUnhealthy: false,
  stoppedByUser: false,
  ...change,
});
const most = (MaximumRetryCount: number) => ({
  host: { RestartPolicy: { Name: "on-failure", MaximumRetryCount } },
});
const byUser = { stoppedByUser: true };

test.each([
  ["no policy", ended("", 1), false, false],
  ["no", ended("no", 1), false, false],
  ["always", ended("always", 0), true, true],
  ["always, stopped by its user", ended("always", 137, byUser), false, true],
  ["unless-stopped", ended("unless-stopped", 0), true, true],
  ["unless-stopped, stopped by its user", ended("unless-stopped", 0, byUser), false, false],
  ["on-failure without one", ended("on-failure", 0), false, false],
  ["on-failure", ended("on-failure", 3), true, true],
  ["on-failure, stopped by its user", ended("on-failure", 137, byUser), false, false],
  ["on-failure for the last time", ended("", 3, { ...most(2), restartCount: 1 }), true, true],
  ["on-failure once too often", ended("", 3, { ...most(2), restartCount: 2 }), false, false],
  ["unhealthy that fails", ended("unhealthy", 1), true, true],
  ["unhealthy that succeeds", ended("unhealthy", 0), false, false],
  ["ended as unhealthy", ended("unhealthy", 0, { endedUnhealthy: true }), true, true],
  [
    "ended as unhealthy, then stopped by its user",
    ended("unhealthy", 0, { endedUnhealthy: true, ...byUser }),
    false,
    false,
  ],
] as const)("%s", (_, record, again, withEngine) => {
  expect([startsAgain(record), startsWithEngine(record)]).toEqual([again, withEngine]);
});

test("what never ran does not start with the engine", () => {
  expect(startsWithEngine(ended("always", 0, { state: { exitCode: 0, startedAt: 0n } }))).toBe(
    false,
  );
});

test("pauses double up to a minute, and begin anew after a run of ten seconds", () => {
  const pauses: number[] = [];
  let last: number | undefined;
  for (let run = 0; run < 12; run++) {
    last = pauseAfter(last, 50);
    pauses.push(last);
  }
  expect(pauses).toEqual([
    100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000,
  ]);
  expect(pauseAfter(60_000, 10_000)).toBe(100);
});
