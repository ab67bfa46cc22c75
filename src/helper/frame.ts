import { Fault } from "#base";

/** u32 type, u32 length, little endian (native/init/wire.h). */
const headerLength = 8;
/** The helper writes no longer ones. */
const payloadLimit = 4096;

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

/** A frame; a number is written as u32, a bigint as u64. */
export function encodeFrame(type: number, ...values: readonly (number | bigint)[]): Uint8Array {
  const sizes = values.map((value) => (typeof value === "bigint" ? 8 : 4));
  const length = sizes.reduce((sum, size) => sum + size, 0);
  const bytes = Buffer.alloc(headerLength + length);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(length, 4);
  let at = headerLength;
  for (const value of values) {
    at =
      typeof value === "bigint"
        ? bytes.writeBigUInt64LE(value, at)
        : bytes.writeUInt32LE(value, at);
  }
  return bytes;
}

/** Cuts a byte stream into frames, however it is split up. */
export class FrameReader {
  #rest = Buffer.alloc(0);

  /** The frames that `bytes` completes; `data_loss` when this cannot be a stream of frames. */
  push(bytes: Uint8Array): Frame[] {
    this.#rest =
      this.#rest.byteLength === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  /** The number of bytes that complete the next header or frame. */
  get missing(): number {
    const { byteLength } = this.#rest;
    const wanted = byteLength < headerLength ? 0 : this.#rest.readUInt32LE(4);
    return headerLength + wanted - byteLength;
  }

  #next(): Frame | undefined {
    if (this.#rest.byteLength < headerLength) return undefined;
    const length = this.#rest.readUInt32LE(4);
    if (length > payloadLimit)
      throw new Fault(
        "data_loss",
        `a frame of the helper claims ${length} bytes, at most ${payloadLimit} are allowed`,
      );
    const end = headerLength + length;
    if (this.#rest.byteLength < end) return undefined;
    const frame = {
      type: this.#rest.readUInt32LE(0),
      payload: this.#rest.subarray(headerLength, end),
    };
    this.#rest = this.#rest.subarray(end);
    return frame;
  }
}

/** Reads a frame's payload from front to back; a frame that is too short is `data_loss`. */
export class PayloadReader {
  readonly #payload: Buffer;
  #at = 0;

  constructor(frame: Frame) {
    this.#payload = frame.payload;
  }

  u32(): number {
    return this.#payload.readUInt32LE(this.#advance(4));
  }

  u64(): bigint {
    return this.#payload.readBigUInt64LE(this.#advance(8));
  }

  /** The rest of the payload, as a text. */
  text(): string {
    const text = this.#payload.toString("utf8", this.#at);
    this.#at = this.#payload.byteLength;
    return text;
  }

  #advance(size: number): number {
    const at = this.#at;
    if (this.#payload.byteLength - at < size)
      throw new Fault("data_loss", "a frame of the helper is too short");
    this.#at += size;
    return at;
  }
}
