import { formatBytes } from "#base";
import type { Context } from "./context.ts";

/** Milliseconds between two frames. */
const frame = 100;

/**
 * Passes a stream on, and shows on standard error, if that is a terminal, how much of it has passed;
 * the line is wiped at the end.
 * @param total bytes of the whole stream, if they are known
 */
export async function* withByteProgress(
  { err }: Pick<Context, "err">,
  label: string,
  { source, total }: { readonly source: AsyncIterable<Uint8Array>; readonly total?: number },
): AsyncGenerator<Uint8Array, void> {
  if (!err.isTerminal) return yield* source;
  let done = 0;
  let drawn = 0;
  try {
    for await (const bytes of source) {
      yield bytes;
      done += bytes.byteLength;
      const now = performance.now();
      if (now - drawn < frame) continue;
      drawn = now;
      const share = total ? ` of ${formatBytes(total)} (${Math.floor((done / total) * 100)}%)` : "";
      await err.write(`\r${label}: ${formatBytes(done)}${share}\x1b[K`);
    }
  } finally {
    if (drawn > 0) await err.write("\r\x1b[K");
  }
}
