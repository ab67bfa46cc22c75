import { join } from "node:path";
import { type Clock, Fault, type Log } from "#base";
import type { Artifact, Lease, StoredImage } from "#content";
import { familiarString, type Reference, sha256 } from "#image";
import { makePrivateDirectory } from "#kernel";
import { packTree } from "#layer";
import type { State } from "#state";
import { annotationsAt } from "./annotations.ts";
import { ArchiveContexts } from "./archive-contexts.ts";
import { type ArtifactOptions, composeArtifact } from "./artifact.ts";
import { Build } from "./build.ts";
import type { PrivateMount } from "./build-files.ts";
import { CacheMounts } from "./cache-mounts.ts";
import type { CacheWriter } from "./cache-place.ts";
import { CacheStore } from "./cache-store.ts";
import { buildUsage, pruneBuilds } from "./cache-usage.ts";
import type { CarrierParts } from "./carrier.ts";
import { ContextTimes, readContextFile } from "./context-files.ts";
import { ContextStore } from "./context-store.ts";
import type {
  BuildContext,
  Builder,
  BuildOutcome,
  BuildRequest,
  BuiltImage,
  CacheToWrite,
  ImageLayout,
  KeepOptions,
  PruneOptions,
} from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import { DirectoryLayout } from "./directory-layout.ts";
import { openResult } from "./entered-step.ts";
import { exportCache } from "./export-cache.ts";
import { KeptDirectories } from "./kept-directories.ts";
import { KeyMaker } from "./key.ts";
import { LayoutArchive } from "./layout-archive.ts";
import { LayoutCache } from "./layout-cache.ts";
import type { WantedImage } from "./named-context.ts";
import { Pending } from "./pending.ts";
import { openRemoteContext, openRemoteFiles } from "./remote-context.ts";
import { RemoteSources } from "./remote-sources.ts";
import { type FileOptions, mountImage, mountResult } from "./result-files.ts";
import { Solver } from "./solver.ts";

/** The images that builds begin with. */
export interface ImageProvider {
  /**
   * The image of a name for a platform: one that is here, or with `pull` or without one the one of
   * its registry. Its layers are held by the lease.
   */
  find(image: WantedImage, options: FindOptions): Promise<StoredImage>;
}

/** How to look for an image. */
export interface FindOptions {
  readonly pull: boolean;
  readonly credentials: NonNullable<BuildRequest["credentials"]>;
  /** Where the image is instead of a registry. */
  readonly layout?: ImageLayout | undefined;
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

/** The parts of an engine that builds stand on. */
export interface BuilderParts extends Omit<CarrierParts, "cacheMounts" | "keys"> {
  readonly state: State;
  readonly clock: Clock;
  readonly log: Log;
  readonly images: ImageProvider;
  /** Hears of each image that was made, with the names that it was given. */
  readonly onImage: (image: StoredImage, tags: readonly Reference[]) => void;
  /** A directory of its own on the data root's file system. */
  readonly root: string;
}

/** Opens the builds of an engine, and settles what a crash has left of them. */
export async function openBuilder(parts: BuilderParts): Promise<Builder> {
  makePrivateDirectory(parts.root);
  const cache = new CacheStore(parts);
  const archives = new ArchiveContexts(join(parts.root, "archives"));
  const directories = new KeptDirectories(join(parts.root, "contexts"));
  const cacheMounts = new CacheMounts({ ...parts, root: join(parts.root, "mounts") });
  await cacheMounts.sweep();
  const keys = new KeyMaker();
  const times = new ContextTimes();
  const remotes = new RemoteSources(join(parts.root, "remotes"));
  const own = { cache, cacheMounts, archives, directories, keys, times, remotes };
  return new EngineBuilder({ ...parts, ...own });
}

/** What builds have from their engine, and among themselves. */
export interface OpenedParts extends BuilderParts {
  readonly cache: CacheStore;
  readonly cacheMounts: CacheMounts;
  readonly keys: KeyMaker;
  readonly times: ContextTimes;
  readonly remotes: RemoteSources;
  readonly archives: Builder["archives"];
  readonly directories: KeptDirectories;
}

class EngineBuilder implements Builder {
  readonly #parts: OpenedParts;
  readonly #solver: Solver;
  readonly #now = () => this.#parts.clock.now();
  readonly archives: Builder["archives"];
  readonly contexts: Builder["contexts"];
  readonly directories: KeptDirectories;
  readonly sent: Builder["sent"] = new Pending("context");
  readonly exports: Builder["exports"] = new Pending("export");

