import { Exit } from "./failure.ts";

/**
 * Work that ends with ctrl-c, with `message` and Docker's status: closing the connection makes the
 * engine give up and clean up, and what the work has begun on this side is its own to undo. Work
 * within such work is told of the same ctrl-c, and its message stays.
 */
export async function cancellable<T>(
  work: (signal: AbortSignal) => Promise<T>,
  message = "canceled",
): Promise<T> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    return await work(abort.signal);
  } catch (error) {
    const isTold = error instanceof Exit && error.status === 130;
    if (abort.signal.aborted && !isTold) throw new Exit(130, message);
    throw error;
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}
