import { type FileHandle, rm } from "node:fs/promises";
import { type Clock, faultOf, type Log, silentLog, systemClock } from "#base";
import type { Descriptor, Digest, Reference } from "#image";
import type { CompressionChoice } from "#layer";
import type { Snapshotter } from "#snapshot";
import type { State } from "#state";
import { BlobStore } from "./blob-store.ts";
import {
  type BuiltOptions,
  type CommitOptions,
  commitLayer,
  type PlaceOptions,
  placeLayer,
  storeBuilt,
} from "./commit-layer.ts";
import { type ComposeOptions, composeImage } from "./compose-image.ts";
import {
  type CreationParts,
  createImageFromTree,
  createImageFromUpper,
  defaultCompression,
  type ImportOptions,
  importTree,
  type TreeOptions,
  type UpperOptions,
} from "./create-image.ts";
import type { ContentUsage } from "./disk-usage.ts";
import { Drafts } from "./draft.ts";
import type { FsckOptions, FsckReport } from "./fsck.ts";
import { type Artifact, type HeldImage, type HoldOptions, holdImage } from "./hold-image.ts";
import { ImageStore } from "./image-store.ts";
import { ImageTable } from "./image-table.ts";
import { LayerReceiver } from "./layer-receiver.ts";
import { LayerStore } from "./layer-store.ts";
import { Collector, type Lease } from "./lease.ts";
import { type LoadedImage, type LoadOptions, loadArchive } from "./load.ts";
import { type Pinned, PinTable } from "./pin-table.ts";
import { type PullOptions, pullImage } from "./pull.ts";
import {
  type RecompressedImage,
  type RecompressOptions,
  recompressImage,
  recompressLayer,
} from "./recompress.ts";
import { replaceManifest } from "./replace-manifest.ts";
import { chooseImages, type SaveOptions, saveArchive, saveArtifact } from "./save.ts";
import { settleContent } from "./settle.ts";
import { SourceTable } from "./source-table.ts";
import type { StoredImage, StoredLayer } from "./stored-image.ts";

/** Where content is kept, and the parts it stands on. */
export interface ContentOptions {
  /** A directory of its own. */
  readonly root: string;
  readonly state: State;
  readonly snapshots: Snapshotter;
  readonly log?: Log;
  readonly clock?: Clock;
  /** For layers that are made here, and for plain ones when they are pushed. Default zstd, level 1. */
  readonly compression?: CompressionChoice | undefined;
  /** Does not settle what a crash left; `fsck` lists it. */
  readonly untouched?: boolean;
}

/** The stores that the parts of content share; made once. */
export interface ContentStores extends CreationParts {
  readonly table: ImageTable;
  readonly drafts: Drafts;
  readonly log: Log;
}

/** Blobs, images and their unpacked layers of one data root. */
export class Content {
  readonly images: ImageStore;
  readonly compression: CompressionChoice;
  readonly #stores: ContentStores;
  readonly #receiver: LayerReceiver;
  readonly #pins: PinTable;

  constructor(options: ContentOptions) {
    const { root, state, snapshots, log = silentLog, clock = systemClock } = options;
    this.compression = options.compression ?? defaultCompression;
    const blobs = new BlobStore(root, options);
    const table = new ImageTable(state);
    const sources = new SourceTable(state);
    this.#pins = new PinTable(state);
    const keepers = [table, this.#pins];
    const collector = new Collector({ blobs, keepers, snapshots, sources, log });
    this.images = new ImageStore({ blobs, images: table, snapshots, collector, clock });
    const drafts = new Drafts(snapshots, log);
    const receiver = new LayerReceiver({ blobs, drafts, collector });
    this.#receiver = receiver;
    const layers = new LayerStore({ blobs, snapshots, receiver });
    this.#stores = {
      ...{ blobs, table, sources, collector, drafts, layers, snapshots },
      ...{ images: this.images, clock, log, compression: this.compression },
    };
  }

  /** How many layers are fetched at once, over all pulls; three unless told otherwise. */
  limitDownloads(count: number): void {
    this.#receiver.limitDownloads(count);
  }

  /** By name, id or beginning of an id; `not_found` for anything else. */
  resolve(reference: string): StoredImage {
    return this.images.resolve(reference);
  }

  /** By full id; undefined when there is no such image. */
  findById(id: Digest): StoredImage | undefined {
    return this.images.find(id);
  }

