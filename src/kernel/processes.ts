import { readFileSync } from "node:fs";
import { addon } from "./addon.ts";
import { check } from "./errno.ts";
import { Fd } from "./fd.ts";

/**
 * A handle on a process (pidfd_open(2)) that stays right when the pid is used again. `not_found`
 * when the process has ended and been reaped.
 */
export function pidfdOpen(pid: number): Fd {
  return new Fd(
    check(addon().pidfdOpen(pid), {
      call: "pidfd_open",
      verb: "open the process",
      about: String(pid),
    }),
  );
}

/**
 * Sends a signal through a handle. Signal 0 sends nothing and only asks whether the process is
 * there; `not_found` when it has ended.
 */
export function pidfdSendSignal(pidfd: Fd, signal: number): void {
  check(addon().pidfdSendSignal(pidfd.number, signal), {
    call: "pidfd_send_signal",
    verb: `send signal ${signal} to a process`,
  });
}

/**
 * When a process started, in clock ticks since boot: field 22 of /proc/PID/stat (proc_pid_stat(5)).
 * Pid and start time together name a process for good. Undefined when the process is gone.
 */
export function startTime(pid: number): bigint | undefined {
  try {
    return parseStartTime(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return undefined;
  }
}

/** Whether the process of this pid and start time has ended, also where its parent has not looked at it yet. */
export function hasEnded(pid: number, start: bigint): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return parseStartTime(stat) !== start || /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return true;
  }
}

/** The command in parentheses may contain anything, also spaces and parentheses. */
export function parseStartTime(stat: string): bigint | undefined {
  const rest = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const field = rest[22 - 3];
  return field !== undefined && /^[0-9]+$/.test(field) ? BigInt(field) : undefined;
}
