import { faultOf, isFault } from "#base";
import { type ChainId, type Digest, type ImageConfig, type Manifest, parseManifest } from "#image";
import type { ContentStores } from "./content.ts";
import { sameFiles } from "./fsck-layer.ts";
import { type HashedBlob, hashBlobs } from "./hash-blobs.ts";
import { type LayerPlace, stepsOf } from "./layer-store.ts";

export type FsckKind =
  /** A blob that an image needs is missing. */
  | "blob-missing"
  /** A blob has another size than its image says. */
  | "blob-size"
  /** A blob does not have the digest in its name, as when bits have flipped. */
  | "blob-corrupt"
  /** Nothing needs the blob. */
  | "blob-orphan"
  /** A manifest or configuration is whole, but cannot be understood. */
  | "document-broken"
  /** A layer that an image needs is not unpacked. */
  | "layer-missing"
  /** The files of an unpacked layer are not those of its blob; looked for only when `deep`. */
  | "layer-damaged"
  /** Nothing needs the unpacked layer. */
  | "layer-orphan"
  /** The files that a container wrote are gone. */
  | "container-lost"
  /** A leftover of a crash. */
  | "leftover";

/** One fault in the store. */
export interface FsckFinding {
  readonly kind: FsckKind;
  /** A digest, chain id, key or path. */
  readonly about: string;
  /** The names of the images that are affected, or their ids where they have no name. */
  readonly images: readonly string[];
  /** The fault, and the remedy that was applied or that a user has. */
  readonly message: string;
  /** Whether it has been repaired and needs no further step. */
  readonly repaired: boolean;
}

/** How to check. */
export interface FsckOptions {
  readonly repair: boolean;
  /** Compares the files of layers with their blobs, too. */
  readonly deep?: boolean;
  readonly onFinding?: (finding: FsckFinding) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What was read, and what is wrong. */
export interface FsckReport {
  readonly blobs: number;
  /** Bytes that were read and hashed. */
  readonly bytes: number;
  readonly layers: number;
  readonly findings: readonly FsckFinding[];
}

/**
 * Checks all blobs against their digests and sizes, and all layers of images for being unpacked;
 * finds blobs and layers that nothing needs. May run beside everything else: things that are being
 * made are held, and not looked at. A repair removes damaged or needless ones and unpacks lost
 * layers again; a lost blob can only be pulled or loaded again.
 */
export async function checkContent(
  stores: ContentStores,
  options: FsckOptions,
): Promise<FsckReport> {
  return await new Check(stores, options).run();
}

class Check {
  readonly #stores: ContentStores;
  readonly #options: FsckOptions;
  readonly #findings: FsckFinding[] = [];
  /** Sizes of blobs as the manifests tell them. */
  readonly #sizes = new Map<Digest, number>();
  readonly #places = new Map<ChainId, LayerPlace>();
  readonly #names = new Map<Digest, readonly string[]>();
  #bytes = 0;

  constructor(stores: ContentStores, options: FsckOptions) {
    this.#stores = stores;
    this.#options = options;
  }

  async run(): Promise<FsckReport> {
    const { images, table } = this.#stores;
    for (const { id, tags, digests } of images.list()) {
      this.#names.set(id, [...tags, ...digests].slice(0, tags.length || 1));
    }
    for (const { digest, image } of table.manifests()) this.#readDocuments(digest, image);
    const blobs = await this.#checkBlobs();
    const layers = await this.#checkLayers();
    await this.#checkLeftovers();
    return { blobs, bytes: this.#bytes, layers, findings: this.#findings };
  }

  /**
   * Missing and damaged documents are found as blobs; this finds only those that cannot be
   * understood.
   */
  #readDocuments(digest: Digest, image: Digest): void {
    const { blobs, images } = this.#stores;
    let manifest: Manifest;
    let config: ImageConfig;
    try {
      manifest = parseManifest(blobs.readDocument(digest), `manifest ${digest}`);
      this.#sizes.set(manifest.config.digest, manifest.config.size);
      for (const layer of manifest.layers) this.#sizes.set(layer.digest, layer.size);
      config = images.readConfig(image);
      for (const step of stepsOf(manifest, config)) this.#places.set(step.chain, step);
    } catch (error) {
      if (isFault(error, "not_found") || isFault(error, "data_loss")) return;
      const message = `${faultOf(error).message}; pull or load the image again`;
      this.#found({ kind: "document-broken", about: digest, message }, [image], false);
    }
  }

