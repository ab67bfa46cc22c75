import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { chunkSize } from "./compression.ts";
import type { CompressionChoice } from "./compression-choice.ts";

/**
 * Compresses chunks, which must not change afterwards. The same bytes always give the same result,
 * however they are cut into chunks; gzip has neither name nor time.
 */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  choice: CompressionChoice | "none",
): AsyncGenerator<Uint8Array, void> {
  if (choice === "none") {
    yield* evenly(source);
    return;
  }
  const transform = compressor(choice);
  let failure: unknown;
  const feeding = pipeline(Readable.from(evenly(source)), transform).catch((error: unknown) => {
    failure = error;
  });
  try {
    for await (const chunk of transform) yield chunk as Uint8Array;
  } catch (error) {
    await feeding;
    throw failure ?? error;
  } finally {
    transform.destroy();
    await feeding;
  }
}

/** Chunks of one size, since a compressor's output may depend on how its input is cut. */
async function* evenly(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let chunk = Buffer.allocUnsafe(chunkSize);
  let filled = 0;
  for await (const bytes of source) {
    if (filled === 0 && bytes.byteLength === chunkSize) {
      yield bytes;
      continue;
    }
    for (let at = 0; at < bytes.byteLength; ) {
      const some = bytes.subarray(at, at + chunkSize - filled);
      chunk.set(some, filled);
      filled += some.byteLength;
      at += some.byteLength;
      if (filled < chunkSize) continue;
      yield chunk;
      chunk = Buffer.allocUnsafe(chunkSize);
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

function compressor({ format, level }: CompressionChoice): Transform {
  if (format === "gzip") return createGzip({ chunkSize, level: level ?? 6 });
  const params = { [constants.ZSTD_c_compressionLevel]: level ?? 1 };
  return createZstdCompress({ chunkSize, params });
}
