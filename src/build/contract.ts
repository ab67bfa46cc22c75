import type { Credentials } from "#base";
import type { Artifact, BlobSource, Lease, StoredImage, StoredLayer } from "#content";
import type { LineRange } from "#dockerfile";
import type { Descriptor, ImageConfig, ManifestDocument, Platform, Reference } from "#image";
import type { Annotation } from "./annotations.ts";
import type { ArchiveContexts } from "./archive-contexts.ts";
import type { ArtifactOptions } from "./artifact.ts";
import type { BuildEvent } from "./build-event.ts";
import type { PrivateMount } from "./build-files.ts";
import type { StepResult } from "./cache-manifest.ts";
import type { CacheContent } from "./cache-option.ts";
import type { CacheReader, CacheWriter } from "./cache-place.ts";
import type { ContextStore, ContextTransfer } from "./context-store.ts";
import type { EnteredStep } from "./entered-step.ts";
import type { KeptDirectories } from "./kept-directories.ts";
import type { Origin } from "./origin.ts";
import type { Pending } from "./pending.ts";
import type { FileOptions } from "./result-files.ts";
import type { StepFault } from "./step-fault.ts";
import type { StepLimits, StepSandbox } from "./step-runner.ts";

/** The builds of an engine. */
export interface Builder {
  /**
   * Carries out the steps of a Dockerfile's target, once for each platform; nothing is stored under a
   * name. `DockerfileFault` for what concerns its lines, `StepFault` for a step that failed,
   * `canceled` by the signal. What was finished before stays cached.
   */
  build(request: BuildRequest): Promise<BuildOutcome>;
  /** Stores the image of a result and names it, in one durable step. `unsupported` for several platforms. */
  keep(outcome: BuildOutcome, options: KeepOptions): Promise<StoredImage>;
  readonly archives: ArchiveContexts;
  readonly contexts: ContextStore;
  /** Where `contexts` are, and what clients of other protocols send. */
  readonly directories: KeptDirectories;
  /** Contexts that were sent, or are being sent, and that no build has yet. */
  readonly sent: Pending<SentContext>;
  /** Outputs that their clients have not fetched yet. */
  readonly exports: Pending<BuildExport>;
  /** A context that the engine fetches: a git repository, a tar or a Dockerfile, by their URL. */
  remoteContext(url: string, signal: AbortSignal): Promise<RemoteContext>;
  /** The same for a context with a name: a file that is no archive is in it, as "context". */
  remoteFiles(url: string, signal: AbortSignal): Promise<BuildContext>;
  /** The OCI layout that a context's files are, as long as these are there. */
  layoutOf(context: BuildContext): ImageLayout;
  /** A file of a context, links followed within it; undefined when it is missing, `exhausted` when it is larger than 4 MiB. */
  readFile(context: BuildContext, path: string): Promise<Buffer | undefined>;
  /** The files of an image of a result for programs, which change a copy of them. */
  open(image: BuiltImage, request: Pick<BuildRequest, "network">): Promise<StepSandbox>;
  /** The images of a result as blobs, to be pushed or put into an archive; the outcome holds them. */
  artifact(outcome: BuildOutcome, options: ArtifactOptions): Promise<Artifact>;
  /** An artifact as an archive, under these names. */
  archive(artifact: Artifact, names: readonly Reference[]): AsyncGenerator<Uint8Array, void>;
  /** The files of a result, for reading, until they are disposed of. */
  files(outcome: BuildOutcome, options: FileOptions): Promise<PrivateMount>;
  /** Files that are mounted, with what is mounted in them, as a tar. */
  tar(files: PrivateMount): AsyncGenerator<Uint8Array, void>;
  /** The files of one image of a result. */
  root(image: BuiltImage): Promise<PrivateMount>;
  /** The cache in a directory that is an OCI layout: the manifest of a digest or a tag. Nothing is read yet. */
  layoutCache(
    directory: string,
    wanted: { readonly name: string; readonly wanted: string },
  ): CacheReader;
  /** Writes what a build has solved for others; gives the descriptor of the manifest. */
  exportCache(
    outcome: BuildOutcome,
    request: CacheToWrite & { readonly writer: CacheWriter },
  ): Promise<Descriptor>;
  /** As `exportCache`, as the tar of an OCI layout without its index; it holds what is in it. */
  archiveCache(
    outcome: BuildOutcome,
    request: CacheToWrite,
  ): Promise<BuildExport & { readonly manifest: Descriptor }>;
  /** What the cache keeps, that used longest ago first. */
  usage(): Promise<readonly CacheRecord[]>;
  /** Removes what no build under way uses; gives what went. */
  prune(options: PruneOptions): Promise<PruneResult>;
}

