import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { Fault } from "#base";
import type { Digest } from "#image";
import { idBytes } from "./chunk-id.ts";
import type { ChunkPlace } from "./chunk-table.ts";
import { maxAverage, spread } from "./chunker.ts";

/** A blob by its digest. */
export interface BlobRef {
  readonly digest: Digest;
  /** Bytes, as it is stored. */
  readonly size: number;
}

/** Chunks that are compressed together, in a pack. */
export interface Frame {
  /** A number in the list of packs. */
  readonly pack: number;
  /** Where its compressed bytes are in the pack. */
  readonly offset: number;
  readonly stored: number;
  /** Bytes that come out. */
  readonly plain: number;
}

/** A chunk of the stream, and where its bytes are. */
export interface SegmentChunk extends ChunkPlace {
  readonly id: Uint8Array;
}

/** A part of a stream: its chunks in order, the frames that have them, the packs of those. */
export interface Segment {
  readonly packs: readonly BlobRef[];
  readonly frames: readonly Frame[];
  readonly chunks: readonly SegmentChunk[];
}

/** The limits of a segment; more is refused, since each is held in memory. */
export const segmentLimits = {
  chunks: 16_384,
  /** Bytes of the encoded segment, compressed or not. */
  bytes: 4 << 20,
  /** Bytes of a frame. */
  frame: 2 * maxAverage * spread,
  /** Bytes of a pack. */
  pack: 256 << 20,
} as const;

const magic = Buffer.from("thimble volume segment 1\n");

/** A segment as bytes: a magic line, then packs, frames and chunks, with numbers as LEB128; compressed. */
export function encodeSegment({ packs, frames, chunks }: Segment): Buffer {
  const out = new Output(
    magic.length + packs.length * 40 + frames.length * 20 + chunks.length * 48,
  );
  out.bytes(magic);
  out.number(packs.length);
  for (const { digest, size } of packs) {
    out.bytes(Buffer.from(digest.slice("sha256:".length), "hex"));
    out.number(size);
  }
  out.number(frames.length);
  for (const { pack, offset, stored, plain } of frames)
    for (const each of [pack, offset, stored, plain]) out.number(each);
  out.number(chunks.length);
  for (const { id, frame, offset, length } of chunks) {
    out.bytes(id);
    for (const each of [frame, offset, length]) out.number(each);
  }
  const params = { [constants.ZSTD_c_compressionLevel]: 3 };
  return zstdCompressSync(out.done(), { params });
}

/** The segment of such bytes, which may be a stranger's: `invalid` where they are not one. */
export function decodeSegment(bytes: Uint8Array): Segment {
  const input = new Input(inflate(bytes));
  if (!input.bytes(magic.length).equals(magic)) throw damaged("it does not begin as one");
  const { chunks: maxChunks } = segmentLimits;
  const packs = list(input, maxChunks, () => ({
    digest: `sha256:${input.bytes(32).toString("hex")}` as Digest,
    size: input.number(segmentLimits.pack),
  }));
  const frames = list(input, maxChunks, (): Frame => {
    const pack = input.number(packs.length - 1);
    const offset = input.number(segmentLimits.pack);
    const stored = input.number(segmentLimits.frame);
    return { pack, offset, stored, plain: input.number(segmentLimits.frame) };
  });
  const chunks = list(input, maxChunks, (): SegmentChunk => {
    const id = input.bytes(idBytes);
    const frame = input.number(frames.length - 1);
    const { plain = 0 } = frames[frame] ?? {};
    const offset = input.number(plain);
    return { id, frame, offset, length: input.number(plain - offset) };
  });
  input.end();
  return { packs, frames, chunks };
}

function inflate(bytes: Uint8Array): Buffer {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: segmentLimits.bytes });
  } catch (cause) {
    throw damaged("it cannot be decompressed", cause);
  }
}

function list<T>(input: Input, limit: number, read: () => T): T[] {
  return Array.from({ length: input.number(limit) }, read);
}

function damaged(why: string, cause?: unknown): Fault {
  return new Fault("invalid", `a segment of the backup's index is damaged: ${why}`, { cause });
}

class Output {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(room: number) {
    // Three numbers of five bytes at the most beside each id, and the three counts.
    this.#buffer = Buffer.alloc(room + 64);
  }

  bytes(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  number(value: number): void {
    for (; value >= 0x80; value = Math.floor(value / 128))
      this.#buffer[this.#at++] = (value % 128) | 0x80;
    this.#buffer[this.#at++] = value;
  }

  done(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }
}

class Input {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  bytes(count: number): Buffer {
    if (this.#at + count > this.#buffer.length) throw damaged("it is cut off");
    this.#at += count;
    return this.#buffer.subarray(this.#at - count, this.#at);
  }

  /** A number of at most `limit`. */
  number(limit: number): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 36; factor *= 128) {
      const [byte = 0] = this.bytes(1);
      value += (byte & 0x7f) * factor;
      if (byte >= 0x80) continue;
      if (value > limit) break;
      return value;
    }
    throw damaged(`a number in it is above ${limit}`);
  }

  end(): void {
    if (this.#at < this.#buffer.length) throw damaged("there is more after its end");
  }
}
