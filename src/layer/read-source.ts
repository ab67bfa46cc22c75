import { closeSync, constants, openSync, readSync } from "node:fs";
import { chunkSize, isCompressed } from "./compression.ts";
import type { JobContext, Source } from "./job.ts";

/** How the chunks of a file are used. */
interface ReadOptions {
  /** Plain ones are used up before the next is asked for, so that all can have one place in memory. */
  readonly reuse: boolean;
}

/** The bytes of a job's source; tells how far it is, and ends when the job is cancelled. */
export async function* readSource(
  source: Source,
  context: JobContext,
  options: ReadOptions = { reuse: false },
): AsyncGenerator<Uint8Array, void> {
  let done = 0;
  for await (const chunk of source === "stream" ? context.input : readFile(source.path, options)) {
    await context.breathe(chunk.byteLength);
    yield chunk;
    done += chunk.byteLength;
    context.progress(done);
  }
}

function* readFile(
  path: string,
  { reuse }: ReadOptions = { reuse: false },
): Generator<Uint8Array, void> {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    let chunk = Buffer.allocUnsafe(chunkSize);
    let isReused: boolean | undefined;
    for (;;) {
      const size = readSync(fd, chunk, 0, chunk.length, null);
      if (size === 0) return;
      // A decompressor holds the chunk that it was given, as a compressor does.
      isReused ??= reuse && !isCompressed(chunk.subarray(0, size));
      yield chunk.subarray(0, size);
      if (!isReused) chunk = Buffer.allocUnsafe(chunkSize);
    }
  } finally {
    closeSync(fd);
  }
}
