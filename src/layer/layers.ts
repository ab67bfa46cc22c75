import { isFault } from "#base";
import type { TarLimits } from "#tar";
import type { ExpansionLimits } from "./compression.ts";
import type {
  ApplyResult,
  ExplodedMember,
  ExplodeRequest,
  PackRequest,
  PackResult,
  StoreResult,
} from "./job.ts";
import type { PackOptions } from "./pack.ts";
import { type RunOptions, WorkerPool } from "./pool.ts";

export type LayerSource =
  | { readonly path: string }
  | { readonly stream: AsyncIterable<Uint8Array> };

export interface LayerOptions {
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface ApplyOptions extends LayerOptions {
  /** Plain, gzip or zstd, told by the first bytes. */
  readonly source: LayerSource;
  /** An existing directory, usually empty. */
  readonly target: string;
  /** "overlay" (default): OCI whiteouts take overlayfs's form; "literal": they are files like others. */
  readonly whiteouts?: "overlay" | "literal";
  /** Directories of the layers below, uppermost first. */
  readonly lowers?: readonly string[];
  readonly limits?: Partial<TarLimits>;
  readonly expansion?: Partial<ExpansionLimits>;
}

/**
 * Layers and their directories: everything long runs in two workers, so that the
 * main thread moves only paths and, for streams, chunks. Failures are Faults;
 * what a failed `applyLayer` has made stays in the target for its owner to remove,
 * all else leaves nothing behind.
 */
export class Layers {
  readonly #pool: WorkerPool;

  constructor(workers = 2) {
    this.#pool = new WorkerPool(workers);
  }

  /** Unpacks one layer into a directory. Nothing outside of it is touched, whatever the archive says. */
  async applyLayer(options: ApplyOptions): Promise<ApplyResult> {
    const {
      source,
      target,
      whiteouts = "overlay",
      lowers = [],
      limits = {},
      expansion = {},
    } = options;
    const request = { target, whiteouts, lowers, limits, expansion };
    if ("path" in source) return await this.#pool.run("apply", { ...request, source }, options);
    const run: RunOptions = { ...options, input: source.stream };
    return await this.#pool.run("apply", { ...request, source: "stream" }, run);
  }

  /** A directory tree as an uncompressed archive, deterministic; leaving the loop early stops it. */
  packTree(
    directory: string,
    options: Partial<PackOptions> & LayerOptions = {},
  ): AsyncGenerator<Uint8Array, void> {
    return this.#stream(
      { mode: "tree", includeRoot: false, ...plain(options), directory },
      options,
    );
  }

  /** What the upper directory of an overlay changes, as an OCI layer, uncompressed. */
  diffLayer(
    upper: string,
    options: Partial<PackOptions> & LayerOptions = {},
  ): AsyncGenerator<Uint8Array, void> {
    return this.#stream(
      { mode: "upper", includeRoot: false, ...plain(options), directory: upper },
      options,
    );
  }

  /** Packs a directory into a blob file, hashing it plain and compressed in the same pass. */
  async packBlob(
    request: PackRequest & { readonly blob: object },
    options: LayerOptions = {},
  ): Promise<PackResult> {
    return await this.#pool.run("pack", request, options);
  }

  /** Writes a stream to a new file at `path`, synced; at most `limit` bytes. */
  async store(
    stream: AsyncIterable<Uint8Array>,
    request: { readonly path: string; readonly limit: number },
    options: LayerOptions = {},
  ): Promise<StoreResult> {
    return await this.#pool.run(
      "store",
      { ...request, source: "stream" },
      { ...options, input: stream },
    );
  }

  /** Puts each file of an archive (plain, gzip, zstd) into a file of its own in `directory`, hashed and synced. */
  async explode(
    stream: AsyncIterable<Uint8Array>,
    request: Omit<ExplodeRequest, "source">,
    options: LayerOptions = {},
  ): Promise<readonly ExplodedMember[]> {
    return await this.#pool.run(
      "explode",
      { ...request, source: "stream" },
      { ...options, input: stream },
    );
  }

  async *#stream(request: PackRequest, options: LayerOptions): AsyncGenerator<Uint8Array, void> {
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    const queue: { chunk: Uint8Array; taken: () => void }[] = [];
    let wake = Promise.withResolvers<void>();
    let outcome: { readonly error?: unknown } | undefined;
    const output = async (chunk: Uint8Array) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      queue.push({ chunk, taken: resolve });
      wake.resolve();
      await promise;
    };
    const running = this.#pool.run("pack", request, { ...options, output, signal }).then(
      () => {
        outcome = {};
        wake.resolve();
      },
      (error: unknown) => {
        outcome = { error };
        wake.resolve();
      },
    );
    try {
      for (;;) {
        const next = queue.shift();
        if (next) {
          next.taken();
          yield next.chunk;
        } else if (outcome) break;
        else {
          await wake.promise;
          wake = Promise.withResolvers();
        }
      }
    } finally {
      stop.abort();
      for (const { taken } of queue) taken();
      await running;
    }
    if (
      outcome.error !== undefined &&
      !(stop.signal.aborted && isFault(outcome.error, "canceled"))
    ) {
      throw outcome.error;
    }
  }
}

/** Without what cannot be sent to a worker. */
function plain(options: Partial<PackOptions> & LayerOptions): Partial<PackOptions> {
  const { onProgress: _progress, signal: _signal, ...rest } = options;
  return rest;
}
