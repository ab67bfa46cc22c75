import { expect, spyOn, test } from "bun:test";
import type { ContainerSummary } from "#wire";
import { containerRow } from "./ps.ts";

test("a row asks for the time zone, which is slow at first, only when its time is shown", () => {
  using zone = spyOn(Date.prototype, "getTimezoneOffset");
  const container = {
    ...{ Id: "0".repeat(64), Names: ["/web"], Image: "debian", ImageID: "", Command: "sh" },
    ...{ Created: 1_700_000_000, State: "running", Status: "Up 2 hours" },
  } as unknown as ContainerSummary;
  const row = containerRow(container, true);
  expect([row.ID, row.Names, row.RunningFor]).toEqual(["000000000000", "web", expect.any(String)]);
  expect(zone).not.toHaveBeenCalled();
  expect(row.CreatedAt).toMatch(/^2023-11-1\d \d\d:13:20 [+-]\d{4} /);
  expect(zone).toHaveBeenCalled();
});
