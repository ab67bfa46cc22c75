import { Fault } from "#base";
import { Bucket, type BucketOptions } from "#s3";
import type {
  ByteRange,
  ListEntry,
  ObjectStat,
  ObjectStore,
  ObjectWriter,
  WalkEntry,
} from "../object-store.ts";
import { byBytes, requireDirectory, requireKey } from "../store-key.ts";
import { dropUnfinished, minPartBytes, S3Writer } from "./s3-writer.ts";

export interface S3StoreOptions extends BucketOptions {
  /** Before every key, as docker-registry's `rootdirectory`: "registry/one". */
  readonly prefix?: string | undefined;
  /** Larger objects are copied through us, since S3 copies at most 5 GiB at once. Default 5 GiB. */
  readonly copyLimit?: number;
  /** Names in each answer to a list; default 1000, the most that S3 gives. */
  readonly pageSize?: number;
}

/** Bytes that are asked for at once; the next ones are fetched while these are read. */
const windowBytes = 4 << 20;
const chunkBytes = 1 << 20;
/** Where unfinished objects are kept; never listed. */
const hiddenName = "thimble";

/**
 * Objects in a bucket of S3 or of a server that speaks like it; keys as docker-registry's driver
 * has them. Memory is bounded by windows of 4 MiB for each reader and parts of 8 MiB for each
 * writer. An object of more than 5 GiB is moved by reading and writing it again.
 */
export class S3Store implements ObjectStore {
  readonly chunkMinLength = minPartBytes;
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #copyLimit: number;
  readonly #pageSize: number;

  private constructor(options: S3StoreOptions) {
    const prefix = (options.prefix ?? "").replaceAll(/^\/+|\/+$/g, "");
    if (prefix !== "") requireKey(prefix);
    this.#bucket = new Bucket(options);
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
    this.#copyLimit = options.copyLimit ?? 5 * 2 ** 30;
    this.#pageSize = options.pageSize ?? 1000;
  }

  /** Looks whether the bucket answers: `unavailable` with the reason when it does not. */
  static async open(options: S3StoreOptions): Promise<S3Store> {
    const store = new S3Store(options);
    await store.#bucket.list({ prefix: `${store.#prefix}${hiddenName}/` });
    return store;
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    const found = await this.#bucket.stat(this.#at(key));
    return found && { size: found.size, modified: found.modified };
  }

  async get(key: string, limit: number): Promise<Buffer | undefined> {
    const at = this.#at(key);
    for (;;) {
      const found = await this.#bucket.stat(at);
      if (!found) return undefined;
      const { size, etag } = found;
      if (size > limit) {
        throw new Fault("exhausted", `${key} has ${size} bytes where ${limit} are allowed`, {
          about: key,
        });
      }
      if (size === 0) return Buffer.alloc(0);
      const bytes = await this.#bucket.getRange(at, { start: 0, end: size, etag });
      // Replaced between the two: look again.
      if (bytes) return Buffer.from(bytes);
    }
  }

