import { Fault } from "./fault.ts";

/** The number of callers that may wait for a place, and the refusal for others. */
interface Queue {
  readonly length: number;
  refusal(): Error;
}

/** A number of places that are given out first come, first served. */
export class Slots {
  #count: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #queue: Queue | undefined;

  /** Without a `queue` any number may wait. */
  constructor(count: number, queue?: Queue) {
    this.#count = count;
    this.#queue = queue;
  }

  /** Waits for a place; `using` gives it back. `canceled` when the signal fires first; the refusal of the queue when it is full. */
  async take(signal?: AbortSignal): Promise<Disposable> {
    if (signal?.aborted) throw canceled(signal);
    if (this.#taken < this.#count) this.#taken++;
    else if (this.#queue && this.#waiting.length >= this.#queue.length) throw this.#queue.refusal();
    else await this.#turn(signal);
    return { [Symbol.dispose]: () => this.#giveBack() };
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      this.#waiting.splice(this.#waiting.indexOf(give), 1);
      reject(canceled(signal));
    };
    // The listener goes with the place: a place that was given can no longer be given up here.
    const give = () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    };
    this.#waiting.push(give);
    signal?.addEventListener("abort", onAbort, { once: true });
    await promise;
  }

  /** Changes how many places there are; those that are taken above it are not given out again. */
  resize(count: number): void {
    this.#count = count;
    this.#giveOut();
  }

  #giveBack(): void {
    this.#taken--;
    this.#giveOut();
  }

  #giveOut(): void {
    while (this.#taken < this.#count) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#taken++;
      next();
    }
  }
}

function canceled(signal: AbortSignal | undefined): Fault {
  return new Fault("canceled", "canceled", { cause: signal?.reason });
}
