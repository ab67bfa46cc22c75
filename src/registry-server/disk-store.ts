import {
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault, faultOf } from "#base";
import type {
  ByteRange,
  ListEntry,
  ObjectStat,
  ObjectStore,
  ObjectWriter,
  WalkEntry,
} from "./object-store.ts";
import { byBytes, requireDirectory, requireKey } from "./store-key.ts";

const readChunk = 1 << 20;
const attempts = 100;

/**
 * Objects as files below a directory, keys as paths: docker-registry's file system
 * driver. What is being written whole lies in ROOT/thimble/new until it is synced and
 * renamed; an unfinished object lies at its own path.
 *
 * Looking at names is synchronous, since a few microseconds are less than a turn of
 * the thread pool; bytes and fsync(2) are not.
 */
export class DiskStore implements ObjectStore {
  readonly #root: string;
  readonly #new: string;
  #count = 0;

  private constructor(root: string) {
    this.#root = root;
    this.#new = join(root, "thimble", "new");
  }

  static async open(root: string): Promise<DiskStore> {
    try {
      const store = new DiskStore(root);
      await rm(store.#new, { recursive: true, force: true });
      await mkdir(store.#new, { recursive: true, mode: 0o700 });
      return store;
    } catch (error) {
      throw new Fault(
        "unavailable",
        `cannot keep a registry in ${root}: ${(error as Error).message}; give a directory that can be written`,
        { about: root, cause: error },
      );
    }
  }

  filePath(key: string): string {
    return join(this.#root, requireKey(key));
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    return quietly(() => {
      const found = statSync(this.filePath(key), { throwIfNoEntry: false });
      if (!found?.isFile()) return undefined;
      return { size: found.size, modified: found.mtimeMs };
    });
  }

  async get(key: string, limit: number): Promise<Buffer | undefined> {
    const path = this.filePath(key);
    return quietly(() => {
      const found = statSync(path, { throwIfNoEntry: false });
      if (!found?.isFile()) return undefined;
      if (found.size > limit) {
        throw new Fault("exhausted", `${path} has ${found.size} bytes where ${limit} are allowed`, {
          about: path,
        });
      }
      return readFileSync(path);
    });
  }

  async *read(key: string, range: ByteRange = {}): AsyncGenerator<Uint8Array> {
    await using file = await this.#open(this.filePath(key));
    const end = Math.min(range.end ?? Number.MAX_SAFE_INTEGER, (await file.stat()).size);
    for (let at = range.start ?? 0; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(readChunk, end - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) {
        throw new Fault("data_loss", `${this.filePath(key)} became shorter while it was read`);
      }
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.filePath(key);
    const fresh = join(this.#new, String(this.#count++));
    await faulty(async () => {
      try {
        await using file = await open(fresh, "wx", 0o644);
        await file.writeFile(bytes);
        await file.sync();
      } catch (error) {
        await rm(fresh, { force: true });
        throw error;
      }
      await this.#rename(fresh, path);
    });
  }

  async writer(key: string): Promise<ObjectWriter> {
    const path = this.filePath(key);
    return await faulty(async () => {
      const file = await this.#openToAppend(path);
      const { size } = await file.stat();
      return new FileWriter({
        file,
        size,
        sync: () => this.#sync(dirname(path)),
        cancel: () => this.delete(key),
      });
    });
  }

  async move(from: string, to: string): Promise<void> {
    const source = this.filePath(from);
    const target = this.filePath(to);
    if (!(await this.stat(from))) throw missing(source);
    await faulty(async () => {
      await this.#rename(source, target);
      await this.#sync(this.#prune(dirname(source)));
    });
  }

  async delete(key: string): Promise<void> {
    const path = this.filePath(key);
    await faulty(async () => {
      quietly(() => unlinkSync(path));
      // Also where there was nothing: a crash leaves directories that were made for a file.
      await this.#sync(this.#prune(dirname(path)));
    });
  }

  async *list(
    directory: string,
    options: { readonly after?: string } = {},
  ): AsyncGenerator<ListEntry> {
    const { after = "" } = options;
    for (const entry of this.#entries(requireDirectory(directory))) {
      if (entry.name > after) yield entry;
    }
  }

  async *walk(directory: string): AsyncGenerator<WalkEntry> {
    const below = requireDirectory(directory);
    for (const { name, kind } of this.#entries(below)) {
      const key = below === "" ? name : `${below}/${name}`;
      if (kind === "directory") yield* this.walk(key);
      else {
        const found = await this.stat(key);
        if (found) yield { key, ...found };
      }
    }
  }

  #entries(directory: string): ListEntry[] {
    const path = join(this.#root, directory);
    const found = quietly(() => readdirSync(path, { withFileTypes: true })) ?? [];
    return found
      .filter(
        (entry) =>
          (entry.isFile() || entry.isDirectory()) &&
          !(directory === "" && entry.name === "thimble"),
      )
      .map((entry) => ({
        name: entry.name,
        kind: entry.isDirectory() ? ("directory" as const) : ("object" as const),
      }))
      .sort((a, b) => byBytes(a.name, b.name));
  }

  async #open(path: string): Promise<FileHandle> {
    try {
      const file = await open(path, constants.O_RDONLY);
      if ((await file.stat()).isFile()) return file;
      await file.close();
    } catch (error) {
      if (!isAbsence(error)) throw faultOf(error);
    }
    throw missing(path);
  }

  async #openToAppend(path: string): Promise<FileHandle> {
    for (let attempt = 1; ; attempt++) {
      mkdirSync(dirname(path), { recursive: true });
      try {
        return await open(path, "a", 0o644);
      } catch (error) {
        // The directory was empty and another deletion has just taken it away.
        if (!isAbsence(error) || attempt === attempts) throw error;
      }
    }
  }

  /** Nothing comes between making the directory and the rename, so no deletion takes it away. */
  async #rename(from: string, to: string): Promise<void> {
    const directory = dirname(to);
    const made = mkdirSync(directory, { recursive: true });
    renameSync(from, to);
    await this.#sync(directory);
    if (made === undefined) return;
    for (let at = directory; at.length >= made.length; ) {
      at = dirname(at);
      await this.#sync(at);
    }
  }

  /** Removes directories that have become empty; the nearest one that is left. */
  #prune(directory: string): string {
    for (let at = directory; at !== this.#root; at = dirname(at)) {
      try {
        rmdirSync(at);
      } catch (error) {
        if (isAbsence(error)) continue;
        return at;
      }
    }
    return this.#root;
  }

  async #sync(directory: string): Promise<void> {
    try {
      await using handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
      await handle.sync();
    } catch (error) {
      // A removed name needs no syncing: the code that removed it syncs the directory above.
      if (!isAbsence(error)) throw error;
    }
  }
}