  async #checkBlobs(): Promise<number> {
    const { blobs, table } = this.#stores;
    const users = grouped(table.blobNeeds().map(({ image, digest }) => [digest, image]));
    for (const digest of users.keys()) {
      if (blobs.has(digest) || !table.needsBlob(digest)) continue;
      const message = `blob ${digest} is missing; pull or load the image again`;
      this.#found({ kind: "blob-missing", about: digest, message }, users.get(digest), false);
    }
    let count = 0;
    for await (const blob of hashBlobs(blobs, this.#options.signal)) {
      count++;
      this.#bytes += blob.size;
      const needs = users.get(blob.digest);
      if (needs) this.#checkBlob(blob, needs);
      else if (this.#isOrphan(blob.digest)) this.#orphan(blob.digest);
    }
    return count;
  }

  #orphan(digest: Digest): void {
    const { repair } = this.#options;
    if (repair) this.#stores.collector.collectBlobs([digest]);
    const message = `blob ${digest} is needed by no image${this.#done("; removed")}`;
    this.#found({ kind: "blob-orphan", about: digest, message }, [], repair);
  }

  /** Now, since blobs come and go while others are checked. */
  #isOrphan(digest: Digest): boolean {
    const { blobs, collector } = this.#stores;
    return blobs.has(digest) && !collector.isHeld({ blob: digest }) && !collector.needsBlob(digest);
  }

  #checkBlob({ digest, actual, size }: HashedBlob, users: readonly Digest[]): void {
    const { blobs, table } = this.#stores;
    const expected = this.#sizes.get(digest) ?? size;
    const isWhole = actual === digest && size === expected;
    if (isWhole || !blobs.has(digest) || !table.needsBlob(digest)) return;
    const isSpoilt = actual !== digest;
    if (this.#options.repair && isSpoilt) blobs.delete(digest);
    const kind = size === expected ? "blob-corrupt" : "blob-size";
    const content = actual ? `its content has the digest ${actual}` : "the disk cannot read it";
    const what =
      kind === "blob-size"
        ? `blob ${digest} has ${size} bytes where its image tells of ${expected}`
        : `blob ${digest} is damaged: ${content}`;
    const message = `${what}${isSpoilt ? this.#done("; removed") : ""}; pull or load the image again`;
    this.#found({ kind, about: digest, message }, users, false);
  }

