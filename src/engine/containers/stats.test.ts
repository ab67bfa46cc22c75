import { expect, test } from "bun:test";
import { hostCpu } from "./stats.ts";

test("the time of all CPUs is that of Docker's seven kinds, in nanoseconds", () => {
  const stat = `cpu  10 1 5 100 2 0 3 4 0 0
cpu0 5 1 3 50 1 0 2 2 0 0
cpu1 5 0 2 50 1 0 1 2 0 0
intr 9 0
ctxt 7
`;
  expect(hostCpu(stat)).toEqual({ cpu: 121 * 1e7, cpus: 2 });
});
