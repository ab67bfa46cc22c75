import { type FileHandle, rm } from "node:fs/promises";
import { type Clock, faultOf, type Log, silentLog, systemClock } from "#base";
import type { Digest } from "#image";
import type { CompressionChoice } from "#layer";
import type { Snapshotter } from "#snapshot";
import type { State } from "#state";
import { BlobStore } from "./blob-store.ts";
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
import { ImageStore } from "./image-store.ts";
import { ImageTable } from "./image-table.ts";
import { LayerReceiver } from "./layer-receiver.ts";
import { LayerStore } from "./layer-store.ts";
import { Collector, type Lease } from "./lease.ts";
import { type LoadedImage, type LoadOptions, loadArchive } from "./load.ts";
import { type PullOptions, pullImage } from "./pull.ts";
import { type RecompressedImage, type RecompressOptions, recompressImage } from "./recompress.ts";
import { replaceManifest } from "./replace-manifest.ts";
import { chooseImages, type SaveOptions, saveArchive } from "./save.ts";
import { settleContent } from "./settle.ts";
import { SourceTable } from "./source-table.ts";
import type { StoredImage } from "./stored-image.ts";

export interface ContentOptions {
  /** A directory of its own. */
  readonly root: string;
  readonly state: State;
  readonly snapshots: Snapshotter;
  readonly log?: Log;
  readonly clock?: Clock;
  /** Of layers that are made here, and of plain ones when they are pushed. Default zstd, level 1. */
  readonly compression?: CompressionChoice | undefined;
  /** Leaves what a crash left as it is, for `fsck` to tell. */
  readonly untouched?: boolean;
}

/** What the parts of content work on; made once. */
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

  constructor(options: ContentOptions) {
    const { root, state, snapshots, log = silentLog, clock = systemClock } = options;
    this.compression = options.compression ?? defaultCompression;
    const blobs = new BlobStore(root, options);
    const table = new ImageTable(state);
    const sources = new SourceTable(state);
    const collector = new Collector({ blobs, images: table, snapshots, sources, log });
    this.images = new ImageStore({ blobs, images: table, snapshots, collector, clock });
    const drafts = new Drafts(snapshots, log);
    const receiver = new LayerReceiver({ blobs, drafts, collector });
    const layers = new LayerStore({ blobs, snapshots, receiver });
    this.#stores = {
      ...{ blobs, table, sources, collector, drafts, layers, snapshots },
      ...{ images: this.images, clock, log, compression: this.compression },
    };
  }

  /** By name, id or beginning of an id; `not_found`. */
  resolve(reference: string): StoredImage {
    return this.images.resolve(reference);
  }

  /** By full id. */
  findById(id: Digest): StoredImage | undefined {
    return this.images.find(id);
  }

  /** Takes a blob in; it is verified, and there at once or not at all. Hold it with a lease first. */
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

  /** A manifest or index as it was stored, checked against its digest; `not_found`. */
  readManifest(digest: Digest): Buffer {
    return this.#stores.blobs.readDocument(digest);
  }

  /** Bytes of a blob; `not_found`. */
  blobSize(digest: Digest): number {
    return this.#stores.blobs.size(digest);
  }

  async open(digest: Digest): Promise<FileHandle> {
    return await this.#stores.blobs.open(digest);
  }

  has(digest: Digest): boolean {
    return this.#stores.blobs.has(digest);
  }

  /** Tells that a repository (canonical name) holds a blob, for cross-repository mounts. */
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

  lease(): Lease {
    return this.#stores.collector.lease();
  }

  async loadArchive(
    archive: AsyncIterable<Uint8Array>,
    options: LoadOptions = {},
  ): Promise<readonly LoadedImage[]> {
    return await asFaults(loadArchive(this.#stores, archive, options));
  }

  /** The image with other compression of its layers, as blobs held by the lease; undefined when nothing changes. */
  async recompress(
    image: StoredImage,
    options: RecompressOptions,
  ): Promise<RecompressedImage | undefined> {
    return await asFaults(recompressImage(this.#stores, image, options));
  }

  /**
   * Puts what `recompress` gave in the place of the manifest that it was made of, under its tags.
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
   * A name saves that name of its image, an id the image without names. Layers in zstd are
   * written as gzip, unless the options say otherwise. What is unknown,
   * or is not for the platform that is asked for, throws before the first byte.
   */
  saveArchive(
    references: readonly string[],
    options: SaveOptions = {},
  ): AsyncGenerator<Uint8Array, void> {
    return saveArchive(this.#stores, chooseImages(this.images, references, options), options);
  }

  async importTree(
    archive: AsyncIterable<Uint8Array>,
    options: ImportOptions = {},
  ): Promise<StoredImage> {
    return await asFaults(importTree(this.#stores, archive, options));
  }

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

  async createImageFromUpper(options: UpperOptions): Promise<StoredImage> {
    return await asFaults(createImageFromUpper(this.#stores, options));
  }

  /** Removes blobs and layers that nothing needs; after the removal of a container whose image is gone. */
  async collect(): Promise<void> {
    await this.#stores.collector.collectAll();
  }

  /** Makes good what a crash left: collects, and unpacks again what had not reached the disk. At the start only. */
  async settle(): Promise<void> {
    await settleContent(this.#stores);
  }

  /**
   * What images take on the disk; layers and blobs that several share are counted once.
   * `isUsed` says whether a container stands on an image.
   */
  async diskUsage(isUsed: (image: Digest) => boolean = () => false): Promise<ContentUsage> {
    const { contentUsage } = await import("./disk-usage.ts");
    return await contentUsage(this.#stores, isUsed);
  }

  /** Checks everything against its digests; may run beside everything else. `canceled` by its signal. */
  async fsck(options: FsckOptions): Promise<FsckReport> {
    const { checkContent } = await import("./fsck.ts");
    return await checkContent(this.#stores, options);
  }
}

/** What node's file functions throw, as a full disk, in the one vocabulary; of several failures the first. */
async function asFaults<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    let first = error;
    // What fails while cleaning up must not hide why.
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
