import { Fault } from "#base";
import type { ResourceLimit } from "#helper";
import { hasCapability } from "./capability.ts";
import type { Machine } from "./machine.ts";
import type { OciRlimit } from "./oci-spec.ts";

/** RLIM_INFINITY of the kernel. */
export const unlimited = 0xffff_ffff_ffff_ffffn;

/** RLIMIT_* numbers of asm-generic/resource.h with their names in /proc/PID/limits. */
const table: readonly (readonly [name: string, procName: string])[] = [
  ["RLIMIT_CPU", "cpu time"],
  ["RLIMIT_FSIZE", "file size"],
  ["RLIMIT_DATA", "data size"],
  ["RLIMIT_STACK", "stack size"],
  ["RLIMIT_CORE", "core file size"],
  ["RLIMIT_RSS", "resident set"],
  ["RLIMIT_NPROC", "processes"],
  ["RLIMIT_NOFILE", "open files"],
  ["RLIMIT_MEMLOCK", "locked memory"],
  ["RLIMIT_AS", "address space"],
  ["RLIMIT_LOCKS", "file locks"],
  ["RLIMIT_SIGPENDING", "pending signals"],
  ["RLIMIT_MSGQUEUE", "msgqueue size"],
  ["RLIMIT_NICE", "nice priority"],
  ["RLIMIT_RTPRIO", "realtime priority"],
  ["RLIMIT_RTTIME", "realtime timeout"],
];

/** From the name in /proc/PID/limits to "RLIMIT_...". */
export const resourceLimitNames: ReadonlyMap<string, string> = new Map(
  table.map(([name, procName]) => [procName, name]),
);

/** "RLIMIT_NOFILE" for 7; undefined for a number the kernel does not have. */
export function resourceLimitName(resource: number): string | undefined {
  return table[resource]?.[0];
}

/** "nofile" or "RLIMIT_NOFILE" as "RLIMIT_NOFILE"; undefined for an unknown name. */
export function parseResourceLimit(name: string): string | undefined {
  const full = `RLIMIT_${name.toUpperCase().replace(/^RLIMIT_/, "")}`;
  return table.some(([known]) => known === full) ? full : undefined;
}

/**
 * Lowers one of the engine's own defaults to the machine's limit, where an explicit limit would be
 * a fault.
 */
export function clampLimit(limit: OciRlimit, machine: Machine): OciRlimit {
  const ceiling = ceilingOf(limit.type, machine);
  if (toKernel(limit.hard) <= ceiling) return limit;
  const hard = ceiling === unlimited ? -1 : Number(ceiling);
  return { ...limit, hard, soft: toKernel(limit.soft) <= ceiling ? limit.soft : hard };
}

/**
 * Limits as the plan has them. A fault names the field with an unknown type, a soft limit above the
 * hard one, or a limit that needs CAP_SYS_RESOURCE.
 */
export function compileLimits(
  limits: readonly OciRlimit[],
  machine: Machine,
): readonly ResourceLimit[] {
  const seen = new Set<string>();
  return limits.map((limit, index) => {
    const field = `process.rlimits[${index}]`;
    const resource = table.findIndex(([name]) => name === limit.type);
    if (resource < 0)
      throw new Fault("invalid", `${field}.type: there is no resource limit "${limit.type}"`);
    if (seen.has(limit.type))
      throw new Fault("invalid", `${field}.type: ${limit.type} is given twice`);
    seen.add(limit.type);
    const soft = toKernel(limit.soft);
    const hard = toKernel(limit.hard);
    if (soft > hard)
      throw new Fault(
        "invalid",
        `${field}: the soft limit of ${limit.type} (${limit.soft}) is above its hard limit (${limit.hard})`,
      );
    const ceiling = ceilingOf(limit.type, machine);
    if (hard > ceiling)
      throw new Fault(
        "denied",
        `${field}: cannot raise the hard limit of ${limit.type} to ${limit.hard < 0 ? "unlimited" : limit.hard}: it is ${ceiling} here and CAP_SYS_RESOURCE is not available; ask for at most ${ceiling}`,
      );
    return { resource, soft, hard };
  });
}

function ceilingOf(type: string, machine: Machine): bigint {
  if (hasCapability(machine.capabilities, "CAP_SYS_RESOURCE")) return unlimited;
  return machine.hardLimits?.[type] ?? unlimited;
}

function toKernel(value: number): bigint {
  if (value < 0 || value >= 2 ** 63) return unlimited;
  return BigInt(Math.trunc(value));
}
