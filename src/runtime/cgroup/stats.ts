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
    /** Nanoseconds on each CPU of the machine; version 1 alone. */
    readonly perCpu?: readonly number[];
    readonly user: number;
    readonly system: number;
    readonly throttled: {
      readonly periods: number;
      readonly throttled: number;
      readonly time: number;
    };
  };
  readonly pids: { readonly current: number; readonly limit?: number };
  /** What was read from and written to block devices. */
  readonly io: {
    readonly bytes: readonly IoCount[];
    /** Version 1 alone. */
    readonly operations?: readonly IoCount[];
  };
}

/** The count of one kind of operation on one device. */
interface IoCount {
  readonly major: number;
  readonly minor: number;
  /** "read" and "write"; version 1 has the kernel's others too, as "sync", "async", "discard", "total". */
  readonly op: string;
  readonly value: number;
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
  const perCpu = read("cpuacct", "cpuacct.usage_percpu");
  const io = (file: string) => ioCountsV1(read("blkio", `blkio.throttle.${file}_recursive`));
  return {
    memory: {
      usage: Number(read("memory", "memory.usage_in_bytes") ?? 0),
      ...limitOf(read("memory", "memory.limit_in_bytes")),
      ...(maxUsage !== undefined && { maxUsage: Number(maxUsage) }),
      stats: parseKeyed(read("memory", "memory.stat")),
    },
    cpu: {
      total: Number(read("cpuacct", "cpuacct.usage") ?? 0),
      ...(perCpu !== undefined && { perCpu: perCpu.trim().split(" ").map(Number) }),
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
    io: { bytes: io("io_service_bytes"), operations: io("io_serviced") },
  };
}

/** Lines of "8:0 Read 4096"; the last one is a sum over all devices and has no number. */
function ioCountsV1(text: string | undefined): readonly IoCount[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (!match) return [];
    const [major, minor, value] = [match[1], match[2], match[4]].map(Number) as [
      number,
      number,
      number,
    ];
    return [{ major, minor, op: (match[3] ?? "").toLowerCase(), value }];
  });
}

/** Lines of "8:0 rbytes=4096 wbytes=0 rios=1 ...". */
function ioCountsV2(text: string | undefined): readonly IoCount[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+) .*?rbytes=(\d+) wbytes=(\d+)/.exec(line);
    if (!match) return [];
    const device = { major: Number(match[1]), minor: Number(match[2]) };
    return [
      { ...device, op: "read", value: Number(match[3]) },
      { ...device, op: "write", value: Number(match[4]) },
    ];
  });
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
    io: { bytes: ioCountsV2(read("io", "io.stat")) },
  };
}
