import { type FileHandle, rm } from "node:fs/promises";
import { type Clock, faultOf, type Log, silentLog, systemClock } from "#base";
import { type Digest, familiarString, parseReference, withDefaultTag } from "#image";
import type { Snapshotter } from "#snapshot";
import type { State } from "#state";
import { BlobStore } from "./blob-store.ts";
import {
  type CreationParts,
  createImageFromTree,
  createImageFromUpper,
  type ImportOptions,
  importTree,
  type TreeOptions,
  type UpperOptions,
} from "./create-image.ts";
import { ImageStore, type StoredImage } from "./image-store.ts";
import { ImageTable } from "./image-table.ts";
import { Collector, type Lease } from "./lease.ts";
import { type LoadedImage, type LoadOptions, loadArchive } from "./load.ts";
import { type SavedImage, saveArchive } from "./save.ts";
import { Unpacker } from "./unpack.ts";

export interface ContentOptions {
  /** A directory of its own. */
  readonly root: string;
  readonly state: State;
  readonly snapshots: Snapshotter;
  readonly log?: Log;
  readonly clock?: Clock;
}

/** Blobs, images and their unpacked layers of one data root. */
export class Content {
  readonly images: ImageStore;
  readonly #parts: CreationParts;
  readonly #log: Log;

  constructor({ root, state, snapshots, log = silentLog, clock = systemClock }: ContentOptions) {
    const blobs = new BlobStore(root);
    const table = new ImageTable(state);
    const collector = new Collector({ blobs, images: table, snapshots, log });
    this.images = new ImageStore({ blobs, images: table, snapshots, collector, clock });
    const unpacker = new Unpacker({ blobs, snapshots, log });
    this.#parts = { blobs, images: this.images, collector, unpacker, snapshots, clock };
    this.#log = log;
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
    return await this.#parts.blobs.ingest(stream, expected);
  }

  read(digest: Digest): AsyncGenerator<Uint8Array, void> {
    return this.#parts.blobs.read(digest);
  }

  async open(digest: Digest): Promise<FileHandle> {
    return await this.#parts.blobs.open(digest);
  }

  has(digest: Digest): boolean {
    return this.#parts.blobs.has(digest);
  }

  lease(): Lease {
    return this.#parts.collector.lease();
  }

  async loadArchive(
    archive: AsyncIterable<Uint8Array>,
    options: LoadOptions = {},
  ): Promise<readonly LoadedImage[]> {
    return await loadArchive(this.#parts, archive, options);
  }

  /** A name saves that name of its image, an id the image without names. What is unknown throws before the first byte. */
  saveArchive(references: readonly string[]): AsyncGenerator<Uint8Array, void> {
    const saved = new Map<Digest, SavedImage>();
    for (const text of references) {
      const image = this.images.resolve(text);
      const tag = this.#tagOf(image, text);
      const before = saved.get(image.id)?.tags ?? [];
      saved.set(image.id, {
        image,
        tags: tag.length > 0 ? [...new Set([...before, ...tag])] : before,
      });
    }
    return saveArchive(this.#parts.blobs, [...saved.values()]);
  }

  async importTree(
    archive: AsyncIterable<Uint8Array>,
    options: ImportOptions = {},
  ): Promise<StoredImage> {
    return await importTree(this.#parts, archive, options);
  }

  async createImageFromTree(options: TreeOptions): Promise<StoredImage> {
    const image = await createImageFromTree(this.#parts, options);
    // Left over when the layer was there already, or the tree was on another file system.
    await rm(options.directory, { recursive: true, force: true });
    return image;
  }

  async createImageFromUpper(options: UpperOptions): Promise<StoredImage> {
    return await createImageFromUpper(this.#parts, options);
  }

  /** Removes blobs and layers that nothing needs; after the removal of a container whose image is gone. */
  async collect(): Promise<void> {
    await this.#parts.collector.collectAll();
  }

  /** Makes good what a crash left: collects, and unpacks again what had not reached the disk. */
  async settle(): Promise<void> {
    const { unpacker, collector, snapshots } = this.#parts;
    await unpacker.settle();
    await this.collect();
    for (const image of this.images.list()) {
      if (image.chainId === undefined || snapshots.stat(image.chainId)) continue;
      try {
        await using lease = collector.lease();
        await unpacker.unpack({ manifest: image.manifest, config: image.config, lease });
      } catch (error) {
        this.#log.error("an image's layers are lost; load it again", {
          image: image.tags[0] ?? image.id,
          error: faultOf(error).message,
        });
      }
    }
  }

  #tagOf(image: StoredImage, text: string): readonly string[] {
    if (/^(sha256:)?[0-9a-f]+$/.test(text) && image.id.includes(text.replace(/^sha256:/, ""))) {
      return image.tags.includes(`${text}:latest`) ? [`${text}:latest`] : [];
    }
    const reference = withDefaultTag(parseReference(text));
    return reference.tag === undefined ? [] : [familiarString(reference)];
  }
}

/** Opens the content below `root`, over the snapshots that its layers live in, and settles what a crash left. */
export async function openContent(options: ContentOptions): Promise<Content> {
  const content = new Content(options);
  await content.settle();
  return content;
}
