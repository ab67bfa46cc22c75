import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  constants,
  createGunzip,
  createGzip,
  createZstdCompress,
  createZstdDecompress,
} from "node:zlib";
import { Fault } from "#base";
import { ZstdFrames } from "./zstd-frames.ts";

export type Compression = "none" | "gzip" | "zstd";

/** Below 64 KiB gunzip is half as fast; above this nothing is gained. */
export const chunkSize = 256 << 10;

const magics: readonly (readonly [Compression | "bzip2" | "xz", readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** By the first bytes (6 or more, unless the stream is shorter). bzip2 and xz are `unsupported`. */
export function detectCompression(head: Uint8Array): Compression {
  const found = magics.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0];
  if (found === "bzip2" || found === "xz") {
    throw new Fault(
      "unsupported",
      `the archive is compressed with ${found}; decompress it first, or use gzip or zstd`,
    );
  }
  // A skippable zstd frame (RFC 8878, 3.1.2) may come first.
  const isSkippable =
    ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
  return isSkippable ? "zstd" : (found ?? "none");
}

export interface ExpansionLimits {
  /** Bytes that may come out. */
  readonly bytes: number;
  /** Times the bytes that went in, once more than `ratioFrom` have come out. */
  readonly ratio: number;
  readonly ratioFrom: number;
}

/** gzip cannot pass 1,032 to 1, and an image of files seldom passes 20. */
const defaultExpansionLimits: ExpansionLimits = {
  bytes: 2 ** 40,
  ratio: 400,
  ratioFrom: 2 ** 30,
};

function decompressor(compression: Compression): Transform | undefined {
  if (compression === "gzip") return createGunzip({ chunkSize });
  // windowLog 27 (128 MiB) is what the zstd command accepts without --long.
  const params = { [constants.ZSTD_d_windowLogMax]: 27 };
  return compression === "zstd" ? createZstdDecompress({ chunkSize, params }) : undefined;
}

/** Reads far enough ahead to see the magic bytes, and gives the stream back whole. */
async function peek(
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly head: Buffer; readonly whole: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const read: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  while (size < 6 && !ended) {
    const next = await iterator.next();
    if (next.done) ended = true;
    else {
      read.push(next.value);
      size += next.value.byteLength;
    }
  }
  const rest = async function* (): AsyncGenerator<Uint8Array, void> {
    try {
      yield* read;
      while (!ended) {
        const next = await iterator.next();
        ended = next.done === true;
        if (!next.done) yield next.value;
      }
    } finally {
      if (!ended) await iterator.return?.();
    }
  };
  return { head: Buffer.concat(read), whole: rest() };
}

/**
 * The plain bytes of a stream that may be compressed, told by its first bytes.
 * Damaged or cut-off data is `invalid`; a bomb is `exhausted` before it has done harm.
 * Chunks that come out are not reused.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  limits: Partial<ExpansionLimits> = {},
): AsyncGenerator<Uint8Array, void> {
  const { bytes, ratio, ratioFrom } = { ...defaultExpansionLimits, ...limits };
  const { head, whole } = await peek(source);
  const compression = detectCompression(head);
  let inward = 0;
  let outward = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array, void> {
    // The runtime's zstd takes the end of its input for the end of the data.
    const frames = compression === "zstd" ? new ZstdFrames() : undefined;
    for await (const chunk of whole) {
      inward += chunk.byteLength;
      frames?.push(chunk);
      yield chunk;
    }
    frames?.finish();
  };
  for await (const chunk of through(counted(), decompressor(compression), compression)) {
    outward += chunk.byteLength;
    if (outward > bytes) {
      throw new Fault("exhausted", `the archive unpacks to more than ${bytes} bytes`);
    }
    if (outward > ratioFrom && outward > inward * ratio) {
      throw new Fault(
        "exhausted",
        `the archive looks like a decompression bomb: ${inward} bytes became more than ${outward}`,
      );
    }
    yield chunk;
  }
}

async function* through(
  source: AsyncIterable<Uint8Array>,
  transform: Transform | undefined,
  compression: Compression,
): AsyncGenerator<Uint8Array, void> {
  if (!transform) {
    yield* source;
    return;
  }
  let fault: unknown;
  const done = pipeline(Readable.from(source), transform).catch((error: unknown) => {
    fault = error;
  });
  try {
    for await (const chunk of transform) yield chunk as Uint8Array;
  } catch (error) {
    await done;
    throw explain(fault ?? error, compression);
  } finally {
    transform.destroy();
    await done;
  }
  if (fault !== undefined) throw explain(fault, compression);
}

function explain(error: unknown, compression: Compression): unknown {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== "string" || !/^(Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(code)) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new Fault("invalid", `the ${compression} data is damaged or cut off: ${why}`, {
    cause: error,
  });
}

/** Compresses; the same bytes always give the same result (gzip without name and time). */
export function compress(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
): AsyncGenerator<Uint8Array, void> {
  return through(evenly(source), compressor(compression), compression);
}

/** What a compressor puts out may depend on how its input is cut. */
async function* evenly(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let chunk = Buffer.allocUnsafe(chunkSize);
  let filled = 0;
  for await (const bytes of source) {
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

function compressor(compression: Compression): Transform | undefined {
  if (compression === "gzip") return createGzip({ chunkSize, level: 6 });
  const params = { [constants.ZSTD_c_compressionLevel]: 1 };
  return compression === "zstd" ? createZstdCompress({ chunkSize, params }) : undefined;
}
