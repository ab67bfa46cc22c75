import { Fault } from "#base";
import type { DeviceRule, Resources } from "../resources.ts";

/** One write to one file of a cgroup. */
export interface Setting {
  /** v1: which hierarchy; on v2 which controller must be enabled. */
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** A file this kernel does not have is passed over with this warning in place of a fault. */
  readonly orWarn?: string;
}

export interface Settings {
  readonly settings: readonly Setting[];
  readonly warnings: readonly string[];
}

/** Docker's least memory for a container. */
const leastMemory = 6 * 1024 * 1024;
const noSwapAccounting = "this kernel does not account swap: memory is limited, swap is not";

/** Faults for what no cgroup would take; the message names the field. */
function checkResources(resources: Resources): void {
  const { memory = 0, memorySwap = 0, cpuQuota = 0, cpuPeriod = 0, cpuShares = 0 } = resources;
  if (memory !== 0 && memory < leastMemory)
    throw bad("memory", `${memory} bytes is below the minimum of 6 MiB`);
  if (memorySwap > 0 && memory === 0)
    throw bad("memorySwap", "limits memory and swap together, so memory must be given too");
  if (memorySwap > 0 && memorySwap < memory)
    throw bad("memorySwap", `${memorySwap} is less than memory (${memory}), which it includes`);
  if (cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000))
    throw bad("cpuPeriod", `${cpuPeriod} is not between 1000 and 1000000 microseconds`);
  if (cpuQuota > 0 && cpuQuota < 1000)
    throw bad("cpuQuota", `${cpuQuota} is below the minimum of 1000 microseconds`);
  if (cpuShares < 0) throw bad("cpuShares", `${cpuShares} is negative`);
  for (const field of ["cpusetCpus", "cpusetMems"] as const) {
    const list = resources[field];
    if (list && !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list))
      throw bad(field, `"${list}" is no list such as 0-3,7`);
  }
  const swappiness = resources.memorySwappiness ?? 0;
  if (swappiness < -1 || swappiness > 100)
    throw bad("memorySwappiness", `${swappiness} is not between 0 and 100`);
}

function bad(field: string, why: string): Fault {
  return new Fault("invalid", `resources.${field}: ${why}`, { about: field });
}

/** Memory and swap together: Docker gives a container with a memory limit as much swap again. -1: unlimited. */
function swapTotal(resources: Resources): number | undefined {
  const { memory = 0, memorySwap = 0 } = resources;
  if (memorySwap !== 0) return memorySwap;
  return memory > 0 ? memory * 2 : undefined;
}

/** The writes for cgroup v1, in order (admin-guide/cgroup-v1). */
export function settingsV1(resources: Resources): Settings {
  checkResources(resources);
  const settings: Setting[] = [];
  const put = (controller: string, file: string, value: number | string, orWarn?: string) =>
    settings.push({
      controller,
      file: `${controller}.${file}`,
      value: `${value}`,
      ...(orWarn && { orWarn }),
    });
  const { memory, cpuShares, cpuQuota, cpuPeriod, pidsLimit } = resources;
  if (memory) put("memory", "limit_in_bytes", memory);
  const total = swapTotal(resources);
  if (total !== undefined) put("memory", "memsw.limit_in_bytes", total, noSwapAccounting);
  if (resources.memoryReservation)
    put("memory", "soft_limit_in_bytes", resources.memoryReservation);
  const swappiness = resources.memorySwappiness;
  if (swappiness !== undefined && swappiness >= 0) put("memory", "swappiness", swappiness);
  if (resources.oomKillDisable) put("memory", "oom_control", 1);
  if (cpuShares) put("cpu", "shares", cpuShares);
  if (cpuPeriod) put("cpu", "cfs_period_us", cpuPeriod);
  if (cpuQuota) put("cpu", "cfs_quota_us", cpuQuota);
  if (resources.cpusetCpus) put("cpuset", "cpus", resources.cpusetCpus);
  if (resources.cpusetMems) put("cpuset", "mems", resources.cpusetMems);
  if (pidsLimit !== undefined) put("pids", "max", pidsLimit > 0 ? pidsLimit : "max");
  if (resources.blkioWeight)
    put("blkio", "weight", resources.blkioWeight, "this kernel has no block IO weights");
  for (const rule of resources.devices ?? [])
    put("devices", rule.allow ? "allow" : "deny", deviceLine(rule));
  return { settings, warnings: [] };
}

/** A line of devices.allow (admin-guide/cgroup-v1/devices): "c 1:3 rwm", "a" for everything. */
function deviceLine(rule: DeviceRule): string {
  if (rule.type === "a") return "a";
  const number = (value: number) => (value < 0 ? "*" : `${value}`);
  return `${rule.type} ${number(rule.major)}:${number(rule.minor)} ${rule.access}`;
}

/** The writes for cgroup v2, in order (admin-guide/cgroup-v2). Devices are a program there, not a file. */
export function settingsV2(resources: Resources): Settings {
  checkResources(resources);
  const settings: Setting[] = [];
  const put = (controller: string, file: string, value: number | string, orWarn?: string) =>
    settings.push({
      controller,
      file: `${controller}.${file}`,
      value: `${value}`,
      ...(orWarn && { orWarn }),
    });
  const { memory = 0, cpuShares, cpuQuota, cpuPeriod, pidsLimit } = resources;
  if (memory > 0) put("memory", "max", memory);
  const total = swapTotal(resources);
  if (total !== undefined)
    put("memory", "swap.max", total < 0 ? "max" : total - memory, noSwapAccounting);
  if (resources.memoryReservation) put("memory", "low", resources.memoryReservation);
  if (cpuShares) put("cpu", "weight", cpuWeight(cpuShares));
  if (cpuQuota || cpuPeriod) put("cpu", "max", cpuMax(cpuQuota, cpuPeriod));
  if (resources.cpusetCpus) put("cpuset", "cpus", resources.cpusetCpus);
  if (resources.cpusetMems) put("cpuset", "mems", resources.cpusetMems);
  if (pidsLimit !== undefined) put("pids", "max", pidsLimit > 0 ? pidsLimit : "max");
  if (resources.blkioWeight)
    put(
      "io",
      "weight",
      // Both scales' ends onto each other: 10..1000 to 1..10000.
      1 + Math.trunc(((resources.blkioWeight - 10) * 9999) / 990),
      "this kernel has no IO weights",
    );
  const warnings: string[] = [];
  if (resources.oomKillDisable)
    warnings.push("cgroup v2 cannot switch the OOM killer off; the wish is passed over");
  if ((resources.memorySwappiness ?? -1) >= 0)
    warnings.push("cgroup v2 has no swappiness; the wish is passed over");
  return { settings, warnings };
}

/** cpu.max: quota, or "max", and period; the kernel keeps what is left out only by being told again. */
function cpuMax(quota: number | undefined, period: number | undefined): string {
  return `${quota && quota > 0 ? quota : "max"} ${period || 100_000}`;
}

/**
 * cpu.shares of v1 as cpu.weight of v2: runc's curve, a quadratic in log2 through
 * the least, the usual (1024 is 100) and the greatest value of both scales.
 */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}
