import { formatBytes } from "#base";
import type { Context } from "./context.ts";

/** Milliseconds between two frames. */
const frame = 100;
/** Milliseconds between two lines where nobody looks at a terminal. */
const pause = 10_000;

/** How far something is that counts bytes. */
export interface BytesDone {
  /** The thing. */
  readonly label: string;
  readonly done: number;
  /** Of the whole, if it is known. */
  readonly total?: number | undefined;
}

/**
 * Shows on standard error how many bytes are done: on a terminal in one line, which is drawn anew
 * and wiped at the end; elsewhere in a line of its own every ten seconds, so that what is over
 * sooner says nothing.
 */
export class ByteProgress {
  readonly #err: Context["err"];
  readonly #clock: () => number;
  #shown: number;
  #drawn = false;

  constructor({ err }: Pick<Context, "err">, clock: () => number = () => performance.now()) {
    this.#err = err;
    this.#clock = clock;
    this.#shown = err.isTerminal ? Number.NEGATIVE_INFINITY : clock();
  }

  async tell({ label, done, total }: BytesDone): Promise<void> {
    const now = this.#clock();
    const { isTerminal } = this.#err;
    if (now - this.#shown < (isTerminal ? frame : pause)) return;
    this.#shown = now;
    const share = total ? ` of ${formatBytes(total)} (${Math.floor((done / total) * 100)}%)` : "";
    const line = `${label}: ${formatBytes(done)}${share}`;
    this.#drawn = isTerminal;
    await this.#err.write(isTerminal ? `\r${line}\x1b[K` : `${line}\n`);
  }

  /** Wipes the line; to be called when it is over, and when it failed. */
  async end(): Promise<void> {
    if (this.#drawn) await this.#err.write("\r\x1b[K");
    this.#drawn = false;
  }
}

/**
 * Passes a stream on, and shows how much of it has passed.
 * @param total bytes of the whole stream, if they are known
 */
export async function* withByteProgress(
  context: Pick<Context, "err">,
  label: string,
  { source, total }: { readonly source: AsyncIterable<Uint8Array>; readonly total?: number },
): AsyncGenerator<Uint8Array, void> {
  const progress = new ByteProgress(context);
  let done = 0;
  try {
    for await (const bytes of source) {
      yield bytes;
      done += bytes.byteLength;
      await progress.tell({ label, done, total });
    }
  } finally {
    await progress.end();
  }
}
