import { type FileHandle, open } from "node:fs/promises";
import { Fault, type Log } from "#base";
import { type Digest, digestAlgorithm } from "#image";
import { layout, type RepositoryName } from "./layout.ts";
import type { ObjectStore } from "./object-store.ts";
import type { UpstreamBlob } from "./registry-server.ts";
import type { Uploads } from "./uploads.ts";

interface FetchParts {
  readonly store: ObjectStore;
  readonly uploads: Uploads;
  readonly log: Log;
}

interface Wanted {
  readonly name: RepositoryName;
  readonly digest: Digest;
}

/** Blobs on their way from an upstream: one fetch for a blob of a repository, however many ask. */
export class BlobFetches {
  readonly #parts: FetchParts;
  readonly #running = new Map<string, Promise<BlobFetch | undefined>>();

  constructor(parts: FetchParts) {
    this.#parts = parts;
  }

  /**
   * Joins the fetch that runs, or begins one; `ask` gives the upstream's answer, undefined when it
   * has no such blob. Its bytes come as they arrive, the last one once all of them are checked and
   * kept: a wrong blob is never passed off as whole.
   */
  async read(
    wanted: Wanted,
    ask: () => Promise<UpstreamBlob | undefined>,
  ): Promise<{ readonly size: number; readonly bytes: AsyncIterable<Uint8Array> } | undefined> {
    const key = `${wanted.name}@${wanted.digest}`;
    let running = this.#running.get(key);
    if (!running) {
      running = this.#begin(wanted, ask, () => this.#running.delete(key));
      this.#running.set(key, running);
    }
    const fetch = await running;
    return fetch && { size: fetch.size, bytes: fetch.read() };
  }

  async #begin(
    wanted: Wanted,
    ask: () => Promise<UpstreamBlob | undefined>,
    forget: () => void,
  ): Promise<BlobFetch | undefined> {
    try {
      const found = await ask();
      if (!found) forget();
      return found && new BlobFetch(this.#parts, wanted, { found, onEnd: forget });
    } catch (error) {
      forget();
      throw error;
    }
  }
}

/** Bytes of a reader at a time. */
const readBytes = 256 << 10;

/**
 * One blob on its way into the store. Where the store has files, all readers read the file as it
 * grows, each as fast as it likes, and none of them holds up the fetch. Elsewhere the first reader
 * gets the bytes as they pass, and the others once they are kept.
 */
