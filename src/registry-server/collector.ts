import { type Clock, inParallel, isFault, type Log } from "#base";
import { type Digest, digestAlgorithm, maxDocumentBytes } from "#image";
import { digestOfBlobKey, isUploadId, layout, listDigests, type RepositoryName } from "./layout.ts";
import type { Leases } from "./leases.ts";
import {
  type ManifestReference,
  readStoredDocument,
  referencesOfStored,
} from "./manifest-document.ts";
import type { ObjectStore } from "./object-store.ts";
import type { CollectOptions, GcReport } from "./registry-server.ts";
import { type Repositories, storeRequests } from "./repositories.ts";
import type { Uploads } from "./uploads.ts";

export interface CollectorParts {
  readonly store: ObjectStore;
  readonly leases: Leases;
  readonly repositories: Repositories;
  readonly uploads: Uploads;
  readonly clock: Clock;
  readonly log: Log;
}

type Settled = { readonly [K in keyof CollectOptions]-?: NonNullable<CollectOptions[K]> };

/**
 * Removes what nothing refers to, while the registry serves.
 *
 * Each repository is gone through: manifests that stay (all, or what tags and kept
 * subjects lead to) and everything they refer to are noted, the repository's other
 * links go. Then blobs that no repository noted go. Nothing goes that is younger than
 * the grace time or that a lease holds; whatever a request touched since the beginning
 * is held too, so it does not matter how long ago a repository was looked at. A store
 * that fails ends the collection before anything is removed on half a view.
 */
export class Collector {
  readonly #parts: CollectorParts;
  #running: Promise<GcReport> | undefined;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
  }

  /** Joins the collection that runs already, whatever its options. */
  collect(options: CollectOptions = {}): Promise<GcReport> {
    this.#running ??= this.#run({
      graceSeconds: options.graceSeconds ?? 3600,
      deleteUntagged: options.deleteUntagged ?? false,
      uploadSeconds: options.uploadSeconds ?? 86_400,
    }).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(options: Settled): Promise<GcReport> {
    const { leases, clock, repositories, log } = this.#parts;
    const begun = clock.now();
    const sweep = new Sweep(this.#parts, options, Number(begun / 1_000_000n));
    leases.beginCollection(options.graceSeconds * 1000);
    try {
      for await (const name of repositories.traces()) await sweep.repository(name);
      await sweep.blobs();
    } finally {
      leases.endCollection();
    }
    const report = { ...sweep.report(), seconds: Number(clock.now() - begun) / 1e9 };
    log.info("collected", { ...report, kept: JSON.stringify(report.kept) });
    return report;
  }
}

/** One collection. */
class Sweep {
  readonly #parts: CollectorParts;
  readonly #options: Settled;
  readonly #begun: number;
  readonly #live = new Set<Digest>();
  #blobs = 0;
  #bytes = 0;
  #links = 0;
  #manifests = 0;
  #uploads = 0;
  #keptBlobs = 0;
  #keptManifests = 0;

  constructor(parts: CollectorParts, options: Settled, begun: number) {
    this.#parts = parts;
    this.#options = options;
    this.#begun = begun;
  }

