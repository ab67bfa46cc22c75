import type { JobName, Jobs } from "./job.ts";
import type { RunOptions, WorkerPool } from "./pool.ts";

/** The output of a job, as a stream; leaving it early cancels the job. */
export async function* streamOutput<N extends JobName>(
  pool: WorkerPool,
  { job, request }: { readonly job: N; readonly request: Jobs[N]["request"] },
  options: Omit<RunOptions, "output">,
): AsyncGenerator<Uint8Array, void> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const queue: { chunk: Uint8Array; taken: () => void }[] = [];
  let wake = Promise.withResolvers<void>();
  let outcome: { readonly error?: unknown } | undefined;
  const output = async (chunk: Uint8Array) => {
    if (stop.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    queue.push({ chunk, taken: resolve });
    wake.resolve();
    await promise;
  };
  const running = pool.run(job, request, { ...options, output, signal }).then(
    () => {
      outcome = {};
      wake.resolve();
    },
    (error: unknown) => {
      outcome = { error };
      wake.resolve();
    },
  );
  try {
    for (;;) {
      const next = queue.shift();
      if (next) {
        next.taken();
        yield next.chunk;
      } else if (outcome) break;
      else {
        await wake.promise;
        wake = Promise.withResolvers();
      }
    }
  } finally {
    stop.abort();
    for (const { taken } of queue) taken();
    await running;
  }
  if (outcome.error !== undefined) throw outcome.error;
}