class BlobFetch {
  readonly size: number;
  readonly #parts: FetchParts;
  readonly #wanted: Wanted;
  readonly #queue: PassingBytes | undefined;
  #file: FileHandle | undefined;
  #written = 0;
  #readers = 0;
  #isQueueTaken = false;
  #end: { readonly error?: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(
    parts: FetchParts,
    wanted: Wanted,
    { found, onEnd }: { readonly found: UpstreamBlob; readonly onEnd: () => void },
  ) {
    this.size = found.size;
    this.#parts = parts;
    this.#wanted = wanted;
    this.#queue = parts.store.filePath ? undefined : new PassingBytes();
    void this.#keep(found)
      .then(
        () => this.#finish({}),
        (error: unknown) => {
          parts.log.warn("a blob from the upstream was not kept", { ...wanted, error });
          this.#finish({ error });
        },
      )
      .finally(onEnd);
  }

  /** To be read once, or to be ended by `return`. */
  read(): AsyncIterable<Uint8Array> {
    if (!this.#queue) return this.#growingFile();
    if (this.#isQueueTaken) return this.#later();
    this.#isQueueTaken = true;
    return this.#queue;
  }

  async #keep(found: UpstreamBlob): Promise<void> {
    const { uploads } = this.#parts;
    const { name, digest } = this.#wanted;
    const id = await uploads.begin(name, digestAlgorithm(digest));
    try {
      const stream = this.#passing(found, layout.uploadData(name, id));
      await uploads.finish(name, id, { digest, body: { stream } });
    } catch (error) {
      await uploads.cancel(name, id).catch(() => undefined);
      throw error;
    }
  }

  async *#passing(found: UpstreamBlob, key: string): AsyncGenerator<Uint8Array> {
    const { store } = this.#parts;
    let total = 0;
    for await (const chunk of found.stream) {
      total += chunk.byteLength;
      if (total > this.size) break;
      // The last byte stays here until all of them are checked.
      await this.#queue?.offer(total < this.size ? chunk : chunk.subarray(0, -1));
      yield chunk;
      // It is written now: the next one is asked for.
      if (store.filePath && !this.#file) this.#file = await open(store.filePath(key), "r");
      this.#written = total;
      this.#change();
      if (total === this.size) this.#queue?.hold(chunk.subarray(-1));
    }
    if (total === this.size) return;
    const sent = total > this.size ? "more" : String(total);
    throw new Fault("data_loss", `the upstream promised ${this.size} bytes and sent ${sent}`);
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#end = end;
    this.#queue?.end(end);
    this.#change();
    this.#closeUnused();
  }

  #growingFile(): AsyncIterable<Uint8Array> {
    let at = 0;
    let isOpen = true;
    this.#readers++;
    const leave = () => {
      if (!isOpen) return;
      isOpen = false;
      this.#readers--;
      this.#closeUnused();
    };
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      try {
        const there = await this.#until(() => Math.min(this.#written, this.size - 1) > at);
        if (at < there) {
          const buffer = Buffer.allocUnsafe(Math.min(readBytes, there - at));
          const { bytesRead } = (await this.#file?.read(buffer, 0, buffer.length, at)) ?? {
            bytesRead: 0,
          };
          if (bytesRead === 0) throw new Fault("data_loss", "a blob became shorter on its way");
          at += bytesRead;
          return { done: false, value: buffer.subarray(0, bytesRead) };
        }
        leave();
        return { done: true, value: undefined };
      } catch (error) {
        leave();
        throw error;
      }
    };
    const end = async () => {
      leave();
      return { done: true as const, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
  }

  /**
   * How far may be read: all once it is kept, before that once there is `enough`. Throws the fault
   * of the fetch.
   */
  async #until(enough: () => boolean): Promise<number> {
    for (;;) {
      if (this.#end && "error" in this.#end) throw this.#end.error;
      if (this.#end) return this.size;
      if (enough()) return Math.min(this.#written, this.size - 1);
      await this.#changed.promise;
    }
  }

  async *#later(): AsyncGenerator<Uint8Array> {
    await this.#until(() => false);
    yield* this.#parts.store.read(layout.blob(this.#wanted.digest));
  }

  #closeUnused(): void {
    if (!this.#end || this.#readers > 0) return;
    void this.#file?.close();
    this.#file = undefined;
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

const queued = 4 << 20;

/**
 * Fetched bytes that the one reader has not taken yet: at most about 4 MiB, then the fetching
 * waits.
 */
class PassingBytes implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  #held: Uint8Array | undefined;
  #size = 0;
  #isGone = false;
  #ended: { readonly error?: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  async offer(chunk: Uint8Array): Promise<void> {
    if (this.#isGone || chunk.byteLength === 0) return;
    this.#chunks.push(Buffer.from(chunk));
    this.#size += chunk.byteLength;
    this.#change();
    while (this.#size > queued && !this.#isGone) await this.#changed.promise;
  }

  /** Given out when it ended well. */
  hold(chunk: Uint8Array): void {
    this.#held = Buffer.from(chunk);
  }

  end(end: { readonly error?: unknown }): void {
    this.#ended = end;
    this.#change();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.#isGone = true;
        this.#chunks.length = 0;
        this.#change();
        return { done: true, value: undefined };
      },
    };
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#size -= chunk.byteLength;
        this.#change();
        return { done: false, value: chunk };
      }
      if (this.#ended && "error" in this.#ended) throw this.#ended.error;
      if (this.#ended) {
        const value = this.#held;
        this.#held = undefined;
        return value ? { done: false, value } : { done: true, value: undefined };
      }
      await this.#changed.promise;
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
