import { type Clock, Fault, isFault } from "#base";
import {
  canonicalName,
  canonicalString,
  chainIds,
  type Digest,
  familiarName,
  familiarString,
  type ImageConfig,
  type Manifest,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Reference,
  withDefaultTag,
} from "#image";
import type { Snapshotter } from "#snapshot";
import type { BlobStore } from "./blob-store.ts";
import { crashPoint } from "./crash-point.ts";
import { type ImageRemoval, type RemoveOptions, removeId, removeName } from "./image-removal.ts";
import type { ImageRow, ImageTable, ManifestReplacement } from "./image-table.ts";
import type { Collector } from "./lease.ts";
import {
  createdOf,
  type Documents,
  type ListedImage,
  labelsOf,
  listedImage,
  type StoredImage,
  storedImage,
} from "./stored-image.ts";

/** The number of parsed documents that are kept; a list of images needs none of them. */
const maxDocuments = 64;

/** Images by id and name, with Docker's rules for naming and removing them. */
export class ImageStore {
  readonly #blobs: BlobStore;
  readonly #table: ImageTable;
  readonly #snapshots: Snapshotter;
  readonly #collector: Collector;
  readonly #clock: Clock;
  /** By manifest, the latest last. They never change. */
  readonly #documents = new Map<Digest, Documents>();

  constructor(parts: {
    readonly blobs: BlobStore;
    readonly images: ImageTable;
    readonly snapshots: Snapshotter;
    readonly collector: Collector;
    readonly clock: Clock;
  }) {
    this.#blobs = parts.blobs;
    this.#table = parts.images;
    this.#snapshots = parts.snapshots;
    this.#collector = parts.collector;
    this.#clock = parts.clock;
  }

  /**
   * Stores an image whose blobs are in place and whose layers are unpacked, and names
   * it, in one durable step. Hold its blobs and layers until this has returned.
   * `isNew`: the manifest was not here, or a name did not stand for it.
   */
  put(
    image: {
      readonly digest: Digest;
      /** The sha256 of the configuration, a blob as well. */
      readonly id: Digest;
      readonly manifest: Manifest;
      readonly size: number;
      /** Further blobs to keep with it, as the index it was chosen from. */
      readonly companions?: readonly Digest[];
      /** The image of the container that it was committed from. */
      readonly parent?: Digest | undefined;
    },
    references: readonly Reference[],
  ): { readonly image: StoredImage; readonly isNew: boolean } {
    for (const reference of references) checkTag(reference);
    const { manifest, digest, id, size, companions = [], parent = null } = image;
    const documents = [digest, ...new Set([id, manifest.config.digest])];
    const config = this.readConfig(id);
    const now = this.#clock.now();
    const names = references.map((reference) => nameOf(reference));
    let isNew = false;
    const dropped = this.#table.durably(() => {
      isNew =
        this.#table.byManifest(digest) === undefined ||
        names.some((name) => this.#table.named(name)?.manifest !== digest);
      this.#table.put(
        {
          ...{ id, manifest: digest, size, stored: now },
          ...{ created: createdOf(config), labels: JSON.stringify(labelsOf(config)), parent },
        },
        {
          blobs: [...documents, ...manifest.layers.map((layer) => layer.digest), ...companions],
          layers: chainIds(config.rootfs.diff_ids),
        },
      );
      return names
        .flatMap((name) => this.#name(name, { image: id, manifest: digest, isTagged: false }))
        .concat(this.#table.trimManifests(id));
    });
    this.#collector.collectBlobs(dropped);
    return { image: this.get(id, digest), isNew };
  }