/** The files of a client, in a directory of the engine's until this is disposed of. */
export interface BuildContext extends AsyncDisposable {
  readonly directory: string;
  /** A file beside it that keeps digests of the files. */
  readonly memo?: string;
  /** Names what is in it: two contexts with the same one have the same files. */
  readonly identity?: string;
}

/** What was found at a URL: files, or the text of a Dockerfile alone. */
export type RemoteContext =
  | { readonly context: BuildContext; readonly dockerfile?: undefined }
  | { readonly context?: undefined; readonly dockerfile: string };

/** A context on its way; a whole one wants nothing more. */
export type SentContext = Pick<ContextTransfer, "wanted" | "fill"> &
  AsyncDisposable & { take(): BuildContext };

/** How the image of a result is stored. */
export interface KeepOptions {
  /** The names of the image; none: it is known by its id alone. */
  readonly tags: readonly Reference[];
  readonly annotations: readonly Annotation[];
  readonly report: BuildRequest["report"];
  readonly signal: AbortSignal;
}

/** An output that is read once. */
export interface BuildExport extends AsyncDisposable {
  stream(): AsyncGenerator<Uint8Array, void>;
}

/** The blobs of images, by digest: an OCI layout that a client has. */
export interface ImageLayout extends BlobSource {
  /** The manifest or index of a tag or digest. `not_found` for one that is not there. */
  manifest(reference: string, options: { readonly signal: AbortSignal }): Promise<ManifestDocument>;
}

/** What a name given by `--build-context` stands for. */
export type GivenContext =
  | { readonly kind: "directory"; readonly context: BuildContext }
  /** Another stage of the Dockerfile, by name or number. */
  | { readonly kind: "target"; readonly target: string }
  /** An image of a layout: a tag or a digest. */
  | { readonly kind: "layout"; readonly layout: ImageLayout; readonly reference: string }
  | { readonly kind: "image"; readonly reference: string }
  /** What another build has made, whose outcome stays until this build is over. */
  | { readonly kind: "result"; readonly images: readonly [BuiltImage, ...BuiltImage[]] };

/** A build to carry out. */
export interface BuildRequest {
  readonly dockerfile: { readonly text: string; readonly name: string };
  /** Stays the caller's to dispose of. Absent: a build without files. */
  readonly context?: BuildContext | undefined;
  /** The text of the .dockerignore. */
  readonly ignore?: string | undefined;
  readonly contexts?: ReadonlyMap<string, GivenContext>;
  /** A stage by name or number; absent: the last one. */
  readonly target?: string | undefined;
  readonly buildArgs?: ReadonlyMap<string, string>;
  readonly labels?: ReadonlyMap<string, string>;
  /** None: this machine's. */
  readonly platforms?: readonly Platform[];
  /** True, or the names of stages whose steps run although their results are cached. */
  readonly noCache?: boolean | ReadonlySet<string>;
  /** Asks registries also for images that are here. */
  readonly pull?: boolean;
  /** Of RUN without --network: "default", "none", "host" or the name of a network. */
  readonly network?: string | undefined;
  /** "name:address". */
  readonly extraHosts?: readonly string[];
  readonly limits?: StepLimits;
  /** What RUN may ask for: "network.host", "security.insecure". */
  readonly allowed?: ReadonlySet<string>;
  readonly secrets?: SecretSource;
  readonly agents?: AgentSource;
  /** By the host of a registry. */
  readonly credentials?: (host: string) => Credentials | undefined;
  /** SOURCE_DATE_EPOCH in nanoseconds; see `epochOf` for what stands in its place. */
  readonly epoch?: bigint | undefined;
  /** Tells of each step that runs why it does. */
  readonly explains?: boolean;
  /** Caches of other builds, the first that has a step first. */
  readonly cacheFrom?: readonly CacheReader[];
  /** The image tells others which of its layers are the results of which steps. */
  readonly hasInlineCache?: boolean;
  /** Receives the progress in order and often; it must not throw. */
  readonly report: (event: BuildEvent) => void;
  /**
   * Lets somebody enter a RUN that failed, before the build gives back what it needs and fails; and
   * the step that `entry` names. The build goes on when this settles.
   */
  readonly enter?: (step: EnteredStep, failure?: StepFault) => Promise<void>;
  /**
   * A step to be entered, in whose place nothing of it and behind it is carried out: the words of
   * `findEntry`. "" is the end of the target. The result has no files then.
   */
  readonly entry?: string | undefined;
  readonly signal: AbortSignal;
}

