import { createHmac } from "node:crypto";
import { Fault } from "#base";

/** The bounds of the average size of chunks, in bytes; it is a power of two. */
export const minAverage = 4 << 10;
/** As `minAverage`. */
export const maxAverage = 4 << 20;

/** A chunk is at most that many times as long as the average, and at least one part of that many. */
export const spread = 4;

/**
 * Cuts a stream into chunks where its content says so, so that a change moves the boundaries near
 * it alone: FastCDC (Xia and others, USENIX ATC 2016) with its normalized chunking of level 2. A
 * secret moves all boundaries, so that lengths of chunks do not tell what is in them.
 */
export class Chunker {
  readonly #gear: Uint32Array;
  readonly #min: number;
  readonly #average: number;
  readonly #max: number;
  readonly #strict: number;
  readonly #loose: number;
  readonly #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  #scanned = 0;
  #hash = 0;

  /** @param average bytes, see `minAverage`; `invalid` for others */
  constructor({
    average,
    secret,
  }: {
    readonly average: number;
    readonly secret?: Uint8Array | undefined;
  }) {
    checkAverage(average);
    const bits = Math.log2(average);
    this.#gear = gearTable(secret);
    this.#min = average / spread;
    this.#average = average;
    this.#max = average * spread;
    this.#strict = topBits(bits + 2);
    this.#loose = topBits(bits - 2);
    this.#buffer = new Uint8Array(this.#max * 2);
  }

  /** The chunks that these bytes complete; each is valid until the next is asked for. */
  *push(bytes: Uint8Array): Generator<Uint8Array, void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#buffer.length - this.#end < this.#max) this.#compact();
      const some = bytes.subarray(at, at + this.#buffer.length - this.#end);
      this.#buffer.set(some, this.#end);
      this.#end += some.length;
      at += some.length;
      yield* this.#complete();
    }
  }

  /** The last chunk, if there is one. */
  *finish(): Generator<Uint8Array, void> {
    yield* this.#complete();
    if (this.#end > this.#start) yield this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
  }

  *#complete(): Generator<Uint8Array, void> {
    for (let length = this.#cut(); length > 0; length = this.#cut()) {
      const start = this.#start;
      this.#start += length;
      yield this.#buffer.subarray(start, start + length);
    }
  }

  #compact(): void {
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }

  /** The length of the next chunk; 0 as long as it is not known. */
  #cut(): number {
    const gear = this.#gear;
    const buffer = this.#buffer;
    const start = this.#start;
    const limit = Math.min(this.#end - start, this.#max);
    const normal = Math.min(this.#average, limit);
    let at = Math.max(this.#scanned, this.#min);
    let hash = this.#hash;
    for (; at < normal; at++) {
      hash = ((hash << 1) + (gear[buffer[start + at] as number] as number)) | 0;
      if ((hash & this.#strict) === 0) return this.#found(at + 1);
    }
    for (; at < limit; at++) {
      hash = ((hash << 1) + (gear[buffer[start + at] as number] as number)) | 0;
      if ((hash & this.#loose) === 0) return this.#found(at + 1);
    }
    if (limit === this.#max) return this.#found(limit);
    this.#scanned = at;
    this.#hash = hash;
    return 0;
  }

  #found(length: number): number {
    this.#scanned = 0;
    this.#hash = 0;
    return length;
  }
}

/** `invalid` unless it is a power of two within the bounds. */
function checkAverage(average: number): void {
  const isPower = Number.isInteger(Math.log2(average));
  if (isPower && average >= minAverage && average <= maxAverage) return;
  throw new Fault(
    "invalid",
    `chunks of ${average} bytes: a power of two from ${minAverage} to ${maxAverage} is expected`,
  );
}

/** The highest bits of 32, which depend on the last bytes most evenly. */
function topBits(count: number): number {
  return -1 << (32 - count);
}

function gearTable(secret: Uint8Array = Buffer.from("thimble volume chunks")): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) =>
    createHmac("sha256", secret).update(`boundary ${byte}`).digest().readUInt32LE(0),
  );
}
