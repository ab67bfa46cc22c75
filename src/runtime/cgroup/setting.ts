import { defined } from "#base";
import type { OciBlockIO, OciDeviceRule, OciResources, OciThrottle } from "../oci-resources.ts";
import { checkResources } from "./check-resources.ts";

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

const noSwapAccounting = "this kernel does not account swap: memory is limited, swap is not";
const noWeights = "this kernel has no block IO weights";

/** Absent values and an empty list of CPUs are not written. */
type Value = number | string | undefined;

class SettingList {
  readonly settings: Setting[] = [];

  put(controller: string, file: string, value: Value, orWarn?: string): void {
    if (value === undefined || value === "") return;
    this.settings.push({
      controller,
      file: `${controller}.${file}`,
      value: `${value}`,
      ...defined({ orWarn: orWarn || undefined }),
    });
  }
}

/** Docker's and OCI's clients send 0 for a limit that is not there. */
function unlessZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

/** The writes for cgroup v1, in order (admin-guide/cgroup-v1). */
export function settingsV1(resources: OciResources): Settings {
  checkResources(resources, 1);
  const { memory = {}, cpu = {}, pids, blockIO = {} } = resources;
  const list = new SettingList();
  list.put("memory", "limit_in_bytes", unlessZero(memory.limit));
  list.put("memory", "memsw.limit_in_bytes", unlessZero(memory.swap), noSwapAccounting);
  list.put("memory", "soft_limit_in_bytes", unlessZero(memory.reservation));
  list.put("memory", "swappiness", memory.swappiness);
  list.put("memory", "oom_control", memory.disableOOMKiller ? 1 : undefined);
  list.put("cpu", "shares", unlessZero(cpu.shares));
  list.put("cpu", "cfs_period_us", unlessZero(cpu.period));
  list.put("cpu", "cfs_quota_us", unlessZero(cpu.quota));
  list.put("cpu", "cfs_burst_us", cpu.burst);
  list.put("cpu", "rt_period_us", unlessZero(cpu.realtimePeriod));
  list.put("cpu", "rt_runtime_us", unlessZero(cpu.realtimeRuntime));
  list.put("cpu", "idle", cpu.idle);
  list.put("cpuset", "cpus", cpu.cpus);
  list.put("cpuset", "mems", cpu.mems);
  list.put("pids", "max", pids && (pids.limit > 0 ? pids.limit : "max"));
  list.put("blkio", "weight", unlessZero(blockIO.weight), noWeights);
  for (const { major, minor, weight } of blockIO.weightDevice ?? [])
    list.put("blkio", "weight_device", weight && `${major}:${minor} ${weight}`, noWeights);
  for (const [file, , throttles] of throttlesOf(blockIO))
    for (const { major, minor, rate } of throttles)
      list.put("blkio", `throttle.${file}`, `${major}:${minor} ${rate}`);
  for (const { pageSize, limit } of resources.hugepageLimits ?? [])
    list.put("hugetlb", `${pageSize}.limit_in_bytes`, limit);
  for (const rule of resources.devices ?? [])
    list.put("devices", rule.allow ? "allow" : "deny", deviceLine(rule));
  return { settings: list.settings, warnings: [] };
}

/** Names of a throttle: its file on v1, its key in io.max on v2. */
function throttlesOf(blockIO: OciBlockIO): [string, string, readonly OciThrottle[]][] {
  return [
    ["read_bps_device", "rbps", blockIO.throttleReadBpsDevice ?? []],
    ["write_bps_device", "wbps", blockIO.throttleWriteBpsDevice ?? []],
    ["read_iops_device", "riops", blockIO.throttleReadIOPSDevice ?? []],
    ["write_iops_device", "wiops", blockIO.throttleWriteIOPSDevice ?? []],
  ];
}

/** A line of devices.allow (admin-guide/cgroup-v1/devices): "c 1:3 rwm", "a" for everything. */
function deviceLine(rule: OciDeviceRule): string {
  const { type = "a", major = -1, minor = -1, access = "rwm" } = rule;
  if (type === "a") return "a";
  const number = (value: number) => (value < 0 ? "*" : `${value}`);
  return `${type} ${number(major)}:${number(minor)} ${access}`;
}

/** The writes for cgroup v2, in order (admin-guide/cgroup-v2). Devices are a program there, not a file. */
export function settingsV2(resources: OciResources): Settings {
  checkResources(resources, 2);
  const { memory = {}, cpu = {}, pids, blockIO = {} } = resources;
  const list = new SettingList();
  list.put("memory", "max", limitOrMax(memory.limit));
  list.put("memory", "swap.max", swapAlone(memory), noSwapAccounting);
  list.put("memory", "low", unlessZero(memory.reservation));
  list.put("cpu", "weight", cpu.shares ? cpuWeight(cpu.shares) : undefined);
  if (cpu.quota || cpu.period) list.put("cpu", "max", cpuMax(cpu.quota, cpu.period));
  list.put("cpu", "max.burst", cpu.burst);
  list.put("cpu", "idle", cpu.idle);
  list.put("cpuset", "cpus", cpu.cpus);
  list.put("cpuset", "mems", cpu.mems);
  list.put("pids", "max", pids && (pids.limit > 0 ? pids.limit : "max"));
  list.put("io", "weight", blockIO.weight ? ioWeight(blockIO.weight) : undefined, noWeights);
  for (const { major, minor, weight } of blockIO.weightDevice ?? [])
    list.put("io", "weight", weight && `${major}:${minor} ${ioWeight(weight)}`, noWeights);
  for (const [, key, throttles] of throttlesOf(blockIO))
    for (const { major, minor, rate } of throttles)
      list.put("io", "max", `${major}:${minor} ${key}=${rate > 0 ? rate : "max"}`);
  for (const { pageSize, limit } of resources.hugepageLimits ?? [])
    list.put("hugetlb", `${pageSize}.max`, limit);
  for (const [name, value] of Object.entries(resources.unified ?? {})) {
    const [controller = "", ...file] = name.split(".");
    list.put(controller, file.join("."), value);
  }
  const warnings: string[] = [];
  if (memory.disableOOMKiller)
    warnings.push("cgroup v2 cannot switch the OOM killer off; the wish is passed over");
  if (memory.swappiness !== undefined)
    warnings.push("cgroup v2 has no swappiness; the wish is passed over");
  return { settings: list.settings, warnings };
}

function limitOrMax(limit: number | undefined): Value {
  return limit && limit < 0 ? "max" : unlessZero(limit);
}

/** OCI counts memory and swap together, cgroup v2 swap alone. */
function swapAlone({ limit = 0, swap }: { limit?: number; swap?: number }): Value {
  return swap && swap > 0 ? swap - limit : limitOrMax(swap);
}

/** cpu.max: quota, or "max", and period; a part that is left out must be written again to stay. */
function cpuMax(quota: number | undefined, period: number | undefined): string {
  return `${quota && quota > 0 ? quota : "max"} ${period || 100_000}`;
}

/** Both scales' ends onto each other: 10..1000 to 1..10000. */
function ioWeight(weight: number): number {
  return 1 + Math.trunc(((weight - 10) * 9999) / 990);
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
