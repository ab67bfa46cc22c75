import { readFileSync } from "node:fs";

/** Whether the kernel holds a process still (cgroup freezer, version 1 or 2). */
export function isFrozen(pid: number): boolean {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const pathOf = (controller: RegExp) => lines.find((line) => controller.test(line))?.split(":")[2];
  const v1 = pathOf(/^\d+:([^:]*,)?freezer[,:]/);
  if (v1 !== undefined)
    return readFileSync(`/sys/fs/cgroup/freezer${v1}/freezer.state`, "utf8").trim() === "FROZEN";
  const events = readFileSync(`/sys/fs/cgroup${pathOf(/^0::/)}/cgroup.events`, "utf8");
  return events.includes("frozen 1");
}