interface OpenedFile {
  readonly file: FileHandle;
  readonly size: number;
  readonly sync: () => Promise<void>;
  readonly cancel: () => Promise<void>;
}

class FileWriter implements ObjectWriter {
  readonly #opened: OpenedFile;
  #size: number;

  constructor(opened: OpenedFile) {
    this.#opened = opened;
    this.#size = opened.size;
  }

  get size(): number {
    return this.#size;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await faulty(async () => {
      for (let at = 0; at < bytes.byteLength; ) {
        const { bytesWritten } = await this.#opened.file.write(bytes, at, bytes.byteLength - at);
        at += bytesWritten;
        this.#size += bytesWritten;
      }
    });
  }

  async close(): Promise<void> {
    await this.#opened.file.close();
  }

  async commit(): Promise<void> {
    await faulty(async () => {
      try {
        await this.#opened.file.sync();
      } finally {
        await this.#opened.file.close();
      }
      await this.#opened.sync();
    });
  }

  async cancel(): Promise<void> {
    await this.#opened.file.close();
    await this.#opened.cancel();
  }
}

function missing(path: string): Fault {
  return new Fault("not_found", `there is no object ${path}`, { about: path });
}

function isAbsence(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return code === "ENOENT" || code === "ENOTDIR";
}

/** The result of `work`; undefined when a name on the way is missing. */
function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isAbsence(error) || (error as { code?: unknown }).code === "EISDIR") return undefined;
    throw faultOf(error);
  }
}

async function faulty<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw faultOf(error);
  }
}
