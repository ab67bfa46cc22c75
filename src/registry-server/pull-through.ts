import { type Clock, Fault, isFault, type Log } from "#base";
import { type Digest, digestLike, isDigest, maxDocumentBytes } from "#image";
import { BlobFetches } from "./blob-fetches.ts";
import { streamOf } from "./blob-handlers.ts";
import { isTag, type RepositoryName, type Tag } from "./layout.ts";
import { readStoredDocument } from "./manifest-document.ts";
import type { ObjectStore } from "./object-store.ts";
import { RegistryError } from "./registry-error.ts";
import type { Upstream, UpstreamManifest } from "./registry-server.ts";
import type { Repositories, StoredManifest } from "./repositories.ts";
import type { Uploads } from "./uploads.ts";

const maxFreshTags = 10_000;

/**
 * A cache before another registry: a missing object is fetched once however many clients ask,
 * checked and kept, and answered from here from then on. Tags are asked about anew each time (or
 * each `tagSeconds`); when the upstream does not answer, kept objects serve.
 */
export class PullThrough {
  readonly #upstream: Upstream;
  readonly #repositories: Repositories;
  readonly #now: () => number;
  readonly #log: Log;
  readonly #manifests = new Map<string, Promise<StoredManifest | undefined>>();
  readonly #fetches: BlobFetches;
  readonly #freshUntil = new Map<string, number>();

  constructor(parts: {
    readonly store: ObjectStore;
    readonly upstream: Upstream;
    readonly repositories: Repositories;
    readonly uploads: Uploads;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#upstream = parts.upstream;
    this.#repositories = parts.repositories;
    this.#fetches = new BlobFetches(parts);
    this.#now = () => Number(parts.clock.now() / 1_000_000n);
    this.#log = parts.log;
  }

  async manifest(
    name: RepositoryName,
    reference: Tag | Digest,
  ): Promise<StoredManifest | undefined> {
    const key = `${name}@${reference}`;
    if (isDigest(reference) || (this.#freshUntil.get(key) ?? 0) > this.#now()) {
      const kept = await this.#kept(name, reference);
      if (kept) return kept;
    }
    const running = this.#manifests.get(key);
    if (running) return await running;
    const fetching = this.#fetchManifest(name, reference);
    this.#manifests.set(key, fetching);
    try {
      return await fetching;
    } finally {
      this.#manifests.delete(key);
    }
  }

  /** A blob that is not here: its size, and for GET its bytes, which are kept on their way. */
  async blob(
    name: RepositoryName,
    digest: Digest,
    isHead: boolean,
  ): Promise<{ readonly size: number; readonly stream?: ReadableStream<Uint8Array> } | undefined> {
    const ask = () => this.#answer(() => this.#upstream.blob(name, digest));
    if (isHead) {
      const found = await ask();
      await found?.stream[Symbol.asyncIterator]().return?.();
      return found && { size: found.size };
    }
    const fetched = await this.#fetches.read({ name, digest }, ask);
    return fetched && { size: fetched.size, stream: streamOf(fetched.bytes, () => undefined) };
  }

  async #fetchManifest(
    name: RepositoryName,
    reference: Tag | Digest,
  ): Promise<StoredManifest | undefined> {
    let fetched: UpstreamManifest | undefined;
    try {
      fetched = await this.#answer(() => this.#upstream.manifest(name, reference));
    } catch (error) {
      const kept = await this.#kept(name, reference);
      if (!kept) throw error;
      this.#log.warn("the upstream does not answer; a kept manifest serves", {
        repository: name,
        reference,
      });
      return kept;
    }
    if (!fetched) return undefined;
    const bytes = Buffer.from(fetched.bytes);
    const digest = digestLike(isDigest(reference) ? reference : fetched.digest, bytes);
    if (digest !== fetched.digest || (isDigest(reference) && digest !== reference)) {
      throw new Fault(
        "data_loss",
        `the upstream sent a manifest of digest ${digest} for ${name}@${reference}`,
      );
    }
    if (bytes.length > maxDocumentBytes) {
      throw new Fault("exhausted", `the upstream's manifest ${digest} has ${bytes.length} bytes`);
    }
    const document = readStoredDocument(bytes);
    const tag = isTag(reference) ? reference : undefined;
    await this.#repositories.putManifest(name, { bytes, document, digest, tag, isPartial: true });
    if (tag) this.#remember(`${name}@${tag}`);
    return { bytes, mediaType: document.mediaType, digest };
  }

  #remember(key: string): void {
    const seconds = this.#upstream.tagSeconds ?? 0;
    if (seconds <= 0) return;
    if (this.#freshUntil.size >= maxFreshTags) this.#freshUntil.clear();
    this.#freshUntil.set(key, this.#now() + seconds * 1000);
  }

  async #kept(name: RepositoryName, reference: Tag | Digest): Promise<StoredManifest | undefined> {
    const digest = isDigest(reference)
      ? reference
      : await this.#repositories.resolveTag(name, reference as Tag);
    return digest && (await this.#repositories.manifest(name, digest));
  }

  /** Undefined when the upstream lacks it; any other trouble of the upstream is UNAVAILABLE. */
  async #answer<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      this.#log.warn("the upstream failed", { error });
      throw new RegistryError(
        "UNAVAILABLE",
        "the registry behind this cache does not answer; try again later",
      );
    }
  }
}
