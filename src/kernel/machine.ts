import { readFileSync } from "node:fs";
import { release } from "node:os";

/** linux/capability.h, by number. */
const capabilityNames = [
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "LINUX_IMMUTABLE",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_ADMIN",
  "NET_RAW",
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_MODULE",
  "SYS_RAWIO",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_PACCT",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_NICE",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "MKNOD",
  "LEASE",
  "AUDIT_WRITE",
  "AUDIT_CONTROL",
  "SETFCAP",
  "MAC_OVERRIDE",
  "MAC_ADMIN",
  "SYSLOG",
  "WAKE_ALARM",
  "BLOCK_SUSPEND",
  "AUDIT_READ",
  "PERFMON",
  "BPF",
  "CHECKPOINT_RESTORE",
] as const;

/** The sets of a process; bit n is capability n (capabilities(7)). */
export interface Capabilities {
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly bounding: bigint;
}

/** The sets of /proc/PID/status (proc_pid_status(5)); a line that is missing is an empty set. */
export function parseCapabilities(status: string): Capabilities {
  const mask = (key: string) =>
    BigInt(`0x${new RegExp(`^${key}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1] ?? "0"}`);
  return { effective: mask("CapEff"), permitted: mask("CapPrm"), bounding: mask("CapBnd") };
}

/** The capabilities of this process. Code asks for these, never whether its uid is 0. */
export function capabilities(): Capabilities {
  return parseCapabilities(readFileSync("/proc/self/status", "utf8"));
}

/** The number of "SYS_ADMIN" or "CAP_SYS_ADMIN", in any case; undefined for an unknown name. */
export function capabilityNumber(name: string): number | undefined {
  const index = (capabilityNames as readonly string[]).indexOf(
    name.toUpperCase().replace(/^CAP_/, ""),
  );
  return index < 0 ? undefined : index;
}

/** "CAP_SYS_ADMIN"; a number without a name gives "CAP_63". */
export function capabilityName(number: number): string {
  return `CAP_${capabilityNames[number] ?? number}`;
}

/** Whether the effective set of this process has the capability ("SYS_ADMIN" or "CAP_SYS_ADMIN"). */
export function hasCapability(name: string): boolean {
  const number = capabilityNumber(name);
  return number !== undefined && ((capabilities().effective >> BigInt(number)) & 1n) === 1n;
}

/** The highest capability this kernel knows. */
export function lastCapability(): number {
  return Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
}

/** A kernel's version, as numbers and in full. */
export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
  /** As uname(2) has it. */
  readonly release: string;
}

/**
 * The version at the beginning of a release ("6.1.0-13-amd64"), by default of the running
 * kernel; 0.0 for another form.
 */
export function kernelVersion(text = release()): KernelVersion {
  const match = /^(\d+)\.(\d+)/.exec(text);
  return { major: Number(match?.[1] ?? 0), minor: Number(match?.[2] ?? 0), release: text };
}

/** Whether the running kernel is of this version or a later one. */
export function kernelAtLeast(major: number, minor: number): boolean {
  const here = kernelVersion();
  return here.major > major || (here.major === major && here.minor >= minor);
}
