import { faultOf } from "#base";
import { attach, connectMonitor, type ExitRecord, readExitRecord } from "#helper";
import { openProcess, pidfdSendSignal } from "#kernel";
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
  readonly controlSocket: string;
  /** Absent: none is written, for a process whose end nobody asks for later. */
  readonly exitRecord?: string;
  readonly reports: ProcessReports;
}

/** A process that a launcher of `helper` has made, and its monitor. */
export class NativeProcess implements TaskProcess {
  readonly id: string;
  readonly pid: number;
  readonly startTime: bigint;
  readonly exited: Promise<TaskExit>;
  readonly released: Promise<void>;
  readonly #reports: ProcessReports;
  /** Where its monitor listens. */
  protected readonly socket: string;
  #isLetGo = false;

  constructor(options: NativeProcessOptions) {
    const { id, pid, startTime, reports } = options;
    this.id = id;
    this.pid = pid;
    this.startTime = startTime;
    this.#reports = reports;
    this.socket = options.controlSocket;
    this.exited = reports.exited.catch((error) =>
      this.#isLetGo ? unsettled() : leftOf(options, error),
    );
    this.released = Promise.all([this.exited, reports.monitorExited]).then(() => undefined);
  }

  async attach(streams: AttachedStreams): Promise<TaskStreams> {
    return await attach(this.socket, streams);
  }

  async resize({ rows, columns }: { readonly rows: number; readonly columns: number }) {
    using monitor = await connectMonitor(this.socket);
    await monitor.resize(rows, columns);
  }

  async kill(signal: number): Promise<void> {
    using process = openProcess(this.pid, this.startTime);
    pidfdSendSignal(process, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isLetGo = true;
    await this.#reports[Symbol.asyncDispose]();
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
  const left = exitRecord && (await readExitRecord(exitRecord).catch(() => undefined));
  return (
    left || {
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
