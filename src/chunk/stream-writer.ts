import { constants, zstdCompressSync } from "node:zlib";
import { type Digest, Digester } from "#image";
import { type Namer, namerOf } from "./chunk-id.ts";
import { ChunkTable, firstWord } from "./chunk-table.ts";
import { Chunker, spread } from "./chunker.ts";
import { type BackupKey, seal, secretOf } from "./seal.ts";
import {
  type BlobRef,
  encodeSegment,
  type Frame,
  type Segment,
  type SegmentChunk,
  segmentLimits,
} from "./segment.ts";

/** How a stream is cut and packed, and what is stored of it already. */
export interface WriterOptions {
  /** Bytes of a chunk on average; a power of two. */
  readonly average: number;
  /** Bytes of a pack, about. */
  readonly packBytes: number;
  /** Encrypts all blobs. */
  readonly key?: BackupKey | undefined;
}

/** A blob to store, and what it is. */
export type NewBlob =
  | {
      readonly kind: "pack";
      readonly ref: BlobRef;
      /** Its bytes in parts, which are not put together for nothing. */
      readonly parts: readonly Uint8Array[];
      /** The segment of the pack's chunks, encoded. */
      readonly contents: Uint8Array;
    }
  | { readonly kind: "segment"; readonly ref: BlobRef; readonly parts: readonly Uint8Array[] };

/** A segment's blob, with the name of its plain bytes. */
export interface SegmentRef extends BlobRef {
  /** 64 hexadecimal digits. */
  readonly id: string;
}

/** A whole stream: its segments in order, and the packs that they refer to. */
export interface WrittenStream {
  readonly segments: readonly SegmentRef[];
  readonly packs: readonly BlobRef[];
  /** Bytes of the stream. */
  readonly size: number;
  readonly chunks: number;
}

const smallFrame = 256 << 10;
const fewChunks = 1024;

/**
 * Cuts a stream into chunks, and packs those that are new. Chunks that are written together are
 * compressed together, in frames, and many frames make a pack, so that a volume is some hundred
 * blobs. What it gives is to be stored in that order: then a blob never refers to a missing one.
 */
export class StreamWriter {
  readonly #options: WriterOptions;
  readonly #chunker: Chunker;
  readonly #name: Namer;
  readonly #table = new ChunkTable();
  readonly #packs: BlobRef[] = [];
  readonly #packNumbers = new Map<Digest, number>();
  readonly #frames: Frame[] = [];
  readonly #segments = new Map<string, SegmentRef>();
  readonly #frame: Buffer;
  #frameFilled = 0;
  #pack: Buffer[] = [];
  #packFilled = 0;
  /** The first chunk of the pack under way. */
  #packFirst = 0;
  /** The numbers of the stream's chunks. */
  #order = new Uint32Array(4096);
  #count = 0;
  #size = 0;

  constructor(options: WriterOptions) {
    const { average, key } = options;
    const secret = key && secretOf(key);
    this.#options = options;
    this.#chunker = new Chunker({ average, secret });
    this.#name = namerOf(secret);
    this.#frame = Buffer.alloc(Math.max(smallFrame, average * spread) + average * spread);
  }

