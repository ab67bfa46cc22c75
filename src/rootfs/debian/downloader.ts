import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { Fault, retry, Slots } from "#base";

export interface Target {
  /** Tried in order while one is not there (404). */
  readonly urls: readonly string[];
  readonly sha256: string;
  readonly size: number;
  /** Told of each piece received, or of the whole when it was in the cache. */
  readonly onBytes?: (count: number) => void;
}

export interface DownloaderOptions {
  /** Keeps files by their SHA-256; created when missing, shared between runs and processes. */
  readonly cacheDir: string;
  readonly signal?: AbortSignal;
  /** Milliseconds before the first retry; the base of the pauses; each further one is four times as long, up to 8 seconds. */
  readonly backoff?: number;
  /** Milliseconds without a byte after which an attempt has failed. */
  readonly stall?: number;
}

const parallel = 6;
const attempts = 6;
/** Milliseconds; with these pauses a mirror has some 20 seconds to come back. */
const usualPauses = { base: 500, factor: 4, max: 8000 };
const keepDays = 30;

/** A failure that another attempt may mend: a broken connection, a busy server. */
class Transient extends Error {
  readonly final: Fault;

  constructor(final: Fault) {
    super(final.message);
    this.final = final;
  }
}

/**
 * Fetches files over HTTP whose size and hash are known, into a cache that is
 * checked at each use. A file under its final name is complete: it is written
 * beside it and renamed once its hash is right. Stream sizes are limited by the
 * size promised, a wrong byte or a missing one ends in a `data_loss` Fault.
 */
export class Downloader {
  readonly #options: DownloaderOptions;
  readonly #slots = new Slots(parallel);

  constructor(options: DownloaderOptions) {
    this.#options = options;
  }

