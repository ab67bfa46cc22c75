import { expect, test } from "bun:test";
import type { ContainerInspect } from "#wire";
import { type Condition, hasReached } from "./conditions.ts";

function reached(condition: Condition, state: object) {
  const State = { Status: "running", Running: true, Restarting: false, ExitCode: 0, ...state };
  const found = hasReached(condition, { Name: "/p-a-1", State } as unknown as ContainerInspect);
  return typeof found === "boolean" ? found : found.message;
}
const ended = (ExitCode: number) => ({ Status: "exited", Running: false, ExitCode });
const health = (Status: string) => ({ Health: { Status } });

test("healthy is a container whose probe says so, not one that merely runs", () => {
  expect(reached("service_healthy", health("starting"))).toBe(false);
  expect(reached("service_healthy", health("healthy"))).toBe(true);
  expect(reached("service_healthy", health("unhealthy"))).toBe("container p-a-1 is unhealthy");
  expect(reached("service_healthy", {})).toBe("container p-a-1 has no healthcheck configured");
  expect(reached("service_healthy", ended(1))).toBe("container p-a-1 exited (1)");
});

test("completed is a container that ended with 0", () => {
  const condition = "service_completed_successfully";
  expect(reached(condition, {})).toBe(false);
  expect(reached(condition, ended(0))).toBe(true);
  expect(reached(condition, ended(3))).toBe("didn't complete successfully: exit 3");
});

test("who waits for all takes a container that runs, or that ended well", () => {
  expect(reached("running_or_healthy", {})).toBe(true);
  expect(reached("running_or_healthy", { Restarting: true })).toBe(false);
  expect(reached("running_or_healthy", health("starting"))).toBe(false);
  expect(reached("running_or_healthy", ended(0))).toBe(true);
  expect(reached("running_or_healthy", ended(2))).toBe("container p-a-1 exited (2)");
});