  constructor(parts: OpenedParts) {
    this.#parts = parts;
    this.archives = parts.archives;
    this.directories = parts.directories;
    this.contexts = new ContextStore(parts.directories);
    this.#solver = new Solver(parts);
  }

  async build(request: BuildRequest): Promise<BuildOutcome> {
    const lease = this.#parts.content.lease();
    try {
      const made = await new Build(this.#parts, this.#solver, { request, lease }).run();
      return { ...made, lease, [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose]() };
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  async keep({ images, lease }: BuildOutcome, options: KeepOptions): Promise<StoredImage> {
    const { content, clock, onImage } = this.#parts;
    const { tags, annotations, report, signal } = options;
    const [{ layers, config, platform }] = images;
    if (images.length > 1) {
      throw new Fault("unsupported", "an image for several platforms cannot be kept by the engine");
    }
    const name = "exporting to image";
    const vertex = { kind: "vertex", digest: sha256(name), name, inputs: [] } as const;
    const started = clock.now();
    report({ ...vertex, started });
    const image = await content.storeBuilt({
      ...{ layers, config, references: tags, lease, signal },
      annotations: annotationsAt(annotations, "manifest", platform),
    });
    report({ ...vertex, started, completed: clock.now() });
    crashPoint("build:image-stored");
    onImage(image, tags);
    return image;
  }

  remoteContext(url: string, signal: AbortSignal) {
    return openRemoteContext(this.#parts, url, signal);
  }

  remoteFiles(url: string, signal: AbortSignal) {
    return openRemoteFiles(this.#parts, url, signal);
  }

  layoutOf(context: BuildContext) {
    return new DirectoryLayout(context);
  }

  async readFile(context: BuildContext, path: string) {
    return readContextFile(context, path);
  }

  open({ layers }: BuiltImage, request: Pick<BuildRequest, "network">) {
    return openResult(this.#parts, layers, request);
  }

  artifact(outcome: BuildOutcome, options: ArtifactOptions) {
    return composeArtifact(this.#parts, outcome, options);
  }

  archive(artifact: Artifact, names: readonly Reference[]) {
    return this.#parts.content.saveArtifact(artifact, names.map(familiarString));
  }

  files(outcome: BuildOutcome, options: FileOptions) {
    return mountResult(this.#parts, outcome, options);
  }

  tar({ path }: PrivateMount) {
    return packTree(path, { includeRoot: false, mounts: true });
  }

  root(image: BuiltImage) {
    return mountImage(this.#parts, image);
  }

  layoutCache(directory: string, cache: { name: string; wanted: string }) {
    const context = { directory, [Symbol.asyncDispose]: async () => undefined };
    return new LayoutCache(new DirectoryLayout(context), cache);
  }

  async exportCache(outcome: BuildOutcome, request: CacheToWrite & { writer: CacheWriter }) {
    await using lease = this.#parts.content.lease();
    return await exportCache(this.#parts, outcome, { ...request, lease, now: this.#now });
  }

  async archiveCache(outcome: BuildOutcome, request: CacheToWrite) {
    const writer = new LayoutArchive();
    const lease = this.#parts.content.lease();
    const release = () => lease[Symbol.asyncDispose]();
    try {
      const whole = { ...request, writer, lease, now: this.#now };
      const manifest = await exportCache(this.#parts, outcome, whole);
      return { manifest, stream: () => writer.stream(), [Symbol.asyncDispose]: release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  usage() {
    return buildUsage(this.#parts);
  }

  prune(options: PruneOptions) {
    return pruneBuilds(this.#parts, options);
  }
}
