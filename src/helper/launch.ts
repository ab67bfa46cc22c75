import { Fault, isFault } from "#base";
import { type Channel, type ChildProcess, type Fd, socketPair } from "#kernel";
import { type ExitRecord, readExitFrame } from "./exit-record.ts";
import { encodeFrame, type Frame, FrameReader, PayloadReader } from "./frame.ts";
import { type LaunchError, launchFault, readLaunchError } from "./launch-error.ts";
import { protocolVersion, frame as type } from "./tags.ts";

/** The process that waits to become the program. */
export interface Created {
  readonly pid: number;
  /** Clock ticks since boot: with the pid it names the process for good. */
  readonly startTime: bigint;
}

const SIGKILL = 9;

/**
 * One process on its way into life, with its monitor.
 *
 * created -> go() -> started -> exited -> monitorExited, each once; a failure rejects
 * `started`, and `exited` then resolves with a record that has `error`. Until `go` the
 * process is complete but waits; disposing before `go` kills it and waits until all is
 * cleaned up, unless its plan awaits a start from elsewhere; disposing later only stops
 * listening: the monitor goes on by itself.
 */
export class Launch implements AsyncDisposable {
  readonly created: Promise<Created>;
  readonly started: Promise<void>;
  /** Rejects (`unavailable`) only when the monitor ended without a word, which kills nothing. */
  readonly exited: Promise<ExitRecord>;
  /** The process's namespaces and mounts are let go of. Never rejects. */
  readonly monitorExited: Promise<void>;
  readonly monitorPid: number;

  readonly #channel: Channel;
  readonly #created = Promise.withResolvers<Created>();
  readonly #started = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<ExitRecord>();
  readonly #monitorExited = Promise.withResolvers<void>();
  readonly #frames = new FrameReader();
  #oomNotices: (() => void)[] = [];
  #id = "";
  #error: LaunchError | undefined;
  #isGone = false;
  #isLate = false;
  #wasTold = false;
  readonly #patience: NodeJS.Timeout;

  /** A launcher that says nothing for `patienceMs`, such as one that was stopped, is killed: `timeout`. */
  constructor(channel: Channel, child: ChildProcess, patienceMs: number) {
    this.#channel = channel;
    this.#patience = setTimeout(() => this.#giveUp(child), patienceMs).unref();
    this.monitorPid = child.pid;
    this.created = this.#created.promise;
    this.started = this.#started.promise;
    this.exited = this.#exited.promise;
    this.monitorExited = this.#monitorExited.promise;
    // A caller that does not look at one of them must not be ended by its rejection.
    for (const promise of [this.created, this.started, this.exited]) promise.catch(() => undefined);
    channel.onData((bytes) => this.#receive(bytes));
    channel.onEnd((fault) => this.#finish(fault));
  }

  /**
   * Before `go`: attaches a socket to some of the streams (bits of `attachTo`), from the program's
   * first byte on, and gives its other end. Undefined when the kernel cannot take it at once; then
   * the monitor's own socket will do.
   */
  attach(streams: number): Fd | undefined {
    if (this.#wasTold) return undefined;
    const [near, far] = socketPair();
    using _sent = far;
    if (this.#channel.writeWith(encodeFrame(type.ATTACH, streams), [far])) return near;
    near.close();
    return undefined;
  }

  /** Lets the program run. */
  go(): void {
    if (this.#wasTold) return;
    this.#wasTold = true;
    if (this.#channel.isOpen) this.#channel.write(encodeFrame(type.GO));
  }

  /** As `go`; settles once the program runs. Where it cannot, the fault comes when all is cleaned up. */
  async run(): Promise<void> {
    this.go();
    try {
      await this.started;
    } catch (error) {
      await this.monitorExited;
      throw error;
    }
  }

  /** Before `go`: the process is killed and the monitor cleans up and ends, or it awaits its start as planned. */
  abandon(): void {
    if (this.#wasTold) throw new Fault("conflict", "cannot abandon a launch that was told to go");
    this.#channel.end();
  }

  /** Called when the kernel has killed in the process's cgroup for want of memory, once. */
  onOom(notice: () => void): void {
    this.#oomNotices.push(notice);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#wasTold) {
      this.abandon();
      await this.monitorExited;
    }
    this.#channel.close();
    this.#finish();
  }

  #giveUp(child: ChildProcess): void {
    this.#isLate = true;
    try {
      child.kill(SIGKILL);
    } catch (error) {
      // It has ended this very moment.
      if (!isFault(error, "not_found")) throw error;
    }
  }

  #receive(bytes: Uint8Array): void {
    try {
      for (const frame of this.#frames.push(bytes)) this.#take(frame);
    } catch (error) {
      this.#finish(error);
    }
  }

  #take(frame: Frame): void {
    clearTimeout(this.#patience);
    const payload = new PayloadReader(frame);
    switch (frame.type) {
      case type.HELLO:
        this.#greet(payload.u32(), payload.text());
        break;
      case type.CREATED:
        this.#created.resolve({ pid: payload.u32(), startTime: payload.u64() });
        break;
      case type.STARTED:
        this.#started.resolve();
        break;
      case type.ERROR:
        this.#fail(readLaunchError(frame));
        break;
      case type.OOM:
        for (const notice of this.#oomNotices.splice(0)) notice();
        break;
      case type.EXIT:
        this.#exited.resolve(readExitFrame(frame, this.#id, this.#error));
        break;
      default:
        throw new Fault("internal", `the helper sent a frame of unknown type ${frame.type}`);
    }
  }

  #greet(version: number, id: string): void {
    if (version !== protocolVersion)
      throw new Fault(
        "internal",
        `the helper speaks protocol ${version}, this program ${protocolVersion}: build the native parts again`,
      );
    this.#id = id;
  }

  #fail(error: LaunchError): void {
    this.#error = error;
    const fault = launchFault(error);
    this.#created.reject(fault);
    this.#started.reject(fault);
  }

  #finish(reason?: unknown): void {
    if (this.#isGone) return;
    this.#isGone = true;
    clearTimeout(this.#patience);
    const late = new Fault("timeout", "the launcher did not answer and was killed: start again");
    const abandoned = new Fault("canceled", "the launch was abandoned before its program ran");
    const silent = new Fault("unavailable", "the monitor ended without a word", { cause: reason });
    const unsaid = this.#isLate ? late : this.#wasTold ? silent : abandoned;
    const fault = this.#error ? launchFault(this.#error) : unsaid;
    this.#created.reject(fault);
    this.#started.reject(fault);
    this.#exited.reject(fault);
    this.#channel.close();
    this.#monitorExited.resolve();
  }
}
