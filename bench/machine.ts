import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

/** One line about the machine on which the figures were taken. */
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

/** The memory of a process, in KiB. */
export interface Weight {
  readonly resident: number;
  /** Each shared page divided among those who have it. */
  readonly proportional: number;
  /** The part of `proportional` that is its own data: no page of a file, so none of the program. */
  readonly anonymous: number;
}

/** The highest of each while the work goes on, looked at every 20 milliseconds. */
export async function heaviestWhile(pid: number, work: () => Promise<void>): Promise<Weight> {
  let resident = 0;
  let proportional = 0;
  let anonymous = 0;
  // Since the kernel keeps the peak of the resident set itself, that one is exact (proc_pid_clear_refs).
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const look = () => {
    const now = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    proportional = Math.max(proportional, field(now, "Pss"));
    anonymous = Math.max(anonymous, field(now, "Pss_Anon"));
  };
  const timer = setInterval(look, 20);
  try {
    await work();
    look();
    resident = field(readFileSync(`/proc/${pid}/status`, "utf8"), "VmHWM");
  } finally {
    clearInterval(timer);
  }
  return { resident, proportional, anonymous };
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]);
}

export function showWeight({ resident, proportional, anonymous }: Weight): string {
  const mb = (kib: number) => (kib / 1024).toFixed(1);
  return `RSS ${mb(resident)} MB, PSS ${mb(proportional)} MB, of it anonymous ${mb(anonymous)} MB`;
}

/** Resident set size of a process in KiB. */
export function residentSetSize(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