  async *read(key: string, range: ByteRange = {}): AsyncGenerator<Uint8Array> {
    const at = this.#at(key);
    const found = await this.#bucket.stat(at);
    if (!found) throw missing(key);
    const { size, etag } = found;
    const end = Math.min(range.end ?? size, size);
    const fetchWindow = (start: number) => {
      if (start >= end) return undefined;
      const window = this.#bucket.getRange(at, {
        start,
        end: Math.min(start + windowBytes, end),
        etag,
      });
      // Who stops reading never looks at the window that was fetched ahead.
      window.catch(() => undefined);
      return window;
    };
    let position = range.start ?? 0;
    let next = fetchWindow(position);
    while (next) {
      const bytes = await next;
      if (!bytes) throw new Fault("unavailable", `${key} was replaced while it was read`);
      position += bytes.length;
      next = fetchWindow(position);
      for (let start = 0; start < bytes.length; start += chunkBytes) {
        yield bytes.subarray(start, start + chunkBytes);
      }
    }
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await this.#bucket.put(this.#at(key), bytes);
  }

  async writer(key: string): Promise<ObjectWriter> {
    return await S3Writer.open(this.#bucket, this.#at(key), this.#placeOf(key));
  }

  async move(from: string, to: string): Promise<void> {
    const [source, target] = [this.#at(from), this.#at(to)];
    const found = await this.#bucket.stat(source);
    if (!found) throw missing(from);
    if (found.size > this.#copyLimit) await this.#copyThrough(from, to);
    else if (!(await this.#bucket.copy(source, target))) throw missing(from);
    // Some servers say that they copied, and have not.
    const copied = await this.#bucket.stat(target);
    if (copied?.size !== found.size) {
      throw new Fault(
        "unavailable",
        `the server of the bucket ${this.#bucket.name} says that it copied ${from} to ${to}, but it did not; it is not a store for a registry`,
        { about: from },
      );
    }
    await this.#bucket.delete(source);
  }

  async delete(key: string): Promise<void> {
    const at = this.#at(key);
    await Promise.all([
      this.#bucket.delete(at),
      dropUnfinished(this.#bucket, at, this.#placeOf(key)),
    ]);
  }

  async *list(
    directory: string,
    { after }: { readonly after?: string } = {},
  ): AsyncGenerator<ListEntry> {
    const prefix = this.#below(directory);
    const held = new HeldBack();
    const emit = function* (entries: Iterable<ListEntry>) {
      for (const entry of entries) {
        const hidden = directory === "" && entry.name === hiddenName;
        if (!hidden && (after === undefined || byBytes(entry.name, after) > 0)) yield entry;
      }
    };
    for await (const page of this.#pages({
      prefix,
      delimiter: "/",
      ...(after === undefined ? {} : { startAfter: `${prefix}${after}` }),
    })) {
      const found = [
        ...(page.contents ?? []).map(({ key }) => key),
        ...(page.commonPrefixes ?? []).map((each) => each.prefix),
      ].sort(byBytes);
      for (const key of found) yield* emit(held.add(key.slice(prefix.length)));
    }
    yield* emit(held.rest());
  }

  async *walk(directory: string): AsyncGenerator<WalkEntry> {
    const hidden = `${this.#prefix}${hiddenName}/`;
    for await (const page of this.#pages({ prefix: this.#below(directory) })) {
      for (const { key, size = 0, lastModified } of page.contents ?? []) {
        if (key.startsWith(hidden) || key.endsWith("/")) continue;
        yield {
          key: key.slice(this.#prefix.length),
          size,
          modified: lastModified ? Date.parse(lastModified) : 0,
        };
      }
    }
  }

  async *#pages(options: { prefix: string; delimiter?: string; startAfter?: string }) {
    let continuationToken: string | undefined;
    do {
      const page = await this.#bucket.list({
        ...options,
        maxKeys: this.#pageSize,
        ...(continuationToken === undefined ? {} : { continuationToken }),
      });
      yield page;
      continuationToken = page.isTruncated ? page.nextContinuationToken : undefined;
    } while (continuationToken !== undefined);
  }

  async #copyThrough(from: string, to: string): Promise<void> {
    const writer = await this.writer(to);
    try {
      for await (const chunk of this.read(from)) await writer.write(chunk);
    } catch (error) {
      await writer.cancel();
      throw error;
    }
    await writer.commit();
  }

  #at(key: string): string {
    return `${this.#prefix}${requireKey(key)}`;
  }

  #below(directory: string): string {
    const name = requireDirectory(directory);
    return name === "" ? this.#prefix : `${this.#prefix}${name}/`;
  }

  #placeOf(key: string): string {
    return `${this.#prefix}${hiddenName}/unfinished/${requireKey(key)}`;
  }
}

/**
 * Brings the list of S3 into the order of names: there "a-b/" comes before "a/", since "-" and "."
 * sort before "/". A name is held back until no smaller one can follow.
 */
class HeldBack {
  #entries = new Map<string, ListEntry>();
  /** Once a key is greater than this, all that is held may go. */
  #barrier = "";

  /** Takes "name" or "name/", gives what may go now. */
  *add(key: string): Generator<ListEntry> {
    if (this.#entries.size > 0 && byBytes(key, this.#barrier) > 0) yield* this.rest();
    const isDirectory = key.endsWith("/");
    const name = isDirectory ? key.slice(0, -1) : key;
    if (name === "") return;
    this.#entries.set(name, { name, kind: isDirectory ? "directory" : "object" });
    const first = name.search(/[-.]/);
    const barrier = `${first < 0 ? name : name.slice(0, first)}/`;
    if (byBytes(barrier, this.#barrier) > 0) this.#barrier = barrier;
  }

  *rest(): Generator<ListEntry> {
    yield* [...this.#entries.values()].sort((a, b) => byBytes(a.name, b.name));
    this.#entries.clear();
    this.#barrier = "";
  }
}

function missing(key: string): Fault {
  return new Fault("not_found", `there is no object ${key}`, { about: key });
}
