import { expect, test } from "bun:test";
import { progressBar } from "./progress-bar.ts";

test.each([
  [{}, ""],
  [{ current: 36_647 }, " 36.65kB"],
  [{ current: 101, total: 101 }, `[${"=".repeat(50)}>]     101B/101B`],
  [{ current: 33_280, total: 3_072_000 }, `[>${" ".repeat(50)}]  33.28kB/3.072MB`],
  [{ current: 2048, total: 3 }, `[${"=".repeat(50)}>]  2.048kB`],
])("%p is drawn as dockerd draws it", (detail, drawn) => {
  expect(progressBar(detail)).toBe(drawn);
});

test("where there is no room, the numbers alone", () => {
  expect(progressBar({ current: 5, total: 10 }, 80)).toBe("      5B/10B");
});