  /**
   * Chunks that are stored already, in packs that `isUsable` accepts, before the first `add`. A
   * segment that is itself stored comes with its blob.
   */
  know(segment: Segment, isUsable: (pack: Digest) => boolean, stored?: SegmentRef): void {
    const frames = segment.frames.map((frame) => {
      const pack = segment.packs[frame.pack];
      return pack && isUsable(pack.digest) ? this.#knownFrame(frame, pack) : -1;
    });
    for (const chunk of segment.chunks) {
      const frame = frames[chunk.frame] ?? -1;
      if (frame >= 0 && this.#table.find(chunk.id) < 0)
        this.#table.add(chunk.id, { ...chunk, frame });
    }
    this.#packFirst = this.#table.count;
    if (stored) this.#segments.set(stored.id, stored);
  }

  /** Adds bytes to the stream; the packs that they fill. */
  async *add(bytes: Uint8Array): AsyncGenerator<NewBlob, void> {
    this.#size += bytes.length;
    for (const chunk of this.#chunker.push(bytes)) {
      this.#take(chunk);
      if (this.#isPackFull()) yield await this.#closePack();
    }
  }

  /** The last packs, and the segments that are not stored yet. */
  async *finish(): AsyncGenerator<NewBlob, WrittenStream> {
    for (const chunk of this.#chunker.finish()) this.#take(chunk);
    if (this.#frameFilled > 0 || this.#packFilled > 0) yield await this.#closePack();
    const segments: SegmentRef[] = [];
    for (const segment of this.#cutSegments()) {
      const plain = encodeSegment(segment);
      const id = this.#name(plain).toString("hex");
      const stored = this.#segments.get(id);
      if (stored) segments.push(stored);
      else {
        const blob = await this.#blobOf([plain]);
        segments.push({ ...blob.ref, id });
        yield { kind: "segment", ...blob };
      }
    }
    return { segments, packs: this.#usedPacks(), size: this.#size, chunks: this.#count };
  }

  #knownFrame(frame: Frame, pack: BlobRef): number {
    let number = this.#packNumbers.get(pack.digest);
    if (number === undefined) {
      number = this.#packs.push(pack) - 1;
      this.#packNumbers.set(pack.digest, number);
    }
    return this.#frames.push({ ...frame, pack: number }) - 1;
  }

  #take(chunk: Uint8Array): void {
    const id = this.#name(chunk);
    let number = this.#table.find(id);
    if (number < 0) {
      const place = { frame: this.#frames.length, offset: this.#frameFilled };
      number = this.#table.add(id, { ...place, length: chunk.length });
      this.#frame.set(chunk, this.#frameFilled);
      this.#frameFilled += chunk.length;
      if (this.#frameFilled >= this.#frame.length - this.#options.average * spread)
        this.#closeFrame();
    }
    if (this.#count === this.#order.length) {
      const longer = new Uint32Array(this.#count * 2);
      longer.set(this.#order);
      this.#order = longer;
    }
    this.#order[this.#count++] = number;
  }

  /** Bytes that do not get smaller stay as they are: then `stored` is `plain`. */
  #closeFrame(): void {
    if (this.#frameFilled === 0) return;
    const plain = this.#frame.subarray(0, this.#frameFilled);
    const params = { [constants.ZSTD_c_compressionLevel]: 1 };
    const compressed = zstdCompressSync(plain, { params });
    const bytes = compressed.length < plain.length ? compressed : Buffer.from(plain);
    const pack = this.#packs.length;
    this.#frames.push({
      pack,
      offset: this.#packFilled,
      stored: bytes.length,
      plain: plain.length,
    });
    this.#pack.push(bytes);
    this.#packFilled += bytes.length;
    this.#frameFilled = 0;
  }

  #isPackFull(): boolean {
    const chunks = this.#table.count - this.#packFirst;
    return this.#packFilled >= this.#options.packBytes || chunks >= segmentLimits.chunks;
  }

  async #closePack(): Promise<NewBlob> {
    this.#closeFrame();
    const { ref, parts } = await this.#blobOf(this.#pack);
    const numbers = function* (from: number, to: number) {
      for (let number = from; number < to; number++) yield number;
    };
    this.#packs.push(ref);
    const contents = encodeSegment(this.#segmentOf(numbers(this.#packFirst, this.#table.count)));
    this.#pack = [];
    this.#packFilled = 0;
    this.#packFirst = this.#table.count;
    return { kind: "pack", ref, parts, contents };
  }

  async #blobOf(
    plain: readonly Uint8Array[],
  ): Promise<{ readonly ref: BlobRef; readonly parts: readonly Uint8Array[] }> {
    const { key } = this.#options;
    const parts = key ? [await seal(Buffer.concat(plain), key)] : plain;
    const digester = new Digester();
    let size = 0;
    for (const part of parts) {
      digester.update(part);
      size += part.length;
    }
    return { ref: { digest: digester.digest(), size }, parts };
  }

  /**
   * The stream's chunks in parts that are cut by their content as well: what did not change gives
   * the same segments again.
   */
  *#cutSegments(): Generator<Segment, void> {
    for (let start = 0; start < this.#count; ) {
      let end = start + 1;
      while (end < this.#count && !this.#endsSegment(end, end - start)) end++;
      yield this.#segmentOf(this.#order.subarray(start, end));
      start = end;
    }
  }

  /** Whether a segment of that length ends before the chunk at `end`. */
  #endsSegment(end: number, length: number): boolean {
    if (length >= segmentLimits.chunks) return true;
    const id = this.#table.idOf(this.#order[end - 1] as number);
    return length >= fewChunks && (firstWord(id) & 0xfff) === 0;
  }

  /** With lists of its own, numbered in the order in which they are met. */
  #segmentOf(numbers: Iterable<number>): Segment {
    const packs = new Numbering();
    const frames = new Numbering();
    const chunks: SegmentChunk[] = [];
    for (const number of numbers) {
      const place = this.#table.placeOf(number);
      const id = this.#table.idOf(number);
      chunks.push({ ...place, id, frame: frames.numberOf(place.frame) });
    }
    const ownFrames = frames.all.map((number): Frame => {
      const frame = this.#frames[number] as Frame;
      return { ...frame, pack: packs.numberOf(frame.pack) };
    });
    return {
      packs: packs.all.map((number) => this.#packs[number] as BlobRef),
      frames: ownFrames,
      chunks,
    };
  }

  #usedPacks(): readonly BlobRef[] {
    const used = new Set<number>();
    for (const number of this.#order.subarray(0, this.#count)) {
      const { frame } = this.#table.placeOf(number);
      used.add((this.#frames[frame] as Frame).pack);
    }
    return [...used].map((number) => this.#packs[number] as BlobRef);
  }
}

/** Numbers things anew, from 0, in the order in which they are met. */
class Numbering {
  readonly all: number[] = [];
  readonly #numbers = new Map<number, number>();

  numberOf(thing: number): number {
    let number = this.#numbers.get(thing);
    if (number === undefined) {
      number = this.all.push(thing) - 1;
      this.#numbers.set(thing, number);
    }
    return number;
  }
}
