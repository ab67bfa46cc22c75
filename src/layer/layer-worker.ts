/** The entry point of the pool's workers: a job that waits for its stream lets the others go on. */
import { setImmediate } from "node:timers/promises";
import { Fault, unflattenFault } from "#base";
import { useAddon } from "#kernel";
import type { JobContext, JobName, Jobs } from "./job.ts";
import { jobs } from "./jobs.ts";
import { type FromJob, type FromWorker, flatten, type ToWorker } from "./message.ts";

declare const self: {
  onmessage: ((event: { readonly data: ToWorker }) => void) | null;
  postMessage(message: FromWorker, transfer?: readonly ArrayBuffer[]): void;
};

const breathEvery = 16 << 20;
const progressEvery = 8 << 20;
const inputWindow = 2;
const outputWindow = 4;
/** Milliseconds without a job. */
const restAfter = 3_000;

/** A job under way: a queue for its input and credit for its output. */
class Running implements JobContext {
  readonly id: number;
  readonly #chunks: ToWorker[] = [];
  #wake: () => void = () => undefined;
  #cancelled = false;
  #sinceBreath = 0;
  #reported = 0;
  #credit = outputWindow;

  constructor(id: number) {
    this.id = id;
  }

  receive(message: ToWorker): void {
    if (message.type === "cancel") this.#cancelled = true;
    if (message.type === "taken") this.#credit++;
    if (message.type === "chunk") this.#chunks.push(message);
    this.#wake();
  }

  readonly input: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.#read() };

  async breathe(bytes: number): Promise<void> {
    this.#sinceBreath += bytes;
    if (this.#sinceBreath >= breathEvery) {
      this.#sinceBreath = 0;
      await setImmediate();
    }
    this.#requireLive();
  }

  async output(chunk: Uint8Array): Promise<void> {
    await this.#until(() => this.#credit > 0);
    this.#credit--;
    const own = chunk.slice();
    this.#send({ type: "output", bytes: own }, [own.buffer]);
  }

  progress(bytes: number): void {
    if (bytes - this.#reported < progressEvery) return;
    this.#reported = bytes;
    this.#send({ type: "progress", bytes });
  }

  async *#read(): AsyncGenerator<Uint8Array, void> {
    for (let i = 0; i < inputWindow; i++) this.#send({ type: "demand" });
    for (;;) {
      await this.#until(() => this.#chunks.length > 0);
      const message = this.#chunks.shift();
      if (message?.type !== "chunk") continue;
      if (message.fault) throw unflattenFault(message.fault);
      if (!message.bytes) return;
      yield message.bytes;
      this.#send({ type: "demand" });
    }
  }

  async #until(condition: () => boolean): Promise<void> {
    this.#requireLive();
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#requireLive();
    }
  }

  #send(message: FromJob, transfer: readonly ArrayBuffer[] = []): void {
    self.postMessage({ ...message, id: this.id }, transfer);
  }

  #requireLive(): void {
    if (this.#cancelled) throw new Fault("canceled", "canceled");
  }
}

const running = new Map<number, Running>();
let resting: ReturnType<typeof setTimeout> | undefined;

async function run<N extends JobName>(
  context: Running,
  job: N,
  request: Jobs[N]["request"],
): Promise<void> {
  const { id } = context;
  clearTimeout(resting);
  running.set(id, context);
  let outcome: FromWorker;
  try {
    outcome = { id, type: "done", result: await jobs[job](request, context) };
  } catch (error) {
    outcome = { id, type: "failed", fault: flatten(error) };
  }
  running.delete(id);
  self.postMessage(outcome);
  // A job may have failed because of a bomb, whose garbage must not meet the next one's.
  if (outcome.type === "failed") Bun.gc(true);
  if (running.size === 0) resting = setTimeout(release, restAfter);
}

/** Else garbage and compiled code stay until the next job: 12 MB after two large pulls. */
function release(): void {
  Bun.gc(true);
  Bun.shrink();
}

self.onmessage = ({ data }) => {
  if (data.type !== "start") {
    // A job may be sent something after its end.
    running.get(data.id)?.receive(data);
    return;
  }
  useAddon(data.addon);
  void run(new Running(data.id), data.job, data.request as never);
};
