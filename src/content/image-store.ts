import { type Clock, Fault, shortId } from "#base";
import {
  type ChainId,
  canonicalString,
  chainIds,
  type Descriptor,
  type DiffId,
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
import type { ImageRow, ImageTable } from "./image-table.ts";
import type { Collector } from "./lease.ts";

export interface StoredLayer {
  readonly diffId: DiffId;
  readonly chainId: ChainId;
  readonly blob: Descriptor;
  /** Bytes of its files. */
  readonly size: number;
}

export interface StoredImage {
  /** The digest of the configuration. */
  readonly id: Digest;
  /** The digest of the manifest. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  /** Bytes of the manifest's document. */
  readonly manifestSize: number;
  readonly config: ImageConfig;
  /** Familiar: "debian:12". None for a dangling image. */
  readonly tags: readonly string[];
  /** "debian@sha256:..." of those names that carry a digest. */
  readonly digests: readonly string[];
  /** Of the uppermost layer: what a container's snapshot is prepared over. Absent without layers. */
  readonly chainId?: ChainId;
  /** Lowest first. */
  readonly layers: readonly StoredLayer[];
  /** Bytes of the files of all layers. */
  readonly size: number;
  /** Seconds since the epoch, of the configuration; 0 when it does not say. */
  readonly created: number;
  /** Nanoseconds since the epoch. */
  readonly storedAt: bigint;
  readonly lastTagged?: bigint;
}

export type ImageRemoval = { readonly untagged: string } | { readonly deleted: Digest };

/** A container that stands on an image. */
export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
}

export interface RemoveOptions {
  readonly force: boolean;
  /** The containers made of an image, stopped ones too. */
  readonly usersOf: (id: Digest) => readonly ImageUser[];
}

interface Documents {
  readonly manifest: Manifest;
  readonly manifestSize: number;
  readonly config: ImageConfig;
}

/** Images by id and name, with Docker's rules for naming and removing them. */
export class ImageStore {
  readonly #blobs: BlobStore;
  readonly #table: ImageTable;
  readonly #snapshots: Snapshotter;
  readonly #collector: Collector;
  readonly #clock: Clock;
  /** Parsed once: an id's documents never change. */
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

