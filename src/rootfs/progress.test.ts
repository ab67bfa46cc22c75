import { expect, test } from "bun:test";
import { Meter, type Progress, throttled } from "./progress.ts";

test("changes of status and the end come through, steps between do not", () => {
  const seen: Progress[] = [];
  const report = throttled((progress) => seen.push(progress), 60_000);
  for (const current of [1, 2, 3]) report({ id: "a", status: "Downloading", current, total: 3 });
  report({ id: "a", status: "Unpacking" });
  report({ id: "b", status: "Unpacking" });
  report({ id: "a", status: "Unpacking" });
  expect(seen.map(({ id, status, current }) => `${id} ${status} ${current ?? ""}`.trim())).toEqual([
    "a Downloading 1",
    "a Downloading 3",
    "a Unpacking",
    "b Unpacking",
  ]);
});

test("a meter adds up, and takes back what was received in vain", () => {
  const seen: Progress[] = [];
  const meter = new Meter("download", "Downloading", (progress) => seen.push(progress));
  meter.expect(10);
  meter.expect(5);
  for (const bytes of [10, -10, 15]) meter.add(bytes);
  expect(seen.map(({ current, total }) => [current, total])).toEqual([
    [10, 15],
    [0, 15],
    [15, 15],
  ]);
});
