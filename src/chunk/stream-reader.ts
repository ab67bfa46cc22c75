import { zstdDecompressSync } from "node:zlib";
import { Fault } from "#base";
import type { Digest } from "#image";
import { type Namer, namerOf } from "./chunk-id.ts";
import { type BackupKey, secretOf } from "./seal.ts";
import type { Frame, Segment } from "./segment.ts";

/** Reads bytes of a pack, decrypted. */
export type ReadPack = (pack: Digest, range: { offset: number; length: number }) => Uint8Array;

/** Plain bytes of frames that are kept, since neighbours of a chunk are wanted soon. */
const keptBytes = 16 << 20;

/**
 * Puts a stream together again from its segments and packs. Every chunk is checked against its id:
 * another is `data_loss`.
 */
export class StreamReader {
  readonly #read: ReadPack;
  readonly #name: Namer;
  /** Least recently used first. */
  readonly #kept = new Map<string, Uint8Array>();
  #keptBytes = 0;

  constructor(read: ReadPack, key?: BackupKey) {
    this.#read = read;
    this.#name = namerOf(key && secretOf(key));
  }

  /** The bytes of a segment, chunk by chunk. */
  *bytes(segment: Segment): Generator<Uint8Array, void> {
    for (const { id, frame: number, offset, length } of segment.chunks) {
      const frame = segment.frames[number];
      const pack = frame && segment.packs[frame.pack];
      if (!pack) throw damaged("a chunk is nowhere");
      const bytes = this.#frame(frame, pack.digest).subarray(offset, offset + length);
      if (!this.#name(bytes).equals(id)) throw damaged(`a chunk in ${pack.digest} is another`);
      yield bytes;
    }
  }

  #frame(frame: Frame, pack: Digest): Uint8Array {
    const key = `${pack} ${frame.offset}`;
    const kept = this.#kept.get(key);
    if (kept) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept;
    }
    const plain = inflate(this.#read(pack, { offset: frame.offset, length: frame.stored }), frame);
    this.#kept.set(key, plain);
    this.#keptBytes += plain.length;
    for (const [old, bytes] of this.#kept) {
      if (this.#keptBytes <= keptBytes || old === key) break;
      this.#kept.delete(old);
      this.#keptBytes -= bytes.length;
    }
    return plain;
  }
}

function inflate(bytes: Uint8Array, { stored, plain }: Frame): Uint8Array {
  if (bytes.length < stored) throw damaged("a pack is shorter than the index says");
  if (stored === plain) return bytes;
  try {
    const out = zstdDecompressSync(bytes, { maxOutputLength: Math.max(plain, 1) });
    if (out.length === plain) return out;
  } catch (cause) {
    throw damaged("a frame cannot be decompressed", cause);
  }
  throw damaged("a frame has another length");
}

function damaged(why: string, cause?: unknown): Fault {
  return new Fault("data_loss", `the backup is damaged: ${why}`, { cause });
}
