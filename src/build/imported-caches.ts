import { collect, Fault, faultOf, isFault, unlessAborted } from "#base";
import { type Descriptor, digestLike, maxDocumentBytes, requireDigest, sha256 } from "#image";
import {
  type CacheDocument,
  type CacheLayer,
  type CacheRecords,
  parseCacheConfig,
  parseCacheDocument,
  parseInlineCache,
} from "./cache-manifest.ts";
import type { CacheReader } from "./cache-place.ts";
import { shown, type Telling } from "./internal-vertex.ts";

/** What a cache has for a step. */
export interface ImportedStep {
  /** The layer that it adds; absent for a step that changes nothing. */
  readonly layer: CacheLayer | undefined;
  readonly reader: CacheReader;
}

/**
 * The caches of --cache-from during one build. One that cannot be read, or is not what it should be,
 * is told as a warning, and the build goes on without it.
 */
export class ImportedCaches {
  readonly #telling: Telling;
  readonly #signal: AbortSignal;
  readonly #loaded: Promise<readonly (readonly [CacheReader, CacheRecords])[]>;
  readonly #warned = new Set<string>();

  constructor(readers: readonly CacheReader[], telling: Telling, signal: AbortSignal) {
    this.#telling = telling;
    this.#signal = signal;
    this.#loaded = Promise.all(
      readers.map(async (reader) => [reader, await this.#load(reader)] as const),
    );
    this.#loaded.catch(() => undefined);
  }

  /** Resolves when what is wrong with the caches is told. */
  async settled(): Promise<void> {
    await this.#loaded;
  }

  /** What the first cache that knows the key has for it. */
  async find(key: string): Promise<ImportedStep | undefined> {
    for (const [reader, records] of await this.#loaded) {
      if (records.has(key)) return { reader, layer: records.get(key) };
    }
    return undefined;
  }

  /** Tells that a cache could not be used; once for each reason. */
  warn({ name }: Pick<CacheReader, "name">, error: unknown): void {
    const short = `the cache ${name} could not be used: ${faultOf(error).message}`;
    if (this.#warned.has(short)) return;
    this.#warned.add(short);
    this.#telling.report({
      ...{ kind: "warning", vertex: sha256("warnings"), short, detail: [], url: "" },
    });
  }

  async #load(reader: CacheReader): Promise<CacheRecords> {
    const name = `importing cache manifest from ${reader.name}`;
    try {
      const work = () => readCache(reader, this.#signal);
      return await unlessAborted(shown(this.#telling, name, work), this.#signal);
    } catch (error) {
      if (isFault(error, "canceled") && this.#signal.aborted) throw error;
      this.warn(reader, error);
      return new Map();
    }
  }
}

/** All records of a cache: of an image for several platforms those of each. */
async function readCache(reader: CacheReader, signal: AbortSignal): Promise<CacheRecords> {
  const document = parseCacheDocument(await reader.manifest(undefined, signal), reader.name);
  if (document.kind !== "images") return await readRecords(reader, document, signal);
  const records = new Map<string, CacheLayer | undefined>();
  for (const { digest } of document.manifests) {
    const bytes = await reader.manifest(digest, signal);
    const image = parseCacheDocument(bytes, `manifest ${digest}`);
    if (image.kind === "images") continue;
    for (const [key, layer] of await readRecords(reader, image, signal)) records.set(key, layer);
  }
  return records;
}

async function readRecords(
  reader: CacheReader,
  { kind, config, layers }: Exclude<CacheDocument, { readonly kind: "images" }>,
  signal: AbortSignal,
): Promise<CacheRecords> {
  const about = `${reader.name}: ${config.digest}`;
  const bytes = await readDocument(reader, config, signal);
  if (kind === "cache") return parseCacheConfig(bytes, layers, about);
  return parseInlineCache(bytes, layers, about) ?? new Map();
}

async function readDocument(
  reader: CacheReader,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { digest, size } = descriptor;
  const about = `${reader.name}: ${digest}`;
  if (size > maxDocumentBytes) {
    throw new Fault("exhausted", `${about} has ${size} bytes, more than ${maxDocumentBytes}`);
  }
  const bytes = await collect(reader.blob(descriptor, { signal }), size, about);
  requireDigest(about, digest, digestLike(digest, bytes));
  return bytes;
}
