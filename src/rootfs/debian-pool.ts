import { defined, Fault, type FaultCode } from "#base";
import type { Answer, JobName, Jobs, Request } from "./debian-job.ts";

interface Pending {
  readonly request: Request;
  readonly resolve: (out: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A few threads for the jobs of one run. A thread starts when there is work for it,
 * does one job at a time, and ends itself at disposal, which waits for that: nothing
 * is written any more once it is over.
 */
export class DebianPool implements AsyncDisposable {
  readonly #size: number;
  readonly #queue: Pending[] = [];
  #idle: Worker[] = [];
  readonly #ends: Promise<void>[] = [];
  readonly #workers = new Set<Worker>();
  readonly #current = new Map<Worker, Pending>();
  #nextId = 0;
  #closed = false;

  constructor(size: number) {
    this.#size = size;
  }

  async run<N extends JobName>(name: N, input: Jobs[N]["in"]): Promise<Jobs[N]["out"]> {
    if (this.#closed) throw new Fault("canceled", "canceled");
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const request = { id: ++this.#nextId, name, in: input } as Request;
    this.#queue.push({ request, resolve, reject });
    this.#dispatch();
    return (await promise) as Jobs[N]["out"];
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? this.#start();
      if (worker === undefined) return;
      const pending = this.#queue.shift();
      if (pending === undefined) return;
      this.#current.set(worker, pending);
      worker.postMessage(pending.request);
    }
  }

  #start(): Worker | undefined {
    if (this.#workers.size >= this.#size) return undefined;
    const worker = new Worker(new URL("./debian-worker.ts", import.meta.url));
    const end = Promise.withResolvers<void>();
    this.#workers.add(worker);
    this.#ends.push(end.promise);
    worker.addEventListener("message", (event: MessageEvent<Answer>) => {
      const pending = this.#current.get(worker);
      this.#current.delete(worker);
      this.#idle.push(worker);
      settle(pending, event.data);
      this.#dispatch();
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

  /** A thread is gone: its job fails, and those that wait get another thread. */
  #lose(worker: Worker, why: string): void {
    const pending = this.#current.get(worker);
    this.#current.delete(worker);
    this.#workers.delete(worker);
    this.#idle = this.#idle.filter((other) => other !== worker);
    pending?.reject(
      this.#closed
        ? new Fault("canceled", "canceled")
        : new Fault("internal", `the thread that did ${pending.request.name} failed: ${why}`),
    );
    if (!this.#closed) this.#dispatch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#queue.splice(0)) reject(new Fault("canceled", "canceled"));
    for (const worker of this.#workers) worker.postMessage("end");
    await Promise.all(this.#ends);
  }
}

function settle(pending: Pending | undefined, { out, fault }: Answer): void {
  if (fault === undefined) pending?.resolve(out);
  else
    pending?.reject(
      new Fault(fault.code as FaultCode, fault.message, defined({ about: fault.about })),
    );
}