  /** A configuration among the blobs. */
  readConfig(id: Digest): ImageConfig {
    return parseImageConfig(this.#blobs.readDocument(id), `image configuration ${id}`);
  }

  /** By full id; undefined when there is no such image. */
  find(id: Digest): StoredImage | undefined {
    const row = this.#table.get(id);
    return row && this.#stored(row);
  }

  /**
   * By full id; with `manifest`, in the form of that manifest if it is still stored. `not_found`.
   */
  get(id: Digest, manifest?: Digest): StoredImage {
    const row = this.#table.get(id);
    if (!row) throw new Fault("not_found", `there is no image ${id}`, { about: id });
    const isThere = manifest !== undefined && this.#table.byManifest(manifest)?.id === id;
    return this.#stored(row, isThere ? manifest : row.manifest);
  }

  /** Newest first. Reads no document: two queries, however many images there are. */
  list(): readonly ListedImage[] {
    const names = new Map<Digest, string[]>();
    for (const { image, reference } of this.#table.names()) {
      const known = names.get(image);
      if (known) known.push(reference);
      else names.set(image, [reference]);
    }
    return this.#table.all().map((row) => listedImage(row, names.get(row.id) ?? []));
  }

  /** The number of images, of one query. */
  count(): number {
    return this.#table.count();
  }

  /** Whether there is an image of this id, without reading it. */
  has(id: Digest): boolean {
    return this.#table.get(id) !== undefined;
  }

  /** The id of the image that `resolve` would give, without reading it; undefined when there is none. */
  idOf(text: string): Digest | undefined {
    try {
      return this.#found(text).row.id;
    } catch (error) {
      if (isFault(error)) return undefined;
      throw error;
    }
  }

  /** The tags of a repository, familiar; none for a text that has a tag, or that is not a name. */
  tagsOf(text: string): readonly string[] {
    if (/^[0-9a-f]{64}$/.test(text)) return [];
    const reference = parseReference(text);
    if (reference.tag !== undefined || reference.digest !== undefined) return [];
    const prefix = `${canonicalName(reference)}:`;
    return this.#table
      .names()
      .filter((name) => name.reference.startsWith(prefix) && !name.reference.includes("@"))
      .map((name) => familiarString(parseReference(name.reference)));
  }

  /**
   * By id, by name ("debian" is "debian:latest"), by digest ("debian@sha256:..."), or
   * by the beginning of an id that only one has. A name goes before a beginning, and
   * gives the manifest that it stands for.
   */
  resolve(text: string): StoredImage {
    const { row, manifest } = this.#found(text);
    return this.#stored(row, manifest);
  }

  /**
   * Adds a name to an image, and takes it from the image that had it. `not_found` for the source,
   * `invalid` for a target that is not a name or has a digest.
   */
  tag(source: string, target: string): StoredImage {
    const { row, manifest } = this.#found(source);
    const reference = withDefaultTag(parseReference(target));
    if (reference.digest !== undefined) {
      throw new Fault("invalid", `"${target}" names a digest; a tag is given as name:tag`, {
        about: target,
      });
    }
    checkTag(reference);
    const dropped = this.#table.durably(() =>
      this.#name(canonicalString(reference), { image: row.id, manifest, isTagged: true }),
    );
    this.#collector.collectBlobs(dropped);
    return this.get(row.id, manifest);
  }