  report(): Omit<GcReport, "seconds"> {
    return {
      blobs: this.#blobs,
      bytes: this.#bytes,
      links: this.#links,
      manifests: this.#manifests,
      uploads: this.#uploads,
      kept: { blobs: this.#keptBlobs, manifests: this.#keptManifests },
    };
  }

  async repository(name: RepositoryName): Promise<void> {
    if (this.#options.deleteUntagged) await this.#untagged(name);
    const live = new Set<Digest>();
    for await (const revision of this.#revisions(name)) {
      this.#keptManifests++;
      await this.#mark(revision, live);
    }
    await this.#layers(name, live);
    for (const digest of live) this.#live.add(digest);
    await this.#parts.repositories.tidy(name);
    await this.#abandoned(name);
  }

  async blobs(): Promise<void> {
    const { store, leases } = this.#parts;
    for await (const { key, size, modified } of store.walk(layout.blobs)) {
      const digest = digestOfBlobKey(key);
      if (!digest) continue;
      if (this.#live.has(digest) || this.#isYoung(modified)) this.#keptBlobs++;
      else if (await leases.remove(key, () => store.delete(key))) {
        this.#blobs++;
        this.#bytes += size;
      } else this.#keptBlobs++;
    }
  }

  /** Manifests that neither a tag, nor a kept index, nor a kept subject leads to. */
  async #untagged(name: RepositoryName): Promise<void> {
    const { repositories, leases, store } = this.#parts;
    const subjects = new Map<Digest, Digest[]>();
    const all = new Set<Digest>();
    for await (const digest of this.#revisions(name)) {
      all.add(digest);
      const subject = await this.#subject(digest);
      if (subject) subjects.set(subject, [...(subjects.get(subject) ?? []), digest]);
    }
    // Deciding and removing are one step for everybody who changes manifests or tags.
    await repositories.exclusively(name, async () => {
      const kept = new Set<Digest>();
      const keep = async (digest: Digest): Promise<void> => {
        const rest = [digest];
        for (let next = rest.pop(); next; next = rest.pop()) {
          if (kept.has(next)) continue;
          kept.add(next);
          rest.push(...(subjects.get(next) ?? []));
          for (const each of await this.#references(next)) {
            if (each.kind === "manifest") rest.push(each.digest);
          }
        }
      };
      for await (const tag of repositories.tags(name)) {
        const digest = await repositories.resolveTag(name, tag);
        if (digest) await keep(digest);
      }
      for (const digest of all) {
        const key = layout.revision(name, digest);
        const stat = await store.stat(key);
        if (!stat || this.#isYoung(stat.modified) || leases.holds(key)) await keep(digest);
      }
      // Manifests that lead to others go before them: where one turns out to be held, the others
      // stay too.
      for (const digest of await this.#leadersFirst(all, subjects)) {
        if (kept.has(digest)) continue;
        const key = layout.revision(name, digest);
        const removed = await leases.remove(key, () => repositories.removeRevision(name, digest));
        if (removed) this.#manifests++;
        else await keep(digest);
      }
    });
  }

  /** Indexes before their manifests, subjects before their referrers. */
  async #leadersFirst(
    all: ReadonlySet<Digest>,
    subjects: ReadonlyMap<Digest, readonly Digest[]>,
  ): Promise<readonly Digest[]> {
    const followers = new Map<Digest, readonly Digest[]>();
    for (const digest of all) {
      const references = await this.#references(digest);
      const led = references.filter(({ kind }) => kind === "manifest").map((each) => each.digest);
      followers.set(digest, [...led, ...(subjects.get(digest) ?? [])]);
    }
    const ordered: Digest[] = [];
    const seen = new Set<Digest>();
    for (const digest of all) {
      // Without recursion, since the depth is a stranger's choice; true marks the way back up.
      const rest: [Digest, boolean][] = [[digest, false]];
      for (let next = rest.pop(); next; next = rest.pop()) {
        const [at, isDone] = next;
        if (isDone) ordered.push(at);
        else if (!seen.has(at)) {
          seen.add(at);
          rest.push([at, true]);
          for (const each of followers.get(at) ?? []) if (all.has(each)) rest.push([each, false]);
        }
      }
    }
    return ordered.reverse();
  }

  /** Notes a manifest and all that it leads to. */
  async #mark(revision: Digest, live: Set<Digest>): Promise<void> {
    const rest = [revision];
    for (let next = rest.pop(); next; next = rest.pop()) {
      if (next !== revision && live.has(next)) continue;
      live.add(next);
      for (const { kind, digest } of await this.#references(next)) {
        if (kind === "manifest") rest.push(digest);
        else live.add(digest);
      }
    }
  }

  /** The repository's links to blobs that none of its manifests refers to; one that stays keeps its blob, and the link that this is kept under. */
  async #layers(name: RepositoryName, live: Set<Digest>): Promise<void> {
    const { store, repositories } = this.#parts;
    const found = await Array.fromAsync(listDigests(store, layout.layers(name)));
    // Others first, since they may lead to one by sha256.
    const isPlain = (digest: Digest) => digestAlgorithm(digest) === "sha256";
    for (const digests of [found.filter((each) => !isPlain(each)), found.filter(isPlain)]) {
      await inParallel(digests, storeRequests, async (digest) => {
        const isKept = live.has(digest) || (await this.#isLayerKept(layout.layer(name, digest)));
        if (!isKept) return;
        live.add(digest).add(await repositories.storedAs(name, digest));
      });
    }
  }

  async #isLayerKept(link: string): Promise<boolean> {
    const { store, leases } = this.#parts;
    const stat = await store.stat(link);
    if (!stat) return false;
    const goes =
      !this.#isYoung(stat.modified) && (await leases.remove(link, () => store.delete(link)));
    if (goes) this.#links++;
    return !goes;
  }

  async #abandoned(name: RepositoryName): Promise<void> {
    const since = this.#since(this.#options.uploadSeconds);
    for await (const entry of this.#parts.store.list(layout.uploads(name))) {
      if (!isUploadId(entry.name)) continue;
      if (await this.#parts.uploads.abandon(name, entry.name, since)) this.#uploads++;
    }
  }

  async *#revisions(name: RepositoryName): AsyncGenerator<Digest> {
    const { store } = this.#parts;
    for await (const digest of listDigests(store, layout.revisions(name))) {
      if (await store.stat(layout.revision(name, digest))) yield digest;
    }
  }

  async #references(digest: Digest): Promise<readonly ManifestReference[]> {
    const bytes = await this.#document(digest);
    return bytes ? referencesOfStored(bytes) : [];
  }

  async #subject(digest: Digest): Promise<Digest | undefined> {
    const bytes = await this.#document(digest);
    if (!bytes) return undefined;
    try {
      return readStoredDocument(bytes).subject;
    } catch (error) {
      if (isFault(error)) return undefined;
      throw error;
    }
  }

  /** Undefined when the blob is not there, as in a cache, or is too large for a manifest. */
  async #document(digest: Digest): Promise<Buffer | undefined> {
    const key = layout.blob(digest);
    const stat = await this.#parts.store.stat(key);
    if (!stat || stat.size > maxDocumentBytes) return undefined;
    return await this.#parts.store.get(key, maxDocumentBytes);
  }

  #isYoung(modified: number): boolean {
    return modified > this.#since(this.#options.graceSeconds);
  }

  /** With a grace of 0 seconds nothing is spared, though the store's clock may be ahead of ours. */
  #since(seconds: number): number {
    return seconds === 0 ? Number.POSITIVE_INFINITY : this.#begun - seconds * 1000;
  }
}
