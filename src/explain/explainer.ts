import { Fault, Slots, unflattenFault } from "#base";
import { addonPath } from "#kernel";
import type { Answer, JobName, Jobs, Request } from "./job.ts";

/** Each may take 200 bytes a file; more at once would only take memory from containers. */
const slots = new Slots(2);

/**
 * Runs a job in a thread of its own, at most two at a time; others wait. An abort ends
 * the job within some milliseconds. The thread is gone when the promise has settled,
 * and so are its descriptors.
 */
export async function runJob<N extends JobName>(
  name: N,
  input: Jobs[N]["in"],
  signal?: AbortSignal,
): Promise<Jobs[N]["out"]> {
  using _slot = await slots.take(signal);
  if (signal?.aborted) throw new Fault("canceled", "canceled");
  return (await inThread(name, input, signal)) as Jobs[N]["out"];
}

async function inThread<N extends JobName>(
  name: N,
  input: Jobs[N]["in"],
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const cancel = () => void Atomics.store(stop, 0, 1);
  const worker = new Worker(new URL("./explain-worker.ts", import.meta.url), { smol: true });
  const answered = Promise.withResolvers<Answer>();
  const ended = Promise.withResolvers<void>();
  worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => answered.resolve(data));
  const lose = (why: string) => {
    answered.reject(new Fault("internal", `the thread that does "${name}" failed: ${why}`));
    ended.resolve();
  };
  worker.addEventListener("error", ({ message }) => lose(message));
  worker.addEventListener("close", () => lose("it ended by itself"));
  signal?.addEventListener("abort", cancel);
  try {
    worker.postMessage({ name, in: input, addon: addonPath(), stop } as Request);
    const { out, fault } = await answered.promise;
    if (fault) throw unflattenFault(fault);
    return out;
  } finally {
    signal?.removeEventListener("abort", cancel);
    worker.postMessage("end");
    await ended.promise;
  }
}
