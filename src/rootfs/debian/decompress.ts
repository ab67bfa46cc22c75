import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { XzReadableStream } from "xz-decompress";
import { Fault } from "#base";
import type { Compression } from "./archive.ts";

/**
 * The bytes of a compressed stream. A damaged or truncated one is a `data_loss`
 * Fault, but for a truncated zstd stream, which just ends (Bun's decoder does not
 * tell): the tar reader behind it does. xz is decoded by a WebAssembly build of xz-embedded (decision 0002); it
 * keeps one context per thread, a second stream waits for the first to be read to
 * its end.
 */
export async function* decompress(
  source: Readable,
  compression: Compression,
  about: string,
): AsyncGenerator<Uint8Array> {
  try {
    if (compression === "none") yield* source as AsyncIterable<Uint8Array>;
    else if (compression === "xz")
      yield* new XzReadableStream(Readable.toWeb(source) as unknown as ReadableStream<Uint8Array>);
    else {
      const decoder =
        compression === "gzip"
          ? createGunzip({ chunkSize: 1 << 17 })
          : createZstdDecompress({ chunkSize: 1 << 17 });
      source.once("error", (error) => decoder.destroy(error));
      yield* source.pipe(decoder) as AsyncIterable<Uint8Array>;
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(
      "data_loss",
      `${about} cannot be decompressed (${compression}): ${String(error)}`,
      {
        about,
        cause: error,
      },
    );
  } finally {
    source.destroy();
  }
}
