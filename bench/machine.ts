import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

/** One line that says what the figures were taken on. */
export function describeMachine(): string {
  const cpu = cpus()[0]?.model ?? "unknown processor";
  const memory = Math.round(totalmem() / 2 ** 30);
  const os = /PRETTY_NAME="(.*)"/.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  return `${cpu}, ${cpus().length} cores, ${memory} GiB, ${os}, kernel ${release()}`;
}

/** Proportional set size of a process in KiB (proc_pid_smaps_rollup). */
export function proportionalSetSize(pid: number): number {
  return Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
}

/** Resident set size of a process in KiB. */
export function residentSetSize(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
