import { faultOf, type Log } from "#base";
import type {
  ByteRange,
  ListEntry,
  ObjectStat,
  ObjectStore,
  ObjectWriter,
  WalkEntry,
} from "../object-store.ts";

interface BoundedStoreOptions {
  readonly store: ObjectStore;
  /** Bytes of blobs that may stay. */
  readonly maxBytes: number;
  readonly log: Log;
  /** Told of each blob that goes. */
  readonly onEvicted?: (bytes: number) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

interface Use {
  readonly size: number;
  readonly used: number;
}

const blobs = "docker/registry/v2/blobs";
const blobKey = /^docker\/registry\/v2\/blobs\/sha(?:256|512)\/..\/(?:[0-9a-f]{64}){1,2}\/data$/;
/** Manifests stay: the cache answers with them when the upstream does not. */
const smallest = 64 << 10;
/** A reader may be busy with a blob that was used so recently. */
const restMs = 60_000;

/**
 * A store that keeps its blobs below a number of bytes: once there are more, those that were used
 * least recently go, except those used in the last minute. For caches only: a removed blob is
 * fetched again. Uses are remembered in memory; after a start the time at which a blob was written
 * stands for them.
 */
export class BoundedStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #options: BoundedStoreOptions;
  readonly #now: () => number;
  /** By key, the least recently used first. */
  readonly #uses = new Map<string, Use>();
  #total = 0;
  #evicting: Promise<void> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly filePath?: (key: string) => string;

  private constructor(options: BoundedStoreOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#now = options.now ?? Date.now;
    const { store } = options;
    if (store.filePath) {
      this.filePath = (key) => {
        this.#touch(key);
        return store.filePath?.(key) ?? "";
      };
    }
  }

  /** Looks at the stored blobs, and removes as many as are too many. */
  static async open(options: BoundedStoreOptions): Promise<BoundedStore> {
    const bounded = new BoundedStore(options);
    const found: WalkEntry[] = [];
    for await (const entry of options.store.walk(blobs)) {
      if (blobKey.test(entry.key)) found.push(entry);
    }
    found.sort((a, b) => a.modified - b.modified);
    for (const { key, size, modified } of found) bounded.#note(key, size, modified);
    await bounded.#evict();
    return bounded;
  }

  get chunkMinLength(): number {
    return this.#store.chunkMinLength ?? 0;
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    this.#touch(key);
    return await this.#store.stat(key);
  }

  async get(key: string, limit: number): Promise<Buffer | undefined> {
    this.#touch(key);
    return await this.#store.get(key, limit);
  }

  read(key: string, range?: ByteRange): AsyncIterable<Uint8Array> {
    this.#touch(key);
    return this.#store.read(key, range);
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await this.#store.write(key, bytes);
    this.#arrived(key, bytes.length);
  }

  async writer(key: string): Promise<ObjectWriter> {
    return await this.#store.writer(key);
  }

  async move(from: string, to: string): Promise<void> {
    await this.#store.move(from, to);
    this.#forget(from);
    if (blobKey.test(to)) this.#arrived(to, (await this.#store.stat(to))?.size ?? 0);
  }

  async delete(key: string): Promise<void> {
    await this.#store.delete(key);
    this.#forget(key);
  }

  list(directory: string, options?: { readonly after?: string }): AsyncIterable<ListEntry> {
    return this.#store.list(directory, options);
  }

  walk(directory: string): AsyncIterable<WalkEntry> {
    return this.#store.walk(directory);
  }

  /** Fulfilled when nothing is being evicted. */
  async settled(): Promise<void> {
    await this.#evicting;
  }

  #touch(key: string): void {
    const use = this.#uses.get(key);
    if (!use) return;
    this.#uses.delete(key);
    this.#uses.set(key, { ...use, used: this.#now() });
  }

  #arrived(key: string, size: number): void {
    if (!blobKey.test(key)) return;
    this.#note(key, size, this.#now());
    this.#evicting ??= this.#evict().finally(() => {
      this.#evicting = undefined;
    });
  }

  #note(key: string, size: number, used: number): void {
    this.#forget(key);
    if (size < smallest) return;
    this.#uses.set(key, { size, used });
    this.#total += size;
  }

  #forget(key: string): void {
    const use = this.#uses.get(key);
    if (!use) return;
    this.#uses.delete(key);
    this.#total -= use.size;
  }

  async #evict(): Promise<void> {
    const { maxBytes, log, onEvicted } = this.#options;
    while (this.#total > maxBytes) {
      const [oldest] = this.#uses;
      if (!oldest) return;
      const [key, { size, used }] = oldest;
      if (this.#now() - used < restMs) return this.#later();
      this.#forget(key);
      try {
        await this.#store.delete(key);
        onEvicted?.(size);
        log.debug("evicted", { key, size });
      } catch (error) {
        this.#note(key, size, used);
        log.warn("a blob could not be evicted", { key, message: faultOf(error).message });
        return this.#later();
      }
    }
  }

  #later(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#evicting ??= this.#evict().finally(() => {
        this.#evicting = undefined;
      });
    }, restMs);
    this.#retry.unref();
  }
}
