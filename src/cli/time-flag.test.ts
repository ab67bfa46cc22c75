import { expect, test } from "bun:test";
import { parseTimeFlag } from "./time-flag.ts";

const now = Date.UTC(2026, 0, 2, 0, 0, 10);

test.each([
  [undefined, undefined],
  ["", undefined],
  ["1136073600", "1136073600"],
  ["1136073600.000000001", "1136073600.000000001"],
  ["0", "0"],
  ["10s", "1767312000.000000000"],
  ["1m0.5s", "1767311949.500000000"],
  ["2026-01-02T00:00:00Z", "1767312000.000000000"],
  ["2026-01-02T00:00:00.123456789Z", "1767312000.123456789"],
  ["2026-01-02T01:00:00+01:00", "1767312000.000000000"],
  ["2026-01-02T01:00+01:00", "1767312000.000000000"],
  ["2026-01-02Z", "1767312000.000000000"],
])("%s", (text, want) => {
  expect(parseTimeFlag(text, now)).toBe(want as string);
});

test("a date without a zone is local", () => {
  const local = new Date(2026, 0, 2).getTime() / 1000;
  expect(parseTimeFlag("2026-01-02", now)).toBe(`${local}.000000000`);
});

test.each(["foo", "2026-13-02", "12:30", "1h-2m", "5 m"])("%s is not a time", (text) => {
  expect(() => parseTimeFlag(text, now)).toThrow("is not a time");
});
