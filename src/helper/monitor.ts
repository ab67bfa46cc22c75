import type { Socket } from "node:net";
import { Fault } from "#base";
import { answerOf, connectSocket } from "./control-socket.ts";
import { type ExitRecord, readExitFrame } from "./exit-record.ts";
import { encodeFrame, type Frame, FrameReader, PayloadReader } from "./frame.ts";
import { states, frame as type } from "./tags.ts";

/**
 * The answer to STATUS; version, id, pid and start time tell an engine whether this is the run it
 * knows.
 */
export interface MonitorStatus {
  /** The version of the protocol that the monitor speaks. */
  readonly version: number;
  /** The plan's id. */
  readonly id: string;
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: bigint;
  readonly monitorPid: number;
  readonly state: (typeof states)[number];
  /** Log lines that were lost because the disk refused them. */
  readonly droppedLines: bigint;
}

/** Receives what happens to the process, on the connection of `watch`. */
export interface MonitorWatch {
  readonly onOom: () => void;
  readonly onExit: (exit: ExitRecord) => void;
}

type Pending = PromiseWithResolvers<Frame>;

/**
 * A connection to a running monitor. Commands are answered in order; after `watch` events come in
 * between. Every command is `unavailable` once the monitor has ended.
 */
export class Monitor implements Disposable {
  /** Settles when the connection is over, whichever end closed it. Never rejects. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #path: string;
  readonly #reader = new FrameReader();
  readonly #pending: Pending[] = [];
  #watch: MonitorWatch | undefined;
  #id = "";

  constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    // "close" tells the error to every caller who waits for an answer.
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      for (const pending of this.#pending.splice(0)) pending.reject(this.#gone());
      resolve();
    });
  }

  /** Asks for the state now. `internal` for a state that this version does not know. */
  async status(): Promise<MonitorStatus> {
    const frame = await this.#ask(type.STATUS);
    const payload = new PayloadReader(frame);
    const version = payload.u32();
    const pid = payload.u32();
    const startTime = payload.u64();
    const monitorPid = payload.u32();
    const state = states[payload.u32()];
    if (!state)
      throw new Fault("internal", "the monitor is in a state that this program does not know");
    const droppedLines = payload.u64();
    const id = payload.text();
    this.#id = id;
    return { version, id, pid, startTime, monitorPid, state, droppedLines };
  }

  /**
   * GO for a launch that awaits it; resolves once the program runs. `conflict` when it runs
   * already; else the fault of the launch, with its `stage`.
   */
  async start(): Promise<void> {
    await this.#ask(type.START);
  }

  /** Sets the size of the terminal in characters. `invalid` when the process has no terminal. */
  async resize(rows: number, columns: number): Promise<void> {
    await this.#ask(type.RESIZE, rows, columns);
  }

  /**
   * Signals the first process, through a pidfd: never another one that got the same pid.
   * `not_found` when it has ended.
   */
  async signal(number: number): Promise<void> {
    await this.#ask(type.SIGNAL, number);
  }

  /** Ends the process's standard input for good, whoever else is attached. */
  async closeStdin(): Promise<void> {
    await this.#ask(type.CLOSE_STDIN);
  }

  /** Opens the log by its path again, for a caller that has moved the file away. */
  async reopenLog(): Promise<void> {
    await this.#ask(type.REOPEN_LOG);
  }

  /**
   * Settles once the log was rotated since the last call, the first one at once. Until then the
   * connection takes no other command. `unavailable` when the monitor has ended.
   */
  async rotated(): Promise<void> {
    await this.#ask(type.AWAIT_ROTATION);
  }

  /** From now on until this connection is closed the log is not rotated, unless it grows by more than 16 MiB. */
  async holdRotation(): Promise<void> {
    await this.#ask(type.HOLD_ROTATION);
  }

  /**
   * Bytes of one file of the log (0n: any number) and files from now on; those beyond are removed.
   * `not_found` without a log, `invalid` for the monitor of an older version.
   */
  async limitLog(maxSize: bigint, maxFiles: number): Promise<void> {
    await this.#ask(type.LIMIT_LOG, maxSize, maxFiles);
  }

  /** Puts `path.gz` of the log in the place of the rotated file of that inode; `not_found` when that is gone. */
  async putCompressedLog(inode: bigint): Promise<void> {
    await this.#ask(type.COMPRESSED, inode);
  }

  /**
   * Events from now on, and a lack of memory that came earlier; an exit that came earlier is in the
   * exit record alone. Once per connection (`conflict`); `closed` tells that the monitor is gone.
   */
  watch(watch: MonitorWatch): void {
    if (this.#watch) throw new Fault("conflict", "this connection watches already");
    this.#watch = watch;
    // A monitor that is gone shows by `closed`.
    this.status()
      .then(() => this.#ask(type.WATCH))
      .catch(() => this.close());
  }

  /** Ends this connection; the monitor goes on. */
  close(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ask(command: number, ...values: (number | bigint)[]): Promise<Frame> {
    if (this.#socket.destroyed) return Promise.reject(this.#gone());
    const pending = Promise.withResolvers<Frame>();
    this.#pending.push(pending);
    this.#socket.write(encodeFrame(command, ...values));
    return pending.promise;
  }

  #gone(): Fault {
    return new Fault("unavailable", `the monitor at ${this.#path} has ended`, {
      about: this.#path,
    });
  }

  #receive(bytes: Buffer): void {
    try {
      for (const frame of this.#reader.push(bytes)) this.#take(frame);
    } catch {
      this.close();
    }
  }

  #take(frame: Frame): void {
    if (frame.type === type.OOM) {
      this.#watch?.onOom();
    } else if (frame.type === type.EXIT) {
      this.#watch?.onExit(readExitFrame(frame, this.#id));
    } else {
      const pending = this.#pending.shift();
      try {
        pending?.resolve(answerOf(frame, this.#path));
      } catch (error) {
        pending?.reject(error);
      }
    }
  }
}

/** `unavailable` when no monitor listens there. */
export async function connectMonitor(socketPath: string): Promise<Monitor> {
  return new Monitor(await connectSocket(socketPath), socketPath);
}
