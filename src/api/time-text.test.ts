import { expect, test } from "bun:test";
import type { Container, ContainerState } from "#engine";
import { statusText } from "./container-list.ts";
import { spanText, timeText } from "./time-text.ts";

const second = 1_000_000_000n;

test("times are written as Go writes them", () => {
  expect(timeText(0n)).toBe("0001-01-01T00:00:00Z");
  expect(timeText(1_700_000_000n * second)).toBe("2023-11-14T22:13:20Z");
  expect(timeText(1_700_000_000n * second + 120_000_000n)).toBe("2023-11-14T22:13:20.12Z");
  expect(timeText(1_700_000_000n * second + 1n)).toBe("2023-11-14T22:13:20.000000001Z");
});

test.each([
  [0, "Less than a second"],
  [1, "1 second"],
  [59, "59 seconds"],
  [60, "About a minute"],
  [120, "2 minutes"],
  [3599, "59 minutes"],
  [3600, "About an hour"],
  [5400, "2 hours"],
  [47 * 3600, "47 hours"],
  [48 * 3600, "2 days"],
  [14 * 86400, "2 weeks"],
  [60 * 86400, "2 months"],
  [731 * 86400, "2 years"],
])("a span of %d seconds is %s", (seconds, text) => {
  expect(spanText(BigInt(seconds) * second)).toBe(text);
});

test.each([
  [{ status: "created" }, "Created"],
  [{ status: "running", startedAt: second }, "Up About a minute"],
  [{ status: "paused", startedAt: second }, "Up About a minute (Paused)"],
  [{ status: "exited", exitCode: 3, finishedAt: 58n * second }, "Exited (3) 3 seconds ago"],
  [{ status: "removing" }, "Removal In Progress"],
  [{ status: "dead" }, "Dead"],
] as [Partial<ContainerState>, string][])("the status of %p is %s", (state, text) => {
  expect(
    statusText({ state: { finishedAt: 0n, startedAt: 0n, ...state } } as Container, 61n * second),
  ).toBe(text);
});
