import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Fault } from "#base";
import type { BlobRef } from "#chunk";
import { type Digest, digestPath, maxDocumentBytes } from "#image";
import type { Bucket } from "#s3";
import type { BackupStore } from "./backup-store.ts";

/** Bytes of a part of an upload; S3 wants 5 MiB at least. */
const partBytes = 8 << 20;

/** Bytes that are asked for at once. */
const windowBytes = 4 << 20;

/** Milliseconds for which a blob is left alone: another engine may be about to refer to it. */
const graceMs = 24 * 3600_000;

/** Objects below a prefix of a bucket: "blobs/sha256/HEX" and "manifests/TAG". */
export class S3BackupStore implements BackupStore {
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #signal: AbortSignal;
  readonly #now: () => number;

  /** @param now milliseconds since the epoch */
  constructor(
    bucket: Bucket,
    { prefix, signal, now = Date.now }: { prefix: string; signal: AbortSignal; now?: () => number },
  ) {
    this.#bucket = bucket;
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
    this.#signal = signal;
    this.#now = now;
  }

  async has(digest: Digest): Promise<boolean> {
    this.#signal.throwIfAborted();
    return (await this.#bucket.stat(this.#blob(digest))) !== undefined;
  }

  async put({ digest, size }: BlobRef, path: string): Promise<boolean> {
    if (await this.has(digest)) return false;
    const key = this.#blob(digest);
    if (size <= partBytes) await this.#bucket.put(key, await readFile(path));
    else await this.#putParts(key, path);
    return true;
  }

  /** In parts, so that a slow line is no timeout, and memory holds one part. */
  async #putParts(key: string, path: string): Promise<void> {
    const uploadId = await this.#bucket.createUpload(key);
    try {
      const parts: { readonly number: number; readonly etag: string }[] = [];
      const source = createReadStream(path, { highWaterMark: partBytes });
      for await (const bytes of source) {
        this.#signal.throwIfAborted();
        const number = parts.length + 1;
        const etag = await this.#bucket.uploadPart(key, { uploadId, number, bytes });
        if (etag === undefined) throw this.#gone(key);
        parts.push({ number, etag });
      }
      if (!(await this.#bucket.completeUpload(key, { uploadId, parts }))) throw this.#gone(key);
    } catch (error) {
      await this.#bucket.abortUpload(key, uploadId);
      throw error;
    }
  }

  read({ digest }: BlobRef): AsyncIterable<Uint8Array> {
    return this.#read(this.#blob(digest));
  }

  async *#read(key: string): AsyncGenerator<Uint8Array, void> {
    const found = await this.#bucket.stat(key);
    if (!found) throw this.#gone(key);
    for (let start = 0; start < found.size; start += windowBytes) {
      this.#signal.throwIfAborted();
      const end = Math.min(found.size, start + windowBytes);
      const bytes = await this.#bucket.getRange(key, { start, end, etag: found.etag });
      if (!bytes) throw this.#gone(key);
      yield bytes;
    }
  }

  #gone(key: string): Fault {
    return new Fault("data_loss", `${key} is missing in the bucket ${this.#bucket.name}`, {
      about: key,
    });
  }

  async manifest(tag: string): Promise<Uint8Array | undefined> {
    const key = `${this.#prefix}manifests/${tag}`;
    const found = await this.#bucket.stat(key);
    if (!found) return undefined;
    if (found.size > maxDocumentBytes) throw new Fault("invalid", `${key} is larger than 4 MiB`);
    return Buffer.concat(await Array.fromAsync(this.#read(key)));
  }

  async putManifest(tag: string, bytes: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted();
    await this.#bucket.put(`${this.#prefix}manifests/${tag}`, bytes);
  }

  async *tags(): AsyncIterable<string> {
    for await (const { name } of this.#list("manifests/")) yield name;
  }

  async remove(tag: string): Promise<void> {
    await this.#bucket.delete(`${this.#prefix}manifests/${tag}`);
  }

  async collect(blobsOf: (manifest: Uint8Array) => readonly Digest[]): Promise<number> {
    // Blobs first: those of a backup that is made meanwhile are then not among them.
    const blobs = await Array.fromAsync(this.#list("blobs/"));
    const kept = new Set<string>();
    for await (const tag of this.tags())
      for (const digest of blobsOf((await this.manifest(tag)) ?? Buffer.from("{}")))
        kept.add(digestPath(digest));
    let bytes = 0;
    for (const { name, size, modified } of blobs) {
      if (kept.has(name) || this.#now() - modified < graceMs) continue;
      this.#signal.throwIfAborted();
      await this.#bucket.delete(`${this.#prefix}blobs/${name}`);
      bytes += size;
    }
    return bytes;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #blob(digest: Digest): string {
    return `${this.#prefix}blobs/${digestPath(digest)}`;
  }

  /** The objects in a directory, by their names below it. */
  async *#list(
    directory: string,
  ): AsyncGenerator<{ name: string; size: number; modified: number }, void> {
    const prefix = `${this.#prefix}${directory}`;
    let startAfter: string | undefined;
    for (;;) {
      this.#signal.throwIfAborted();
      const page = await this.#bucket.list({ prefix, ...(startAfter && { startAfter }) });
      for (const { key, size = 0, lastModified } of page.contents ?? []) {
        startAfter = key;
        yield { name: key.slice(prefix.length), size, modified: Date.parse(lastModified ?? "") };
      }
      if (!page.isTruncated || !page.contents?.length) return;
    }
  }
}
