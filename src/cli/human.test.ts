import { expect, test } from "bun:test";
import { ellipsis, humanDuration, humanSince, localTime } from "./human.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

// The thresholds of docker's go-units.
test.each([
  [999, "Less than a second"],
  [1000, "1 second"],
  [59_999, "59 seconds"],
  [minute, "About a minute"],
  [2 * minute, "2 minutes"],
  [hour - 1, "59 minutes"],
  [hour, "About an hour"],
  [1.6 * hour, "2 hours"],
  [47 * hour, "47 hours"],
  [2 * day, "2 days"],
  [13 * day, "13 days"],
  [14 * day, "2 weeks"],
  [59 * day, "8 weeks"],
  [60 * day, "2 months"],
  [729 * day, "24 months"],
  [730 * day, "2 years"],
])("%d ms", (milliseconds, want) => {
  expect(humanDuration(milliseconds)).toBe(want);
});

test("a time that stands for no time", () => {
  expect(humanSince(0)).toBe("N/A");
  expect(humanSince(1000, 61_000)).toBe("About a minute ago");
});

test("local time has its offset and zone", () => {
  expect(localTime(Date.UTC(2026, 0, 2, 3, 4, 5))).toMatch(
    /^2026-01-0\d \d\d:\d\d:05 [+-]\d{4} (UTC|[+-]\d{4})$/,
  );
});

test("ellipsis counts characters, not bytes or halves of them", () => {
  expect(ellipsis("short", 5)).toBe("short");
  expect(ellipsis("longer", 5)).toBe("long…");
  expect(ellipsis("😀😀😀😀", 3)).toBe("😀😀…");
});
