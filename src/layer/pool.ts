import { Fault, faultOf } from "#base";
import { addonPath } from "#kernel";
import type { JobName, Jobs } from "./job.ts";
import { type FromWorker, flatten, type ToJob, type ToWorker, unflatten } from "./message.ts";

export interface RunOptions {
  /** Sent along; closed when the job ends early. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Takes what the job puts out; the next chunk comes when the promise settles. */
  readonly output?: (chunk: Uint8Array) => Promise<void>;
  /** Bytes of the source done so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * A fixed number of workers for jobs that are long and synchronous. They start with
 * the first job and stay, since ending a worker is not safe in this runtime; an idle
 * one costs about 2.5 MB and does not keep the process alive.
 */
export class WorkerPool {
  readonly #size: number;
  readonly #idle: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  #started = 0;
  #jobs = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Runs a job on the next free worker; jobs begin in the order they were asked for. */
  async run<N extends JobName>(
    job: N,
    request: Jobs[N]["request"],
    options: RunOptions = {},
  ): Promise<Jobs[N]["result"]> {
    const worker = await this.#acquire();
    let isSound = true;
    try {
      const task = new Task(++this.#jobs, worker, options, () => {
        isSound = false;
      });
      return (await task.run(job, request)) as Jobs[N]["result"];
    } finally {
      this.#release(isSound ? worker : this.#start());
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL("./layer-worker.ts", import.meta.url));
    worker.unref();
    return worker;
  }

  async #acquire(): Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#started < this.#size) {
      this.#started++;
      return this.#start();
    }
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }

  #release(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next) next(worker);
    else this.#idle.push(worker);
  }
}

/** One job on one worker. */
class Task {
  readonly #id: number;
  readonly #worker: Worker;
  readonly #options: RunOptions;
  readonly #broken: () => void;
  readonly #iterator: AsyncIterator<Uint8Array> | undefined;
  #feeding = Promise.resolve();
  #taking = Promise.resolve();
  #inputEnded = false;
  #outputFault: unknown;

  constructor(id: number, worker: Worker, options: RunOptions, broken: () => void) {
    this.#id = id;
    this.#worker = worker;
    this.#options = options;
    this.#broken = broken;
    this.#iterator = options.input?.[Symbol.asyncIterator]();
    this.#inputEnded = this.#iterator === undefined;
  }

  async run(job: JobName, request: Jobs[JobName]["request"]): Promise<unknown> {
    const { signal } = this.#options;
    const cancel = () => this.#send({ type: "cancel" });
    this.#worker.ref();
    try {
      signal?.throwIfAborted();
      const outcome = this.#outcome();
      this.#send({ type: "start", job, request, addon: addonPath() });
      signal?.addEventListener("abort", cancel);
      const result = await outcome;
      await this.#taking;
      if (this.#outputFault !== undefined) throw this.#outputFault;
      return result;
    } catch (error) {
      if (this.#outputFault !== undefined) throw this.#outputFault;
      throw signal?.aborted ? new Fault("canceled", "canceled", { cause: error }) : faultOf(error);
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#worker.onmessage = null;
      this.#worker.onerror = null;
      this.#worker.unref();
      this.#closeInput();
    }
  }

  #outcome(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#worker.onerror = (event) => {
      this.#broken();
      reject(new Fault("internal", `a layer worker failed: ${event.message}`));
    };
    this.#worker.onmessage = ({ data }: { readonly data: FromWorker }) => {
      if (data.type === "done") resolve(data.result);
      else if (data.type === "failed") reject(unflatten(data.fault));
      else if (data.type === "progress") this.#options.onProgress?.(data.bytes);
      else if (data.type === "demand") this.#feeding = this.#feeding.then(() => this.#feed());
      else this.#taking = this.#taking.then(() => this.#take(data.bytes));
    };
    return promise;
  }

  async #feed(): Promise<void> {
    if (this.#inputEnded || !this.#iterator) return;
    try {
      const next = await this.#iterator.next();
      if (this.#inputEnded) return;
      if (next.done) this.#inputEnded = true;
      if (next.done) this.#send({ type: "chunk" });
      else {
        // A copy: what a Buffer is a part of may not be ours to give away.
        const bytes = new Uint8Array(next.value);
        this.#send({ type: "chunk", bytes }, [bytes.buffer]);
      }
    } catch (error) {
      this.#inputEnded = true;
      this.#send({ type: "chunk", fault: flatten(error) });
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    if (this.#outputFault !== undefined) return;
    try {
      await this.#options.output?.(bytes);
      this.#send({ type: "taken" });
    } catch (error) {
      this.#outputFault = error;
      this.#send({ type: "cancel" });
    }
  }

  /** Not waited for: a source that is blocked in `next` would hold up the news of the failure. */
  #closeInput(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    this.#iterator?.return?.().catch(() => undefined);
  }

  #send(message: ToJob, transfer: ArrayBuffer[] = []): void {
    const whole: ToWorker = { ...message, id: this.#id };
    this.#worker.postMessage(whole, transfer);
  }
}