  /**
   * A small document of unknown hash, never from the cache; undefined when the server answers 404.
   */
  async document(url: string, limit: number): Promise<Uint8Array | undefined> {
    return await this.#retry(async () => {
      const chunks: Uint8Array[] = [];
      let total = 0;
      const found = await this.#get(url, (chunk) => {
        total += chunk.byteLength;
        if (total > limit)
          throw new Fault("exhausted", `${url} is larger than the limit of ${limit} bytes`, {
            about: url,
          });
        chunks.push(chunk);
      });
      return found ? Buffer.concat(chunks) : undefined;
    });
  }

  /** Path of the file in the cache, once it is there and its hash is right. */
  async file(target: Target): Promise<string> {
    using _slot = await this.#slots.take(this.#options.signal);
    await mkdir(this.#options.cacheDir, { recursive: true, mode: 0o700 });
    const path = join(this.#options.cacheDir, target.sha256);
    if (await this.#cached(path, target)) target.onBytes?.(target.size);
    else await this.#retry(() => this.#download(path, target));
    return path;
  }

  async #cached(path: string, { size, sha256 }: Target): Promise<boolean> {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return false;
    if (found.size === size && (await hashFile(path, this.#options.signal)) === sha256) {
      // The age of a file is that of its last use: `pruneCache` goes by it.
      await utimes(path, new Date(), new Date());
      return true;
    }
    await rm(path, { force: true });
    return false;
  }

  async #download(path: string, target: Target): Promise<void> {
    const part = `${path}.${randomBytes(6).toString("hex")}.part`;
    let handle: FileHandle | undefined;
    try {
      handle = await open(part, "wx", 0o600);
      await this.#receive(handle, target);
      await handle.close();
      handle = undefined;
      await rename(part, path);
    } finally {
      await handle?.close();
      await rm(part, { force: true });
    }
  }

  /** The first URL that has the file decides; its bytes must have the hash of the file. */
  async #receive(handle: FileHandle, { urls, size, sha256, onBytes }: Target): Promise<void> {
    for (const url of urls) {
      const hash = createHash("sha256");
      let total = 0;
      const found = await this.#get(url, async (chunk) => {
        total += chunk.byteLength;
        if (total > size)
          throw damaged(url, `it is longer than the ${size} bytes that the index promises`);
        hash.update(chunk);
        await handle.writeFile(chunk);
        onBytes?.(chunk.byteLength);
      }).catch((error: unknown) => {
        onBytes?.(-total);
        throw error;
      });
      if (!found) continue;
      if (total < size) {
        onBytes?.(-total);
        throw new Transient(damaged(url, `it ended after ${total} of ${size} bytes`));
      }
      const digest = hash.digest("hex");
      if (digest !== sha256)
        throw damaged(url, `its SHA-256 is ${digest}, the index promises ${sha256}`);
      return;
    }
    throw new Fault(
      "not_found",
      `${urls.at(-1)} is missing (HTTP 404) although the suite's index names it: the mirror is being updated or incomplete; try again later or take another --mirror`,
      { about: urls.at(-1) ?? "" },
    );
  }

  /** One GET; false when there is no such thing. Everything else that is not a whole answer throws. */
  async #get(url: string, consume: (chunk: Uint8Array) => void | Promise<void>): Promise<boolean> {
    const stalled = new AbortController();
    const stall = this.#options.stall ?? 30_000;
    let timer = setTimeout(() => stalled.abort(), stall);
    const signals = [stalled.signal, ...(this.#options.signal ? [this.#options.signal] : [])];
    try {
      const response = await fetch(url, {
        signal: AbortSignal.any(signals),
        headers: { "accept-encoding": "identity", "user-agent": "thimble" },
        decompress: false,
      });
      if (response.status === 404) return false;
      if (!response.ok) throw refused(url, response.status);
      for await (const chunk of response.body ?? []) {
        clearTimeout(timer);
        timer = setTimeout(() => stalled.abort(), stall);
        await consume(chunk);
      }
      return true;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (error instanceof Fault || error instanceof Transient) throw error;
      const why = stalled.signal.aborted
        ? `nothing came for ${stall / 1000} s`
        : error instanceof Error
          ? error.message
          : String(error);
      throw new Transient(
        new Fault("unavailable", `GET ${url} failed in ${attempts} attempts: ${why}`, {
          about: url,
          cause: error,
        }),
      );
    } finally {
      clearTimeout(timer);
    }
  }

  async #retry<T>(attempt: () => Promise<T>): Promise<T> {
    const { signal, backoff: base = usualPauses.base } = this.#options;
    const work = async () => {
      signal?.throwIfAborted();
      return await attempt();
    };
    const backoff = { ...usualPauses, base, attempts };
    const isPassing = (error: unknown) => error instanceof Transient;
    try {
      return await retry(work, { backoff, isPassing, signal });
    } catch (error) {
      throw error instanceof Transient ? error.final : error;
    }
  }
}

function refused(url: string, status: number): Error {
  const fault = new Fault(
    status === 401 || status === 403 ? "denied" : "unavailable",
    `GET ${url}: the server answers with HTTP status ${status}`,
    { about: url },
  );
  return status >= 500 || status === 408 || status === 429 ? new Transient(fault) : fault;
}

function damaged(url: string, why: string): Fault {
  return new Fault(
    "data_loss",
    `${url} is not what the signed index lists: ${why}; the mirror or something on the way changed it, try another --mirror`,
    { about: url },
  );
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Uint8Array);
  }
  return hash.digest("hex");
}

/** Deletes files that were not used for a month, and parts that a crash left behind. */
export async function pruneCache(cacheDir: string, now: Date): Promise<void> {
  const day = 86_400_000;
  for (const name of await readdir(cacheDir)) {
    const path = join(cacheDir, name);
    const found = await stat(path).catch(() => undefined);
    const age = found === undefined ? 0 : now.getTime() - found.mtimeMs;
    const limit = name.endsWith(".part") ? day : keepDays * day;
    if (/^[0-9a-f]{64}(\..*)?$/.test(name) && age > limit) await rm(path, { force: true });
  }
}
