import type { Socket } from "node:net";
import { Fault } from "#base";
import { answerOf, connectSocket } from "./control-socket.ts";
import { type ExitRecord, readExitFrame } from "./exit-record.ts";
import { encodeFrame, type Frame, FrameReader, PayloadReader } from "./frame.ts";
import { states, frame as type } from "./tags.ts";

export interface MonitorStatus {
  /** Of the protocol. */
  readonly version: number;
  /** The plan's id. */
  readonly id: string;
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: bigint;
  readonly monitorPid: number;
  readonly state: (typeof states)[number];
  /** Log lines that the disk did not take. */
  readonly droppedLines: bigint;
}

export interface MonitorWatch {
  readonly onOom: () => void;
  readonly onExit: (exit: ExitRecord) => void;
}

type Pending = PromiseWithResolvers<Frame>;

/** A connection to a running monitor. Commands are answered in order; after `watch` events come in between. */
export class Monitor implements Disposable {
  /** The connection is over, whoever ended it. Never rejects. */
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
    // What went wrong is told to whoever waits for an answer, by "close".
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      for (const pending of this.#pending.splice(0)) pending.reject(this.#gone());
      resolve();
    });
  }

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

  /** GO for a launch that awaits it; resolves once the program runs. `conflict` when it has run already, else why it does not. */
  async start(): Promise<void> {
    await this.#ask(type.START);
  }

  /** `invalid` when the process has no terminal. */
  async resize(rows: number, columns: number): Promise<void> {
    await this.#ask(type.RESIZE, rows, columns);
  }

  /** Through a pidfd: never to a process that took over the pid. `not_found` when it has ended. */
  async signal(number: number): Promise<void> {
    await this.#ask(type.SIGNAL, number);
  }

  async closeStdin(): Promise<void> {
    await this.#ask(type.CLOSE_STDIN);
  }

  /** For whoever has moved the log away. */
  async reopenLog(): Promise<void> {
    await this.#ask(type.REOPEN_LOG);
  }

  /** From now on, and want of memory that came before; an exit that came before is in the exit record. */
  watch(watch: MonitorWatch): void {
    if (this.#watch) throw new Fault("conflict", "this connection watches already");
    this.#watch = watch;
    // A monitor that is gone shows by `closed`.
    this.status()
      .then(() => this.#ask(type.WATCH))
      .catch(() => this.close());
  }

  close(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ask(command: number, ...values: number[]): Promise<Frame> {
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