  /** Stores an image whose blobs are in place and whose layers are unpacked, and names it, in one durable step. */
  put(
    image: {
      readonly digest: Digest;
      readonly manifest: Manifest;
      readonly size: number;
    },
    references: readonly Reference[],
  ): StoredImage {
    const { manifest, digest, size } = image;
    const id = manifest.config.digest;
    const config = this.readConfig(id);
    this.#table.durably(() => {
      this.#table.put(
        { id, manifest: digest, size, stored: this.#clock.now() },
        {
          blobs: [digest, id, ...manifest.layers.map((layer) => layer.digest)],
          layers: chainIds(config.rootfs.diff_ids),
        },
      );
      for (const reference of references) this.#name(reference, id);
    });
    return this.get(id);
  }

  /** A configuration among the blobs. */
  readConfig(id: Digest): ImageConfig {
    return parseImageConfig(this.#blobs.readDocument(id), `image configuration ${id}`);
  }

  /** By full id. */
  find(id: Digest): StoredImage | undefined {
    const row = this.#table.get(id);
    return row && this.#stored(row);
  }

  get(id: Digest): StoredImage {
    const image = this.find(id);
    if (!image) throw new Fault("not_found", `there is no image ${id}`, { about: id });
    return image;
  }

  /** Newest first. */
  list(): readonly StoredImage[] {
    return this.#table.all().map((row) => this.#stored(row));
  }

  /**
   * By id, by name ("debian" is "debian:latest"), by digest ("debian@sha256:..."), or
   * by the beginning of an id that only one has. A name goes before a beginning.
   */
  resolve(text: string): StoredImage {
    const row = this.#rowOf(text);
    if (row) return this.#stored(row);
    throw new Fault(
      "not_found",
      `there is no image "${text}" here; load, import or make it first`,
      {
        about: text,
      },
    );
  }

  /** Adds a name to an image; who had it loses it. */
  tag(source: string, target: string): StoredImage {
    const { id } = this.resolve(source);
    const reference = withDefaultTag(parseReference(target));
    if (reference.digest !== undefined) {
      throw new Fault("invalid", `"${target}" names a digest; a tag is given as name:tag`, {
        about: target,
      });
    }
    this.#table.durably(() => this.#name(reference, id));
    return this.get(id);
  }

  /** Takes a name away; the image stays. */
  untag(name: string): StoredImage {
    const reference = canonicalString(withDefaultTag(parseReference(name)));
    const row = this.#table.named(reference);
    if (!row) throw new Fault("not_found", `there is no image "${name}"`, { about: name });
    this.#table.durably(() => this.#table.unname(reference));
    return this.get(row.image);
  }

  /**
   * Docker's `rmi`. By name: the name goes, and with the last one the image; a
   * container that uses it stops that unless forced. By id: all names go, which must
   * be of one repository unless forced. A running container stops it in any case.
   */
  async remove(text: string, options: RemoveOptions): Promise<readonly ImageRemoval[]> {
    const image = this.resolve(text);
    const byName = !this.#isId(text, image.id);
    return byName
      ? await this.#removeName(image, text, options)
      : await this.#removeId(image, options);
  }

  async #removeName(
    image: StoredImage,
    text: string,
    { force, usersOf }: RemoveOptions,
  ): Promise<readonly ImageRemoval[]> {
    const reference = withDefaultTag(parseReference(text));
    const users = usersOf(image.id);
    const names = this.#table.namesOf(image.id);
    const [user] = users;
    if (user && !force && names.length <= 1) {
      throw conflict(
        `unable to remove repository reference "${text}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(image.id)}`,
        text,
      );
    }
    this.#table.durably(() => this.#table.unname(canonicalString(reference)));
    const removals: ImageRemoval[] = [{ untagged: familiarString(reference) }];
    const isLast = this.#table.namesOf(image.id).length === 0;
    if (!isLast || users.some(({ running }) => running)) return removals;
    return [...removals, ...(await this.#delete(image))];
  }

  async #removeId(
    image: StoredImage,
    { force, usersOf }: RemoveOptions,
  ): Promise<readonly ImageRemoval[]> {
    const users = usersOf(image.id);
    const shown = shortId(image.id);
    const running = users.find((user) => user.running);
    if (running) {
      throw conflict(
        `unable to delete ${shown} (cannot be forced) - image is being used by running container ${shortId(running.id)}`,
        image.id,
      );
    }
    const repositories = new Set(image.tags.map((tag) => familiarName(parseReference(tag))));
    if (!force && image.tags.length > 1) {
      const where =
        repositories.size > 1 ? "multiple repositories" : "one repository by several tags";
      throw conflict(
        `unable to delete ${shown} (must be forced) - image is referenced in ${where}`,
        image.id,
      );
    }
    const [user] = users;
    if (user && !force) {
      throw conflict(
        `unable to delete ${shown} (must be forced) - image is being used by stopped container ${shortId(user.id)}`,
        image.id,
      );
    }
    const untagged = image.tags.map((tag) => ({ untagged: tag }));
    return [...untagged, ...(await this.#delete(image))];
  }

  /** The rows first: what a crash leaves on the disk then is collected at the next start. */
  async #delete(image: StoredImage): Promise<readonly ImageRemoval[]> {
    const blobs = this.#table.blobsOf(image.id);
    this.#table.durably(() => this.#table.delete(image.id));
    this.#documents.delete(image.id);
    this.#collector.collectBlobs(blobs);
    const chains = image.layers.map(({ chainId }) => chainId).toReversed();
    const removed = await this.#collector.collectLayers(chains);
    return [{ deleted: image.id }, ...removed.map((deleted) => ({ deleted }))];
  }

  #name(reference: Reference, id: Digest): void {
    this.#table.name(canonicalString(withDefaultTag(reference)), id, this.#clock.now());
  }

  #rowOf(text: string): ImageRow | undefined {
    const hex = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(text)?.[1];
    if (hex?.length === 64) {
      return this.#table.get(`sha256:${hex}`) ?? this.#table.byManifest(`sha256:${hex}`);
    }
    if (!text.startsWith("sha256:")) {
      const row = this.#rowNamed(withDefaultTag(parseReference(text)));
      if (row) return row;
    }
    if (hex === undefined) return undefined;
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

  #rowNamed(reference: Reference): ImageRow | undefined {
    const named = this.#table.named(canonicalString(reference));
    if (named) return this.#table.get(named.image);
    if (reference.digest === undefined) return undefined;
    const row = this.#table.byManifest(reference.digest);
    const repository = familiarName(reference);
    const isOfIt =
      row && this.#stored(row).tags.some((tag) => familiarName(parseReference(tag)) === repository);
    return isOfIt ? row : undefined;
  }

  #isId(text: string, id: Digest): boolean {
    const hex = text.replace(/^sha256:/, "");
    if (!/^[0-9a-f]+$/.test(hex) || !id.startsWith(`sha256:${hex}`)) return false;
    return (
      text.startsWith("sha256:") ||
      hex.length === 64 ||
      !this.#rowNamed(withDefaultTag(parseReference(text)))
    );
  }

  #stored(row: ImageRow): StoredImage {
    const { manifest, manifestSize, config } = this.#read(row);
    const names = this.#table.namesOf(row.id);
    const references = names.map((name) => parseReference(name.reference));
    const chains = chainIds(config.rootfs.diff_ids);
    const chainId = chains.at(-1);
    const lastTagged = names.reduce(
      (last, { tagged }) => (BigInt(tagged) > last ? BigInt(tagged) : last),
      0n,
    );
    return {
      id: row.id,
      digest: row.manifest,
      manifest,
      manifestSize,
      config,
      tags: references.filter(({ tag }) => tag !== undefined).map(familiarString),
      digests: references.filter(({ digest }) => digest !== undefined).map(familiarString),
      ...(chainId !== undefined && { chainId }),
      layers: chains.map((chain, index) => ({
        diffId: config.rootfs.diff_ids[index] as DiffId,
        chainId: chain,
        blob: manifest.layers[index] as Descriptor,
        size: this.#snapshots.stat(chain)?.size ?? 0,
      })),
      size: row.size,
      created: createdOf(config),
      storedAt: BigInt(row.stored),
      ...(lastTagged > 0n && { lastTagged }),
    };
  }

  #read(row: ImageRow): Documents {
    let documents = this.#documents.get(row.id);
    if (!documents) {
      const bytes = this.#blobs.readDocument(row.manifest);
      const manifest = parseManifest(bytes, `manifest ${row.manifest}`);
      documents = { manifest, manifestSize: bytes.length, config: this.readConfig(row.id) };
      this.#documents.set(row.id, documents);
    }
    return documents;
  }
}

function createdOf({ created }: ImageConfig): number {
  const time = created === undefined ? Number.NaN : Date.parse(created);
  return Number.isNaN(time) || time < 0 ? 0 : Math.floor(time / 1000);
}

function conflict(message: string, about: string): Fault {
  return new Fault("conflict", message, { about });
}