  async #checkLayers(): Promise<number> {
    const { table, snapshots } = this.#stores;
    const users = grouped(table.layerNeeds().map(({ image, chain }) => [chain, image]));
    const lost = new Set<string>();
    for (const problem of snapshots.problems()) {
      if (problem.kind === "stray") {
        if (this.#options.repair) problem.discard();
        const message = `${problem.path} belongs to no snapshot${this.#done("; removed")}`;
        this.#found({ kind: "leftover", about: problem.path, message }, [], this.#options.repair);
        continue;
      }
      const { name, kind } = problem.snapshot;
      lost.add(name);
      if (kind === "committed") continue;
      const message = `the files that container ${name} wrote are gone; remove it`;
      this.#found({ kind: "container-lost", about: name, message }, [], false);
    }
    // Lowest first, since a layer that is unpacked again stands on the ones below it.
    const needed = [...this.#places.keys()].filter((chain) => users.has(chain));
    const unread = [...users.keys()].filter((chain) => !this.#places.has(chain));
    for (const chain of [...needed, ...unread]) {
      this.#options.signal?.throwIfAborted();
      if (!table.needsLayer(chain)) continue;
      const isThere = snapshots.stat(chain) !== undefined && !lost.has(chain);
      await this.#checkLayer(chain, isThere, users.get(chain) ?? []);
    }
    await this.#checkOrphans(users);
    return users.size;
  }

  async #checkLayer(chain: ChainId, isThere: boolean, users: readonly Digest[]): Promise<void> {
    const place = this.#places.get(chain);
    if (isThere && !this.#options.deep) return;
    if (isThere && (!place || (await this.#isSound(place)))) return;
    const kind = isThere ? "layer-damaged" : "layer-missing";
    const what = isThere
      ? `the files of layer ${chain} are not those of its blob`
      : `layer ${chain} is not unpacked`;
    let done = "";
    if (this.#options.repair) done = await this.#restore(chain);
    const isRepaired = done === "";
    const message = this.#options.repair
      ? `${what}; ${isRepaired ? "unpacked again" : `it cannot be unpacked again: ${done}; pull or load the image again`}`
      : `${what}; repair unpacks it again`;
    this.#found({ kind, about: chain, message }, users, this.#options.repair && isRepaired);
  }

  /** A blob that is spoilt has its own finding. */
  async #isSound(place: LayerPlace): Promise<boolean> {
    try {
      return await sameFiles(this.#stores, place, this.#options.signal);
    } catch (error) {
      if (this.#options.signal?.aborted) throw error;
      return true;
    }
  }

  /** Why not, or "". */
  async #restore(chain: ChainId): Promise<string> {
    const place = this.#places.get(chain);
    if (!place) return "its manifest or configuration is missing";
    const { collector, layers } = this.#stores;
    try {
      await using lease = collector.lease();
      lease.holdLayer(chain);
      lease.holdBlob(place.layer.digest);
      await layers.restore(place, this.#options.signal);
      return "";
    } catch (error) {
      if (this.#options.signal?.aborted) throw error;
      return faultOf(error).message;
    }
  }

  async #checkOrphans(users: ReadonlyMap<ChainId, unknown>): Promise<void> {
    const { snapshots, collector } = this.#stores;
    const all = snapshots.list();
    // A container keeps its layers when its image is gone.
    const stood = new Set<string | undefined>();
    const parents = new Map(all.map(({ name, parent }) => [name, parent] as const));
    for (const { name, kind } of all) {
      if (kind === "committed") continue;
      for (let at = parents.get(name); at !== undefined; at = parents.get(at)) stood.add(at);
    }
    for (const { name, kind } of all.toReversed()) {
      const chain = name as ChainId;
      if (kind !== "committed" || users.has(chain) || stood.has(name)) continue;
      if (collector.isHeld({ layer: chain }) || collector.needsLayer(chain)) continue;
      if (!snapshots.stat(chain)) continue;
      const message = `layer ${chain} is needed by no image${this.#done("; removed")}`;
      this.#found({ kind: "layer-orphan", about: chain, message }, [], this.#options.repair);
    }
    if (this.#options.repair) await collector.collectAll();
  }

  async #checkLeftovers(): Promise<void> {
    const { drafts, snapshots, blobs } = this.#stores;
    for (const key of await drafts.abandoned()) {
      if (this.#options.repair) await snapshots.remove(key);
      this.#leftover(key, `${key} is a half unpacked layer`);
    }
    for (const { name, isLive } of blobs.workspaces()) {
      if (isLive) continue;
      if (this.#options.repair) blobs.removeWorkspace(name);
      this.#leftover(name, `${name} is a half received blob`);
    }
  }

  #leftover(about: string, what: string): void {
    const message = `${what}${this.#done("; removed")}`;
    this.#found({ kind: "leftover", about, message }, [], this.#options.repair);
  }

  #done(words: string): string {
    return this.#options.repair ? words : "";
  }

  #found(
    finding: Pick<FsckFinding, "kind" | "about" | "message">,
    users: readonly Digest[] | undefined,
    repaired: boolean,
  ): void {
    const images = (users ?? []).flatMap((id) => {
      const names = this.#names.get(id) ?? [];
      return names.length > 0 ? names : [id];
    });
    const whole = { ...finding, images: [...new Set(images)], repaired };
    this.#findings.push(whole);
    this.#options.onFinding?.(whole);
  }
}

function grouped<K>(pairs: readonly (readonly [K, Digest])[]): ReadonlyMap<K, readonly Digest[]> {
  const groups = new Map<K, Digest[]>();
  for (const [key, image] of pairs) {
    const known = groups.get(key);
    if (known) known.push(image);
    else groups.set(key, [image]);
  }
  return groups;
}
