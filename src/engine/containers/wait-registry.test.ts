import { expect, test } from "bun:test";
import { type ContainerId, newId } from "#base";
import { WaitRegistry } from "./wait-registry.ts";

test("each condition is told at its time, once, and of its own container", async () => {
  const waits = new WaitRegistry();
  const [id, other] = [newId<ContainerId>(), newId<ContainerId>()];
  const told: string[] = [];
  for (const condition of ["not-running", "next-exit", "removed"] as const) {
    void waits.add(id, condition).then(({ exitCode }) => told.push(`${condition} ${exitCode}`));
  }
  waits.exited(other, { exitCode: 9 });
  await Promise.resolve();
  expect(told).toEqual([]);
  waits.exited(id, { exitCode: 3 });
  await Promise.resolve();
  expect(told).toEqual(["not-running 3", "next-exit 3"]);
  waits.removed(id, { exitCode: 4 });
  waits.removed(id, { exitCode: 5 });
  await Promise.resolve();
  expect(told).toEqual(["not-running 3", "next-exit 3", "removed 4"]);
});
