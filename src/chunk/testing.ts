import { createCipheriv, createHash } from "node:crypto";
import type { Digest } from "#image";
import { type BackupKey, unseal } from "./seal.ts";
import { decodeSegment, type Segment } from "./segment.ts";
import { StreamReader } from "./stream-reader.ts";
import {
  type NewBlob,
  StreamWriter,
  type WriterOptions,
  type WrittenStream,
} from "./stream-writer.ts";

/** Bytes that look random, and are the same for the same seed. */
export function randomBytes(size: number, seed: string): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** A store of blobs in memory. */
export class MemoryBlobs {
  readonly blobs = new Map<Digest, Uint8Array>();
  /** The journal: what is in each pack. */
  readonly contents = new Map<Digest, Uint8Array>();

  /** Writes a stream over an earlier one; `sent` are the bytes of new blobs. */
  async write(
    bytes: Uint8Array,
    options: WriterOptions,
    base?: WrittenStream,
  ): Promise<{ written: WrittenStream; sent: number }> {
    const writer = new StreamWriter(options);
    for (const ref of base?.segments ?? []) {
      const segment = await this.segment(ref.digest, options.key);
      writer.know(segment, (pack) => this.blobs.has(pack), ref);
    }
    let sent = 0;
    const store = ({ ref, parts, ...rest }: NewBlob) => {
      this.blobs.set(ref.digest, Buffer.concat(parts));
      if ("contents" in rest) this.contents.set(ref.digest, rest.contents);
      sent += ref.size;
    };
    for (let at = 0; at < bytes.length; at += 100_000)
      for await (const blob of writer.add(bytes.subarray(at, at + 100_000))) store(blob);
    const rest = writer.finish();
    for (;;) {
      const next = await rest.next();
      if (next.done) return { written: next.value, sent };
      store(next.value);
    }
  }

  /** A stored segment, decrypted and decoded. */
  async segment(digest: Digest, key?: BackupKey): Promise<Segment> {
    return decodeSegment(await unseal(this.blobs.get(digest) ?? Buffer.alloc(0), key));
  }

  /** The stream again. */
  async read(written: WrittenStream, key?: BackupKey): Promise<Buffer> {
    const packs = new Map<Digest, Uint8Array>();
    for (const { digest } of written.packs)
      packs.set(digest, await unseal(this.blobs.get(digest) ?? Buffer.alloc(0), key));
    const reader = new StreamReader((pack, { offset, length }) => {
      const bytes = packs.get(pack) ?? Buffer.alloc(0);
      return bytes.subarray(offset, offset + length);
    }, key);
    const out: Uint8Array[] = [];
    for (const { digest } of written.segments)
      for (const chunk of reader.bytes(await this.segment(digest, key))) out.push(chunk);
    return Buffer.concat(out);
  }
}