  /** Names a manifest by its digest in a repository, as after it was pushed there. Does nothing when it was removed meanwhile. */
  nameByDigest(reference: Reference & { readonly digest: Digest }): void {
    const { digest } = reference;
    const row = this.#table.byManifest(digest);
    if (row)
      this.#table.durably(() =>
        this.#name(nameOf(reference), { image: row.id, manifest: digest, isTagged: false }),
      );
  }

  /** Puts manifests, whose documents and blobs are in place and held, where others of the same images are, in one durable step. */
  replaceManifests(replacements: readonly ManifestReplacement[]): void {
    const dropped = this.#table.durably(() =>
      replacements.flatMap((each) => this.#table.replaceManifest(each)),
    );
    crashPoint("push:manifests-replaced");
    this.#collector.collectBlobs(dropped);
  }

  /** Takes a name away; the image stays. */
  untag(name: string): StoredImage {
    const reference = nameOf(parseReference(name));
    const row = this.#table.named(reference);
    if (!row) throw new Fault("not_found", `there is no image "${name}"`, { about: name });
    const dropped = this.#table.durably(() => {
      this.#table.unname(reference);
      return this.#table.trimManifests(row.image);
    });
    this.#collector.collectBlobs(dropped);
    return this.get(row.image);
  }

  /**
   * Docker's `rmi`. By name: the name goes, and with the last one the image; a container that uses
   * it stops that unless forced. By id: all names go, which must be of one repository unless
   * forced. A running container stops it in any case. Works without the image's documents, so that
   * a damaged image can be removed.
   */
  async remove(text: string, options: RemoveOptions): Promise<readonly ImageRemoval[]> {
    const { row } = this.#found(text);
    const users = options.usersOf(row.id);
    const names = this.#table.namesOf(row.id).map(({ reference }) => parseReference(reference));
    const request = { id: row.id, text, names, users, force: options.force };
    const { untag, deletes } = this.#isId(text, row.id) ? removeId(request) : removeName(request);

    const removals: ImageRemoval[] = untag.map((each) => ({ untagged: familiarString(each) }));
    if (deletes) return [...removals, ...(await this.#delete(row.id))];
    const dropped = this.#table.durably(() => {
      for (const each of untag) this.#table.unname(canonicalString(each));
      return this.#table.trimManifests(row.id);
    });
    crashPoint("untag:recorded");
    this.#collector.collectBlobs(dropped);
    return removals;
  }

  /** Fills in the fields of the list for images that an older version stored. */
  describeAll(): void {
    const unread = this.#table.undescribed();
    if (unread.length === 0) return;
    const read = unread.flatMap(({ id }) => {
      try {
        return [{ id, config: this.readConfig(id) }];
      } catch {
        // `fsck` tells of a document that cannot be read; it must not keep the engine from
        // starting.
        return [];
      }
    });
    this.#table.durably(() => {
      for (const { id, config } of read) {
        this.#table.describe(id, createdOf(config), JSON.stringify(labelsOf(config)));
      }
    });
  }

  /**
   * With all its names. The rows go first: the next start collects the files that a crash leaves.
   */
  async #delete(id: Digest): Promise<readonly ImageRemoval[]> {
    const { blobs, layers } = this.#table.durably(() => {
      const needs = { blobs: this.#table.blobsOf(id), layers: this.#table.layersOf(id) };
      for (const manifest of this.#table.manifestsOf(id)) this.#documents.delete(manifest);
      this.#table.delete(id);
      return needs;
    });
    crashPoint("delete:rows-deleted");
    this.#collector.collectBlobs(blobs);
    crashPoint("delete:blobs-deleted");
    const removed = await this.#collector.collectLayers(layers);
    return [{ deleted: id }, ...removed.map((deleted) => ({ deleted }))];
  }

  /**
   * In a transaction; gives the blobs that no name needs any more. A name that the image has already
   * keeps its time, unless it was tagged anew.
   */
  #name(
    reference: string,
    {
      image,
      manifest,
      isTagged,
    }: { readonly image: Digest; readonly manifest: Digest; readonly isTagged: boolean },
  ): Digest[] {
    const known = isTagged ? undefined : this.#table.named(reference);
    const tagged = known?.image === image ? known.tagged : this.#clock.now();
    const before = this.#table.name({ reference, image, manifest, tagged });
    return before ? this.#table.trimManifests(before.image) : [];
  }

  #found(text: string): { readonly row: ImageRow; readonly manifest: Digest } {
    const hex = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(text)?.[1];
    const named = hex?.length === 64 || text.startsWith("sha256:") ? undefined : this.#named(text);
    if (named) return named;
    const row = hex === undefined ? undefined : this.#rowByHex(hex, text);
    if (row) {
      const isManifest = hex?.length === 64 && row.id !== `sha256:${hex}`;
      return { row, manifest: isManifest ? (`sha256:${hex}` as Digest) : row.manifest };
    }
    throw new Fault(
      "not_found",
      `there is no image "${text}" here; pull, load, import or make it first`,
      { about: text },
    );
  }

  #rowByHex(hex: string, text: string): ImageRow | undefined {
    if (hex.length === 64) {
      return this.#table.get(`sha256:${hex}`) ?? this.#table.byManifest(`sha256:${hex}`);
    }
    const [row, second] = this.#table.byPrefix(hex);
    if (row && second) {
      throw new Fault(
        "invalid",
        `"${text}" is the beginning of several image ids; give more of it`,
        { about: text },
      );
    }
    return row;
  }

  #named(text: string): { readonly row: ImageRow; readonly manifest: Digest } | undefined {
    const reference = withDefaultTag(parseReference(text));
    const named = this.#table.named(nameOf(reference));
    if (named) {
      const row = this.#table.get(named.image);
      return row && { row, manifest: named.manifest };
    }
    const { digest } = reference;
    const row = digest && this.#table.byManifest(digest);
    if (!row) return undefined;
    const repository = familiarName(reference);
    const isOfIt = this.#table
      .namesOf(row.id)
      .some((name) => familiarName(parseReference(name.reference)) === repository);
    return isOfIt ? { row, manifest: digest } : undefined;
  }

  #isId(text: string, id: Digest): boolean {
    const hex = text.replace(/^sha256:/, "");
    if (!/^[0-9a-f]+$/.test(hex)) return false;
    if (text.startsWith("sha256:") || hex.length === 64) return true;
    return id.startsWith(`sha256:${hex}`) && !this.#named(text);
  }

  #stored(row: ImageRow, manifest = row.manifest): StoredImage {
    const names = this.#table.namesOf(row.id);
    const documents = this.#read(row.id, manifest);
    return storedImage({ row: { ...row, manifest }, names }, documents, this.#snapshots);
  }

  #read(id: Digest, digest: Digest): Documents {
    let documents = this.#documents.get(digest);
    if (!documents) {
      const bytes = this.#blobs.readDocument(digest);
      const manifest = parseManifest(bytes, `manifest ${digest}`);
      documents = { manifest, manifestSize: bytes.length, config: this.readConfig(id) };
    }
    this.#documents.delete(digest);
    this.#documents.set(digest, documents);
    const [oldest] = this.#documents.keys();
    if (oldest && this.#documents.size > maxDocuments) this.#documents.delete(oldest);
    return documents;
  }
}

/** As the table has it. A tag beside a digest says nothing. */
function nameOf(reference: Reference): string {
  const { domain, path, digest } = reference;
  if (digest !== undefined) return canonicalString({ domain, path, digest });
  return canonicalString(withDefaultTag(reference));
}

/** "sha256:..." would be taken for a digest. */
function checkTag(reference: Reference): void {
  if (familiarName(reference) !== "sha256" || reference.digest !== undefined) return;
  throw new Fault("invalid", "refusing to create an ambiguous tag using digest algorithm as name", {
    about: familiarString(reference),
  });
}