/** The secrets of a client; they are asked for when a step needs one, and reach its memory alone. */
export interface SecretSource {
  get(id: string): Promise<Uint8Array | undefined>;
}

/** The agents of a client, such as ssh's. */
export interface AgentSource {
  /** A socket on this host that leads to the agent until it is disposed of; undefined for an id that the client does not have. */
  open(id: string): Promise<(AsyncDisposable & { readonly path: string }) | undefined>;
}

/** An image that a build has made: without a name, and not stored. */
export interface BuiltImage {
  readonly platform: Platform;
  /** Lowest first. */
  readonly layers: readonly StoredLayer[];
  readonly config: ImageConfig;
  /** What was solved for it, in the order of the plan. */
  readonly steps: readonly SolvedStep[];
  readonly origin: Origin;
}

/** What of a build is written as a cache, and who hears of it. */
export interface CacheToWrite {
  readonly content: CacheContent;
  readonly report: (event: BuildEvent) => void;
  readonly signal: AbortSignal;
}

/** A step of a build that is over. */
export interface SolvedStep extends StepResult {
  /** Whether its layers are among the image's. */
  readonly isOfImage: boolean;
}

/** The result of a build; all that is made of it stays until it is disposed of. */
export interface BuildOutcome extends AsyncDisposable {
  /** One for each platform, in the order of the request. */
  readonly images: readonly [BuiltImage, ...BuiltImage[]];
  /** Holds the layers, and what outputs are made of. */
  readonly lease: Lease;
}

/** What the cache keeps: a step, or a cache mount. Times are milliseconds since 1970. */
export interface CacheRecord {
  readonly id: string;
  readonly type: "regular" | "exec.cachemount";
  readonly description: string;
  /** A build under way uses it. */
  readonly inUse: boolean;
  /** An image has the same layers, so that removing it gives no room. */
  readonly shared: boolean;
  /** Bytes. */
  readonly size: number;
  readonly created: number;
  readonly used: number;
  readonly uses: number;
}

/** What to remove; without limits all that is not in use. */
export interface PruneOptions {
  /** Also what images share. */
  readonly all: boolean;
  /** Only what was last used before this time, in milliseconds since 1970. */
  readonly until?: number | undefined;
  /** Ids or their beginnings; absent: all. */
  readonly ids?: readonly string[] | undefined;
  readonly type?: CacheRecord["type"] | undefined;
  readonly inUse?: boolean | undefined;
  readonly shared?: boolean | undefined;
  /** Bytes that stay in any case. */
  readonly reserved?: number | undefined;
  /** Bytes that may stay; absent: what is reserved. */
  readonly maxUsed?: number | undefined;
  /** Bytes that are to be free on the disk; no more than that is removed for it. */
  readonly minFree?: number | undefined;
}

/** What a prune has removed. */
export interface PruneResult {
  readonly ids: readonly string[];
  readonly bytes: number;
}

/** A step that failed. */
export interface StepFailure {
  /** The digest of its vertex. */
  readonly vertex: string;
  readonly ranges: readonly LineRange[];
  /** Of a process that ended with another status than 0. */
  readonly exitCode?: number;
  /** The words of that process. */
  readonly command?: string;
}
