import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { Fault, isFault } from "#base";
import { isHole } from "./hole.ts";
import { ZstdFrames } from "./zstd-frames.ts";

/** The ways in which a layer may be stored, each with a media type (image-spec layer.md). */
export type Compression = "none" | "gzip" | "zstd";

/** The ways in which an archive that is read may be stored. */
type Format = Compression | "xz";

export const chunkSize = 256 << 10;

/** Below 64 KiB gunzip is half as fast; with 256 KiB only the memory of a pull grows, by 20 MB. */
const plainChunkSize = 128 << 10;

const magics: readonly (readonly [Format | "bzip2", readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/**
 * The compression of a layer by its first bytes, of which 6 are needed. `unsupported` for bzip2 and
 * xz.
 */
export function detectCompression(head: Uint8Array): Compression {
  const format = detectFormat(head);
  if (format === "xz") {
    throw new Fault("unsupported", "a layer is compressed with xz; layers are plain, gzip or zstd");
  }
  return format;
}

/** Whether `decompress` would change anything, by the first bytes. */
export function isCompressed(head: Uint8Array): boolean {
  return detectFormat(head) !== "none";
}

function detectFormat(head: Uint8Array): Format {
  const found = magics.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0];
  if (found === "bzip2") {
    throw new Fault(
      "unsupported",
      "the archive is compressed with bzip2; decompress it first, or use gzip, zstd or xz",
    );
  }
  // A skippable zstd frame (RFC 8878, 3.1.2) may come first.
  const isSkippable =
    ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
  return isSkippable ? "zstd" : (found ?? "none");
}

/** How much an archive of a stranger may expand to; beyond a limit reading is `exhausted`. */
export interface ExpansionLimits {
  /** Bytes that may come out. */
  readonly bytes: number;
  /** Of these at most `allowance`, and `ratio` times the bytes that went in; long runs of zeros do not count. */
  readonly allowance: number;
  readonly ratio: number;
  /** Bytes in long runs of zeros that may come out: they take time, but no room on the disk. */
  readonly zeros: number;
}

/** For archives that this engine has packed itself. */
export const noExpansionLimits: ExpansionLimits = {
  ...{ bytes: Infinity, allowance: Infinity, ratio: Infinity, zeros: Infinity },
};

/**
 * Files seldom pass 20 to 1, and some of that is free. Repeated bytes become 1/230 with
 * gzip -1, 1/1,030 with gzip -9, less with zstd: an endless bomb ends before 1 GiB. Disk
 * images and databases have gigabytes of zeros; 64 GiB are a minute of work.
 */
const defaultExpansionLimits: ExpansionLimits = {
  bytes: 2 ** 40,
  allowance: 512 << 20,
  ratio: 100,
  zeros: 64 * 2 ** 30,
};

/**
 * 32 MiB: the most that tools use which make images, and four times what RFC 8878 (3.1.1.1.2) asks
 * for. Three layers at once must not need more memory than that.
 */
const zstdWindowLog = 25;

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
 * Chunks that come out are not reused; plain ones come through as the source gave them.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  limits: Partial<ExpansionLimits> = {},
): AsyncGenerator<Uint8Array, void> {
  const { bytes, ratio, allowance, zeros } = { ...defaultExpansionLimits, ...limits };
  const { head, whole } = await peek(source);
  const format = detectFormat(head);
  let inward = 0;
  let outward = 0;
  let inHoles = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array, void> {
    // The runtime's zstd takes the end of its input for the end of the data.
    const frames = format === "zstd" ? new ZstdFrames() : undefined;
    for await (const chunk of whole) {
      inward += chunk.byteLength;
      frames?.push(chunk);
      yield chunk;
    }
    frames?.finish();
  };
  for await (const chunk of through(counted(), format)) {
    outward += chunk.byteLength;
    if (outward > bytes) {
      throw new Fault("exhausted", `the archive unpacks to more than ${bytes} bytes`);
    }
    if (format !== "none" && isHole(chunk)) inHoles += chunk.byteLength;
    const isBomb = outward - inHoles > allowance + inward * ratio || inHoles > zeros;
    if (format !== "none" && isBomb) {
      throw new Fault(
        "exhausted",
        `the archive looks like a decompression bomb: ${inward} bytes became more than ${outward}`,
      );
    }
    yield chunk;
  }
}

/**
 * The output of a decompressor; the source is read to its end even when the decompressor's data
 * ends before it.
 */
async function* through(
  source: AsyncIterable<Uint8Array>,
  format: Format,
): AsyncGenerator<Uint8Array, void> {
  await using input = new Input(source);
  const out = await decompressor(input.feed(), format);
  try {
    for await (const chunk of out) yield chunk;
  } catch (error) {
    throw explain(input.fault ?? error, format);
  }
  // gzip(1) too passes over zeros that fill up a tape's block.
  await input.drain();
}

/** A source that can still be read when its reader (a decompressor) stops early. */
class Input implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #ended = false;
  /** Why the source failed. */
  fault: unknown;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  async *feed(): AsyncGenerator<Uint8Array, void> {
    for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk;
  }

  async drain(): Promise<void> {
    while (await this.#next());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    // A source that is stuck in `next` ends when it gets unstuck; this does not wait for it.
    const closing = Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
    await Promise.race([closing, setImmediate()]);
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    try {
      const next = await this.#iterator.next();
      this.#ended ||= next.done === true;
      return next.done ? undefined : next.value;
    } catch (error) {
      this.#ended = true;
      this.fault = error;
      throw error;
    }
  }
}

async function decompressor(
  source: AsyncIterable<Uint8Array>,
  format: Format,
): Promise<AsyncIterable<Uint8Array>> {
  if (format === "none") return source;
  if (format === "xz") {
    const { XzReadableStream } = await import("xz-decompress");
    const stream = Readable.toWeb(Readable.from(source)) as unknown as ReadableStream<Uint8Array>;
    return new XzReadableStream(stream);
  }
  const params = { [constants.ZSTD_d_windowLogMax]: zstdWindowLog };
  const options = { chunkSize: plainChunkSize };
  const transform =
    format === "gzip" ? createGunzip(options) : createZstdDecompress({ ...options, params });
  // Its errors come out of the transform as well.
  pipeline(Readable.from(source), transform).catch(() => undefined);
  return transform;
}

function explain(error: unknown, format: Format): unknown {
  if (isFault(error)) return error;
  const code = (error as { readonly code?: unknown }).code;
  const isOfData =
    format === "xz" || (typeof code === "string" && /^(Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(code));
  if (!isOfData) return error;
  const why = error instanceof Error ? error.message : String(error);
  if (code === "ZSTD_error_frameParameter_windowTooLarge") {
    return new Fault(
      "unsupported",
      `the zstd data needs more than ${2 ** (zstdWindowLog - 20)} MiB of memory to decompress; compress it with level 20 at most, and without --long`,
      { cause: error },
    );
  }
  return new Fault("invalid", `the ${format} data is damaged or cut off: ${why}`, {
    cause: error,
  });
}
