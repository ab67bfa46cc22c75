import { Fault } from "#base";
import type { OciCpu, OciDeviceRule, OciMemory, OciResources } from "../oci-resources.ts";

/** Docker's least memory for a container. */
const leastMemory = 6 * 1024 * 1024;

/**
 * Faults for limits that no cgroup would take (`invalid`) and for those that are not
 * set here (`unsupported`); the message names the field.
 */
export function checkResources(resources: OciResources, version: 1 | 2): void {
  checkMemory(resources.memory ?? {});
  checkCpu(resources.cpu ?? {});
  checkUnified(resources.unified ?? {}, version);
  for (const [index, rule] of (resources.devices ?? []).entries()) checkDevice(rule, index);
  for (const { pageSize } of resources.hugepageLimits ?? []) {
    if (!/^\d+[KMG]B$/.test(pageSize))
      throw bad("hugepageLimits", `"${pageSize}" is not a page size such as 2MB`);
  }
  const { leafWeight, weightDevice = [] } = resources.blockIO ?? {};
  if (leafWeight !== undefined || weightDevice.some((each) => each.leafWeight !== undefined))
    throw missing("blockIO.leafWeight", "kernels since Linux 5.0 have no leaf weights");
  if (version === 2 && (resources.cpu?.realtimeRuntime ?? resources.cpu?.realtimePeriod))
    throw missing("cpu.realtimeRuntime", "cgroup v2 has no limit on realtime scheduling");
  if (resources.network)
    throw missing("network", "classes and priorities of network traffic are not set by thimble");
  if (resources.rdma) throw missing("rdma", "RDMA is not limited by thimble");
}

function checkMemory(memory: OciMemory): void {
  const { limit = 0, swap = 0, swappiness = 0 } = memory;
  if (limit > 0 && limit < leastMemory)
    throw bad("memory.limit", `${limit} bytes is below the minimum of 6 MiB`);
  if (swap > 0 && limit <= 0)
    throw bad("memory.swap", "limits memory and swap together, so memory.limit must be given too");
  if (swap > 0 && swap < limit)
    throw bad("memory.swap", `${swap} is less than memory.limit (${limit}), which it includes`);
  if (swappiness < 0 || swappiness > 100)
    throw bad("memory.swappiness", `${swappiness} is not between 0 and 100`);
  if (memory.kernel || memory.kernelTCP)
    throw missing("memory.kernel", "kernels since Linux 5.4 do not limit their own memory apart");
  if (memory.useHierarchy === false)
    throw missing("memory.useHierarchy", "memory is always accounted with that of child cgroups");
}

function checkCpu(cpu: OciCpu): void {
  const { quota = 0, period = 0, shares = 0, idle = 0 } = cpu;
  if (period !== 0 && (period < 1000 || period > 1_000_000))
    throw bad("cpu.period", `${period} is not between 1000 and 1000000 microseconds`);
  if (quota > 0 && quota < 1000)
    throw bad("cpu.quota", `${quota} is below the minimum of 1000 microseconds`);
  if (shares < 0) throw bad("cpu.shares", `${shares} is negative`);
  if (idle !== 0 && idle !== 1) throw bad("cpu.idle", `${idle} is neither 0 nor 1`);
  for (const field of ["cpus", "mems"] as const) {
    const list = cpu[field];
    if (list && !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list))
      throw bad(`cpu.${field}`, `"${list}" is not a list such as 0-3,7`);
  }
}

/** The files that move processes and thread groups are not limits. */
function checkUnified(unified: Readonly<Record<string, string>>, version: 1 | 2): void {
  for (const file of Object.keys(unified)) {
    if (version === 1)
      throw missing("unified", `${file} is a file of cgroup v2, and this machine has v1`);
    if (!/^[a-z]+(\.[A-Za-z0-9_]+)+$/.test(file) || file.startsWith("cgroup."))
      throw bad("unified", `"${file}" is not a limit of a controller`);
  }
}

function checkDevice({ type = "a", major, minor, access }: OciDeviceRule, index: number): void {
  if (type !== "a" && type !== "b" && type !== "c")
    throw bad(`devices[${index}].type`, `"${type}" is not one of a, b and c`);
  if (type === "a" && ((major ?? -1) >= 0 || (minor ?? -1) >= 0))
    throw bad(`devices[${index}]`, "a rule for all devices cannot name a number");
  if (access !== undefined && !/^[rwm]{1,3}$/.test(access))
    throw bad(`devices[${index}].access`, `"${access}" is not made of the letters r, w and m`);
}

function bad(field: string, why: string): Fault {
  return new Fault("invalid", `resources.${field}: ${why}`, { about: field });
}

function missing(field: string, why: string): Fault {
  return new Fault("unsupported", `resources.${field}: ${why}; leave it out`, { about: field });
}
