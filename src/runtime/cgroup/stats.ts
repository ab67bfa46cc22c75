/**
 * The usage of a container, in the units of Docker's stats. Numbers that the kernel does not give
 * are absent.
 */
export interface CgroupStats {
  readonly memory: {
    /** Bytes, page cache included. */
    readonly usage: number;
    /** Bytes; absent when unlimited. */
    readonly limit?: number;
    readonly maxUsage?: number;
    /** memory.stat as the kernel has it. */
    readonly stats: Readonly<Record<string, number>>;
  };
  readonly cpu: {
    /** Nanoseconds. */
    readonly total: number;
    readonly user: number;
    readonly system: number;
    readonly throttled: {
      readonly periods: number;
      readonly throttled: number;
      readonly time: number;
    };
  };
  readonly pids: { readonly current: number; readonly limit?: number };
}

/** Lines of "key value". */
export function parseKeyed(text: string | undefined): Record<string, number> {
  const values: Record<string, number> = {};
  for (const line of (text ?? "").split("\n")) {
    const [key, value] = line.split(" ");
    if (key && value) values[key] = Number(value);
  }
  return values;
}

/** Reads the file of a controller; undefined when it is missing. */
export type ReadFile = (controller: string, file: string) => string | undefined;

/** v1's word for no limit is the greatest multiple of a page. */
const unlimitedV1 = 0x7fff_ffff_ffff_0000;

function limitOf(text: string | undefined): { limit?: number } {
  if (text === undefined || text.trim() === "max") return {};
  const limit = Number(text);
  return limit >= unlimitedV1 ? {} : { limit };
}

/**
 * The usage from the files of the v1 controllers; `read` gives undefined for a file that is
 * missing.
 */
export function statsV1(read: ReadFile): CgroupStats {
  const throttling = parseKeyed(read("cpu", "cpu.stat"));
  // cpuacct.stat counts in USER_HZ, which is 100 on every Linux that Bun runs on.
  const split = parseKeyed(read("cpuacct", "cpuacct.stat"));
  const maxUsage = read("memory", "memory.max_usage_in_bytes");
  return {
    memory: {
      usage: Number(read("memory", "memory.usage_in_bytes") ?? 0),
      ...limitOf(read("memory", "memory.limit_in_bytes")),
      ...(maxUsage !== undefined && { maxUsage: Number(maxUsage) }),
      stats: parseKeyed(read("memory", "memory.stat")),
    },
    cpu: {
      total: Number(read("cpuacct", "cpuacct.usage") ?? 0),
      user: (split.user ?? 0) * 1e7,
      system: (split.system ?? 0) * 1e7,
      throttled: {
        periods: throttling.nr_periods ?? 0,
        throttled: throttling.nr_throttled ?? 0,
        time: throttling.throttled_time ?? 0,
      },
    },
    pids: {
      current: Number(read("pids", "pids.current") ?? 0),
      ...limitOf(read("pids", "pids.max")),
    },
  };
}

/** The usage from the files of one v2 cgroup. */
export function statsV2(read: ReadFile): CgroupStats {
  const cpu = parseKeyed(read("cpu", "cpu.stat"));
  const peak = read("memory", "memory.peak");
  return {
    memory: {
      usage: Number(read("memory", "memory.current") ?? 0),
      ...limitOf(read("memory", "memory.max")),
      ...(peak !== undefined && { maxUsage: Number(peak) }),
      stats: parseKeyed(read("memory", "memory.stat")),
    },
    cpu: {
      total: (cpu.usage_usec ?? 0) * 1000,
      user: (cpu.user_usec ?? 0) * 1000,
      system: (cpu.system_usec ?? 0) * 1000,
      throttled: {
        periods: cpu.nr_periods ?? 0,
        throttled: cpu.nr_throttled ?? 0,
        time: (cpu.throttled_usec ?? 0) * 1000,
      },
    },
    pids: {
      current: Number(read("pids", "pids.current") ?? 0),
      ...limitOf(read("pids", "pids.max")),
    },
  };
}