  /**
   * Stores a blob: verified first, then there as a whole or not at all. `data_loss` when it is not
   * what `expected` says, `exhausted` when it is longer. Hold it with a lease before, or the next
   * collection may remove it.
   */
  async ingest(
    stream: AsyncIterable<Uint8Array>,
    expected: { readonly digest?: Digest; readonly size?: number } = {},
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    return await asFaults(this.#stores.blobs.ingest(stream, expected));
  }

  /** The bytes of a blob, from `offset` on; `not_found`. */
  read(
    digest: Digest,
    { offset = 0 }: { readonly offset?: number } = {},
  ): AsyncGenerator<Uint8Array, void> {
    return this.#stores.blobs.read(digest, offset);
  }

  /**
   * A manifest or index as it was stored; `not_found`, or `data_loss` when it has changed on the
   * disk.
   */
  readManifest(digest: Digest): Buffer {
    return this.#stores.blobs.readDocument(digest);
  }

  /** The size of a blob in bytes; `not_found` when it is missing. */
  blobSize(digest: Digest): number {
    return this.#stores.blobs.size(digest);
  }

  /** The file of a blob, for reading; the caller closes it. `not_found` when it is missing. */
  async open(digest: Digest): Promise<FileHandle> {
    return await this.#stores.blobs.open(digest);
  }

  /** Whether a blob is stored; a lease taken before keeps the answer true. */
  has(digest: Digest): boolean {
    return this.#stores.blobs.has(digest);
  }

  /** Notes that a repository (canonical name) holds a blob, for mounts across repositories. */
  noteSource(digest: Digest, repository: string): void {
    this.#stores.sources.note([digest], repository);
  }

  /** Canonical names of repositories that are known to hold a blob, the latest first. */
  sourcesOf(digest: Digest): string[] {
    return this.#stores.sources.of(digest);
  }

  /**
   * Takes in an image whose manifest was fetched already. `isNew` is false when it was
   * here and had all the names.
   */
  async pull(
    options: PullOptions,
  ): Promise<{ readonly image: StoredImage; readonly isNew: boolean }> {
    return await asFaults(pullImage(this.#stores, options));
  }

  /** Keeps blobs and layers that are being made; see `Lease`. */
  lease(): Lease {
    return this.#stores.collector.lease();
  }

  /**
   * Keeps blobs and layers for good under a name of the holder's choice, beside what it keeps
   * already. Joins a transaction of the caller's; hold them with a lease before.
   */
  pin(holder: string, pinned: Pinned): void {
    this.#pins.pin(holder, pinned);
  }

  /** Whether an image needs the blob. */
  isOfImage(digest: Digest): boolean {
    return this.#stores.table.needsBlob(digest);
  }

  /** Lets go of all that these holders keep; what nothing else needs is removed. Gives the bytes of the blobs and of the layers' files that went. */
  async unpin(holders: readonly string[]): Promise<number> {
    const { collector, snapshots } = this.#stores;
    const freed = holders.map((holder) => this.#pins.unpin(holder));
    const layers = freed.flatMap((pinned) => pinned.layers);
    const sizes = new Map(layers.map((chain) => [chain, snapshots.stat(chain)?.size ?? 0]));
    const bytes = collector.collectBlobs(freed.flatMap((pinned) => pinned.blobs));
    const removed = await collector.collectLayers(layers);
    return removed.reduce((sum, chain) => sum + (sizes.get(chain) ?? 0), bytes);
  }

  /** Turns the changes of a step into a layer; see `CommitOptions`. */
  async commitLayer(options: CommitOptions): Promise<StoredLayer> {
    return await asFaults(commitLayer(this.#stores, options));
  }

  /**
   * Sees to it that a layer, whose blob is here or comes from a source, is unpacked over those below it,
   * which are. The lease holds it. `data_loss` when the source's is not what its digests say.
   */
  async placeLayer(options: PlaceOptions): Promise<StoredLayer> {
    return await asFaults(placeLayer(this.#stores, options));
  }

  /** Makes an image of layers that are here, with the configuration as it is given. */
  async storeBuilt(
    options: BuiltOptions & { readonly references: readonly Reference[] },
  ): Promise<StoredImage> {
    return await asFaults(storeBuilt(this.#stores, options));
  }

  /** An image of layers that are here, as blobs that the lease holds, without storing it. */
  async holdImage(options: HoldOptions): Promise<HeldImage> {
    return await asFaults(holdImage(this.#stores, options));
  }

  /**
   * Takes in the images of an archive of `docker save` or of an OCI layout, as a tar, plain or
   * compressed. Each image is there with its names or not at all; a Fault leaves the ones before
   * it.
   */
  async loadArchive(
    archive: AsyncIterable<Uint8Array>,
    options: LoadOptions = {},
  ): Promise<readonly LoadedImage[]> {
    return await asFaults(loadArchive(this.#stores, archive, options));
  }

  /**
   * The image with other compression of its layers, as blobs that the lease holds; undefined when
   * nothing changes.
   */
  async recompress(
    image: StoredImage,
    options: RecompressOptions,
  ): Promise<RecompressedImage | undefined> {
    return await asFaults(recompressImage(this.#stores, image, options));
  }

  /** As `recompress` does it, for one layer of any stack: the blob that is wanted, held by the lease. */
  async recompressLayer<L extends Pick<StoredLayer, "blob" | "diffId">>(
    layer: L,
    options: RecompressOptions<L>,
  ): Promise<Descriptor> {
    return await asFaults(recompressLayer(this.#stores, layer, options));
  }

  /**
   * Puts the result of `recompress` in the place of the manifest that it was made of, under its tags.
   * Layers that were plain are exchanged in all manifests that no registry has, so that
   * images that share a layer go on sharing it.
   */
  async replaceManifest(
    image: StoredImage,
    made: RecompressedImage,
    options: { readonly lease: Lease },
  ): Promise<void> {
    await asFaults(replaceManifest(this.#stores, image, { made, ...options }));
  }

  /**
   * The images as an archive that Docker and OCI tools load: a name saves that name of its image,
   * an id the image without names. Layers in zstd are written as gzip, unless the options say
   * otherwise. An image that is unknown, or not for the platform, throws before the first byte.
   */
  saveArchive(
    references: readonly string[],
    options: SaveOptions = {},
  ): AsyncGenerator<Uint8Array, void> {
    return saveArchive(this.#stores, chooseImages(this.images, references, options), options);
  }

  /** An artifact as an archive, under these names. */
  saveArtifact(artifact: Artifact, tags: readonly string[]): AsyncGenerator<Uint8Array, void> {
    return saveArtifact(this.#stores, artifact, tags);
  }

  /**
   * Makes an image of one layer from the tar of a root file system (`docker import`). A Fault
   * leaves nothing.
   */
  async importTree(
    archive: AsyncIterable<Uint8Array>,
    options: ImportOptions = {},
  ): Promise<StoredImage> {
    return await asFaults(importTree(this.#stores, archive, options));
  }

  /** Makes an image of one layer from a directory, which is gone afterwards. */
  async createImageFromTree(options: TreeOptions): Promise<StoredImage> {
    const image = await asFaults(createImageFromTree(this.#stores, options));
    // Left over when the layer was there already, or the tree was on another file system.
    await rm(options.directory, { recursive: true, force: true });
    return image;
  }

  /** Makes an image of layers that are files, or blobs of other images, lowest first. */
  async composeImage(options: ComposeOptions): Promise<StoredImage> {
    return await asFaults(composeImage(this.#stores, options));
  }

  /** Makes an image of a base and the changes of a container (`docker commit`). */
  async createImageFromUpper(options: UpperOptions): Promise<StoredImage> {
    return await asFaults(createImageFromUpper(this.#stores, options));
  }

  /**
   * Removes blobs and layers that nothing needs; to be called when a container is removed whose
   * image is gone.
   */
  async collect(): Promise<void> {
    await this.#stores.collector.collectAll();
  }

  /**
   * Repairs what a crash left: collects, and unpacks again the layers that had not reached the
   * disk. At the start only.
   */
  async settle(): Promise<void> {
    await settleContent(this.#stores);
  }

  /**
   * The disk space of images; what several share is counted once. `isUsed` says whether a container
   * is made of an image.
   */
  async diskUsage(isUsed: (image: Digest) => boolean = () => false): Promise<ContentUsage> {
    const { contentUsage } = await import("./disk-usage.ts");
    return await contentUsage(this.#stores, isUsed);
  }

  /**
   * Checks blobs and layers against their digests; may run beside everything else. `canceled` by
   * its signal.
   */
  async fsck(options: FsckOptions): Promise<FsckReport> {
    const { checkContent } = await import("./fsck.ts");
    return await checkContent(this.#stores, options);
  }
}

/** Errors of Node's file functions, such as a full disk, as Faults; of several failures the first. */
async function asFaults<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    let first = error;
    // A failure of the cleanup must not hide its reason.
    while (first instanceof SuppressedError) first = first.suppressed;
    throw faultOf(first);
  }
}

/** Opens the content below `root`, over the snapshots that its layers live in, and settles what a crash left. */
export async function openContent(options: ContentOptions): Promise<Content> {
  const content = new Content(options);
  if (options.untouched !== true) await content.settle();
  return content;
}
