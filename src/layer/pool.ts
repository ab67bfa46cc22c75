import { Fault, faultOf, Slots, unflattenFault } from "#base";
import { addonPath } from "#kernel";
import type { JobName, Jobs } from "./job.ts";
import { type FromJob, type FromWorker, flatten, type ToJob, type ToWorker } from "./message.ts";

export interface RunOptions {
  /** Sent along; closed when the job ends early. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Chunks of the input that are a whole ArrayBuffer are transferred, and gone for who gave them. */
  readonly isGiven?: boolean | undefined;
  /** Receives the job's output; the next chunk comes when the promise settles. */
  readonly output?: (chunk: Uint8Array) => Promise<void>;
  /** Bytes of the source done so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** Jobs that others feed or empty and so may stall: each holds a few chunks of memory meanwhile. */
const maxStreaming = 32;

/**
 * A fixed number of workers for jobs that are long and synchronous. They start with the first job
 * and stay, since ending a worker is not safe in this runtime; an idle one costs about 2.5 MB and
 * does not keep the process alive. A worker does one job on files alone at a time, and beside it
 * others that have a stream: a stream that stalls holds up no other job.
 */
export class WorkerPool {
  readonly #size: number;
  #workers: PooledWorker[] = [];
  readonly #filing: Slots;
  readonly #streaming = new Slots(maxStreaming);
  #jobs = 0;

  constructor(size: number) {
    this.#size = size;
    this.#filing = new Slots(size);
  }

  /** Runs a job on the worker that has least to do; jobs of a kind begin in the order they were asked for. */
  async run<N extends JobName>(
    job: N,
    request: Jobs[N]["request"],
    options: RunOptions = {},
  ): Promise<Jobs[N]["result"]> {
    const slots = options.input || options.output ? this.#streaming : this.#filing;
    using _slot = await slots.take(options.signal);
    const task = new Task(++this.#jobs, this.#worker(), options);
    return (await task.run(job, request)) as Jobs[N]["result"];
  }

  #worker(): PooledWorker {
    this.#workers = this.#workers.filter((worker) => worker.isSound);
    const least = this.#workers.toSorted((a, b) => a.jobs - b.jobs)[0];
    if (least && (least.jobs === 0 || this.#workers.length >= this.#size)) return least;
    const worker = new PooledWorker();
    this.#workers.push(worker);
    return worker;
  }
}

/** The caller to whom a worker's messages go. */
interface Receiver {
  receive(message: FromJob): void;
  /** The worker is gone. */
  fail(fault: Fault): void;
}

class PooledWorker {
  readonly #worker = new Worker(new URL("./layer-worker.ts", import.meta.url));
  readonly #receivers = new Map<number, Receiver>();
  isSound = true;

  constructor() {
    this.#worker.unref();
    this.#worker.onmessage = ({ data }: { readonly data: FromWorker }) =>
      this.#receivers.get(data.id)?.receive(data);
    this.#worker.onerror = (event) => {
      this.isSound = false;
      const fault = new Fault("internal", `a layer worker failed: ${event.message}`);
      for (const receiver of [...this.#receivers.values()]) receiver.fail(fault);
    };
  }

  get jobs(): number {
    return this.#receivers.size;
  }

  begin(id: number, receiver: Receiver): void {
    if (this.#receivers.size === 0) this.#worker.ref();
    this.#receivers.set(id, receiver);
  }

  end(id: number): void {
    this.#receivers.delete(id);
    if (this.#receivers.size === 0) this.#worker.unref();
  }

  send(message: ToWorker, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }
}

/** One job on one worker. */
class Task implements Receiver {
  readonly #id: number;
  readonly #worker: PooledWorker;
  readonly #options: RunOptions;
  readonly #iterator: AsyncIterator<Uint8Array> | undefined;
  readonly #outcome = Promise.withResolvers<unknown>();
  #feeding = Promise.resolve();
  #taking = Promise.resolve();
  #inputEnded = false;
  #outputFault: unknown;

  constructor(id: number, worker: PooledWorker, options: RunOptions) {
    this.#id = id;
    this.#worker = worker;
    this.#options = options;
    this.#iterator = options.input?.[Symbol.asyncIterator]();
    this.#inputEnded = this.#iterator === undefined;
  }

  async run(job: JobName, request: Jobs[JobName]["request"]): Promise<unknown> {
    const { signal } = this.#options;
    const cancel = () => this.#send({ type: "cancel" });
    this.#worker.begin(this.#id, this);
    try {
      if (signal?.aborted) throw canceled(signal.reason);
      this.#send({ type: "start", job, request, addon: addonPath() });
      signal?.addEventListener("abort", cancel);
      const result = await this.#outcome.promise;
      await this.#taking;
      if (this.#outputFault !== undefined) throw this.#outputFault;
      return result;
    } catch (error) {
      if (this.#outputFault !== undefined) throw this.#outputFault;
      throw signal?.aborted ? canceled(error) : faultOf(error);
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#worker.end(this.#id);
      this.#closeInput();
    }
  }

  fail(fault: Fault): void {
    this.#outcome.reject(fault);
  }

  receive(message: FromJob): void {
    if (message.type === "done") this.#outcome.resolve(message.result);
    else if (message.type === "failed") this.#outcome.reject(unflattenFault(message.fault));
    else if (message.type === "progress") this.#options.onProgress?.(message.bytes);
    else if (message.type === "demand") this.#feeding = this.#feeding.then(() => this.#feed());
    else this.#taking = this.#taking.then(() => this.#take(message.bytes));
  }

  async #feed(): Promise<void> {
    if (this.#inputEnded || !this.#iterator) return;
    try {
      const next = await this.#iterator.next();
      if (this.#inputEnded) return;
      if (next.done) this.#inputEnded = true;
      if (next.done) this.#send({ type: "chunk" });
      else {
        const bytes = transferable(next.value, this.#options.isGiven);
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
    this.#worker.send({ ...message, id: this.#id }, transfer);
  }
}

/**
 * A copy, unless the chunk is the whole of a buffer that is ours: the rest of a Buffer's memory may
 * belong to others.
 */
function transferable(chunk: Uint8Array, isGiven = false): Uint8Array<ArrayBuffer> {
  const { buffer } = chunk;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength;
  return isGiven && isWhole ? new Uint8Array(buffer) : new Uint8Array(chunk);
}

function canceled(cause: unknown): Fault {
  return new Fault("canceled", "canceled", { cause });
}
