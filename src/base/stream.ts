import type { Readable } from "node:stream";
import { Fault } from "./fault.ts";

/**
 * Settles once nothing more can be read: at the end, an error or the close, also when that is past
 * already. Never rejects.
 */
export function endOf(stream: Readable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (stream.readableEnded || stream.destroyed) resolve();
  for (const event of ["end", "error", "close"]) stream.once(event, () => resolve());
  return promise;
}

/** Everything a stream yields as one buffer; more than `limit` bytes is an `exhausted` fault. */
export async function collect(
  source: AsyncIterable<Uint8Array>,
  limit: number,
  about: string,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limitBytes(source, limit, about)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The same stream, ending in an `exhausted` fault once more than `limit` bytes have passed. */
async function* limitBytes(
  source: AsyncIterable<Uint8Array>,
  limit: number,
  about: string,
): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of source) {
    total += chunk.byteLength;
    if (total > limit)
      throw new Fault("exhausted", `${about} is larger than the limit of ${limit} bytes`, {
        about,
      });
    yield chunk;
  }
}

/**
 * The same stream, ending in a `timeout` fault when nothing comes of it for some milliseconds while
 * it is being read. Its source is told to end, and not waited for.
 */
export async function* limitStalls<T>(
  source: AsyncIterable<T>,
  milliseconds: number,
  about: string,
): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      const reading = iterator.next();
      reading.catch(() => undefined);
      const stalled = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        const message = `${about} stood still for ${milliseconds / 1000} s`;
        stalled.reject(new Fault("timeout", message, { about }));
      }, milliseconds);
      const { done, value } = await Promise.race([reading, stalled.promise]).finally(() =>
        clearTimeout(timer),
      );
      isOver = done === true;
      if (isOver) return;
      yield value;
    }
  } finally {
    // It would wait for a read that may never end.
    if (!isOver) iterator.return?.().catch(() => undefined);
  }
}

/**
 * The lines of a UTF-8 stream without their newlines; the last one may lack its newline. A line of
 * more than `maxLine` characters is an `exhausted` fault.
 */
export async function* lines(
  source: AsyncIterable<Uint8Array>,
  maxLine = 1 << 20,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of source) {
    rest += decoder.decode(chunk, { stream: true });
    let end = rest.indexOf("\n");
    let start = 0;
    for (; end >= 0; end = rest.indexOf("\n", start)) {
      yield rest.slice(start, end);
      start = end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > maxLine)
      throw new Fault("exhausted", `a line is longer than ${maxLine} characters`);
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
