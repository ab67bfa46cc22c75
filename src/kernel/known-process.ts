import { Fault, isFault } from "#base";
import { addon } from "./addon.ts";
import { check } from "./errno.ts";
import type { Fd } from "./fd.ts";
import { pidfdOpen, pidfdSendSignal, startTime } from "./processes.ts";
import { dropReports, newReport } from "./reports.ts";

const EPOLLIN = 0x001;

/** A process that is no child of this one, watched until it ends; it does not keep this one alive. */
export class KnownProcess implements Disposable {
  /** Settles when the process has ended; never after disposal. */
  readonly ended: Promise<void>;
  readonly #pidfd: Fd;
  readonly #report: number;

  constructor(pidfd: Fd) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#pidfd = pidfd;
    this.#report = newReport(() => {
      this[Symbol.dispose]();
      resolve();
    });
    check(addon().watch(pidfd.number, this.#report, EPOLLIN), {
      call: "epoll_ctl",
      verb: "watch a process",
    });
  }

  /** Sends a signal; nothing happens when the process has ended. */
  kill(signal: number): void {
    if (!this.#pidfd.isOpen) return;
    try {
      pidfdSendSignal(this.#pidfd, signal);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#pidfd.isOpen) return;
    dropReports(this.#report);
    addon().unwatch(this.#pidfd.number);
    this.#pidfd.close();
  }
}

/** A handle on the process that has this pid and start time; `not_found` when it is gone, whoever has its pid now. */
export function openProcess(pid: number, start: bigint): Fd {
  const pidfd = pidfdOpen(pid);
  if (startTime(pid) === start) return pidfd;
  pidfd.close();
  throw new Fault("not_found", `process ${pid} has ended`, { about: String(pid) });
}
