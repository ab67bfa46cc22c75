import { Fault, Slots, unflattenFault } from "#base";
import type { Answer, JobName, Jobs, Request } from "./debian-job.ts";

interface Pending {
  readonly name: JobName;
  readonly resolve: (out: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A few threads for the jobs of one run. A thread starts when there is work for it,
 * does one job at a time, and ends itself at disposal, which waits for that: nothing
 * is written any more once it is over.
 */
export class DebianPool implements AsyncDisposable {
  readonly #slots: Slots;
  /** Each with the job that it does, if any. */
  readonly #workers = new Map<Worker, Pending | undefined>();
  readonly #ends: Promise<void>[] = [];
  readonly #closed = new AbortController();

  constructor(size: number) {
    this.#slots = new Slots(size);
  }

  async run<N extends JobName>(name: N, input: Jobs[N]["in"]): Promise<Jobs[N]["out"]> {
    using _slot = await this.#slots.take(this.#closed.signal);
    const worker = this.#idle() ?? this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#workers.set(worker, { name, resolve, reject });
    worker.postMessage({ name, in: input } as Request);
    return (await promise) as Jobs[N]["out"];
  }

  #idle(): Worker | undefined {
    for (const [worker, job] of this.#workers) if (job === undefined) return worker;
    return undefined;
  }

  #start(): Worker {
    const worker = new Worker(new URL("./debian-worker.ts", import.meta.url));
    const end = Promise.withResolvers<void>();
    this.#ends.push(end.promise);
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      const job = this.#workers.get(worker);
      this.#workers.set(worker, undefined);
      if (data.fault) job?.reject(unflattenFault(data.fault));
      else job?.resolve(data.out);
    });
    worker.addEventListener("error", (event) => {
      this.#lose(worker, event.message);
      // A thread that could not even load is gone without a "close".
      end.resolve();
    });
    worker.addEventListener("close", () => {
      this.#lose(worker, "it ended by itself");
      end.resolve();
    });
    return worker;
  }

  /** A thread is gone, and its job fails; who comes next gets another thread. */
  #lose(worker: Worker, why: string): void {
    const job = this.#workers.get(worker);
    this.#workers.delete(worker);
    job?.reject(
      this.#closed.signal.aborted
        ? new Fault("canceled", "canceled")
        : new Fault("internal", `the thread that did ${job.name} failed: ${why}`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    for (const worker of this.#workers.keys()) worker.postMessage("end");
    await Promise.all(this.#ends);
  }
}
