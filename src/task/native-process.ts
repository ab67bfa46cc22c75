import { Fault, faultOf } from "#base";
import { attach, connectMonitor, type ExitRecord, type Launch, readExitRecord } from "#helper";
import { type Fd, pidfdOpen, pidfdSendSignal } from "#kernel";
import type { AttachedStreams, TaskExit, TaskProcess, TaskStreams } from "./task.ts";

/**
 * The source of news about a process's end: a launch of this engine process, or the monitor of an
 * earlier one.
 */
export interface ProcessReports extends AsyncDisposable {
  readonly exited: Promise<ExitRecord>;
  /** Never rejects. */
  readonly monitorExited: Promise<void>;
  onOom(notice: () => void): void;
}

export interface NativeProcessOptions {
  readonly id: string;
  readonly pid: number;
  readonly startTime: bigint;
  /** Becomes the process's to close. */
  readonly pidfd: Fd;
  readonly controlSocket: string;
  readonly exitRecord: string;
  readonly reports: ProcessReports;
  /** Absent: the program runs already. */
  readonly waiting?: {
    readonly launch: Launch;
    /** Takes back all that was made for it, the launch and the pidfd too. */
    readonly undo: AsyncDisposableStack;
  };
}

/** A process that a launcher of `helper` has made, and its monitor. */
export class NativeProcess implements TaskProcess {
  readonly id: string;
  readonly pid: number;
  readonly startTime: bigint;
  readonly exited: Promise<TaskExit>;
  readonly released: Promise<void>;
  readonly #reports: ProcessReports;
  readonly #pidfd: Fd;
  /** Where its monitor listens. */
  protected readonly socket: string;
  #waiting: NativeProcessOptions["waiting"];
  #isLetGo = false;

  constructor(options: NativeProcessOptions) {
    const { id, pid, startTime, pidfd, reports } = options;
    this.id = id;
    this.pid = pid;
    this.startTime = startTime;
    this.#reports = reports;
    this.#pidfd = pidfd;
    this.socket = options.controlSocket;
    this.#waiting = options.waiting;
    this.exited = reports.exited
      .catch((error) => (this.#isLetGo ? unsettled() : leftOf(options, error)))
      .finally(() => pidfd.close());
    this.released = Promise.all([this.exited, reports.monitorExited]).then(() => undefined);
  }

  async start(): Promise<void> {
    const { launch } = this.#waiting ?? {};
    if (!launch) throw new Fault("conflict", `process ${this.pid} is started already`);
    launch.go();
    try {
      await launch.started;
    } catch (error) {
      // Its mounts must be gone before the next try.
      await launch.monitorExited;
      throw error;
    }
    this.#waiting?.undo.move();
    this.#waiting = undefined;
  }

  async attach(streams: AttachedStreams): Promise<TaskStreams> {
    return await attach(this.socket, streams);
  }

  async resize({ rows, columns }: { readonly rows: number; readonly columns: number }) {
    using monitor = await connectMonitor(this.socket);
    await monitor.resize(rows, columns);
  }

  async kill(signal: number): Promise<void> {
    if (!this.#pidfd.isOpen) throw new Fault("not_found", `process ${this.pid} has ended`);
    pidfdSendSignal(this.#pidfd, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isLetGo = true;
    if (this.#waiting) await this.#waiting.undo.disposeAsync();
    else {
      this.#pidfd.close();
      await this.#reports[Symbol.asyncDispose]();
    }
  }
}

/** The pidfd of a launch that waits for its start. */
export async function openLaunched(launch: Launch): Promise<{
  readonly pid: number;
  readonly startTime: bigint;
  readonly pidfd: Fd;
}> {
  const { pid, startTime } = await launch.created;
  return { pid, startTime, pidfd: await unlessFailed(launch, () => pidfdOpen(pid)) };
}

/** Before the start: an error that follows from a failed launch is told as that failure. */
async function unlessFailed<T>(launch: Launch, attempt: () => T | Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    launch.abandon();
    const reason = await launch.started.then(() => undefined, faultOf);
    throw reason?.stage === undefined ? error : reason;
  }
}

/** A new promise each time, since one promise for all would keep all callers who ever waited. */
function unsettled(): Promise<never> {
  return new Promise(() => undefined);
}

/**
 * For a monitor that ended without a word: the record that it left, or else the process was killed
 * with it.
 */
async function leftOf(
  { id, exitRecord }: Pick<NativeProcessOptions, "id" | "exitRecord">,
  error: unknown,
): Promise<TaskExit> {
  const left = await readExitRecord(exitRecord).catch(() => undefined);
  return (
    left ?? {
      id,
      exitCode: 137,
      signal: 9,
      oomKilled: false,
      startedAt: 0n,
      finishedAt: 0n,
      error: { stage: "monitor", errno: 0, message: faultOf(error).message },
    }
  );
}
