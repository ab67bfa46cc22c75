/**
 * Calls `work` for each item in their order, at most `limit` at a time. The first failure aborts
 * the signal that the others were given and lets no further item begin; it is thrown once all that
 * had begun have ended.
 */
export async function inParallel<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const failed = new AbortController();
  const lane = async () => {
    while (!failed.signal.aborted) {
      const next = rest.next();
      if (next.done) return;
      try {
        await work(next.value, failed.signal);
      } catch (error) {
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, lane));
  if (failed.signal.aborted) throw failed.signal.reason;
}
