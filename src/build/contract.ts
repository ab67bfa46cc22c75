import type { Credentials } from "#base";
import type { StoredImage, StoredLayer } from "#content";
import type { LineRange } from "#dockerfile";
import type { ImageConfig, Platform, Reference } from "#image";
import type { ArchiveContexts } from "./archive-contexts.ts";
import type { BuildEvent } from "./build-event.ts";
import type { ContextStore, ContextTransfer } from "./context-store.ts";
import type { Pending } from "./pending.ts";
import type { StepLimits } from "./step-runner.ts";

/** The builds of an engine. */
export interface Builder {
  /**
   * Builds the target of a Dockerfile. `DockerfileFault` for what concerns its lines, `StepFault` for
   * a step that failed, `canceled` by the signal. What was finished before stays cached.
   */
  build(request: BuildRequest): Promise<BuildOutcome>;
  readonly archives: ArchiveContexts;
  readonly contexts: ContextStore;
  /** Contexts that were sent, or are being sent, and that no build has yet. */
  readonly sent: Pending<SentContext>;
  /** Outputs that their clients have not fetched yet. */
  readonly exports: Pending<BuildExport>;
  /** A context that the engine fetches: a git repository, a tar or a Dockerfile, by their URL. */
  remoteContext(url: string, signal: AbortSignal): Promise<RemoteContext>;
  /** A file of a context, links followed within it; undefined when it is missing, `exhausted` when it is larger than 4 MiB. */
  readFile(context: BuildContext, path: string): Promise<Buffer | undefined>;
  /** The result of a build as a tar for its client; it takes the outcome over. */
  export(outcome: BuildOutcome, options: ExportOptions): BuildExport;
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
}

/** What was found at a URL: files, or the text of a Dockerfile alone. */
export type RemoteContext =
  | { readonly context: BuildContext; readonly dockerfile?: undefined }
  | { readonly context?: undefined; readonly dockerfile: string };

/** A context on its way; a whole one wants nothing more. */
export type SentContext = Pick<ContextTransfer, "wanted" | "fill"> &
  AsyncDisposable & { take(): BuildContext };

/** The form of an output: an archive of the image, or the files of its root. */
export interface ExportOptions {
  readonly type: "image" | "files";
  /** The names of the image in its archive. */
  readonly tags: readonly Reference[];
}

/** An output that is read once. */
export interface BuildExport extends AsyncDisposable {
  stream(): AsyncGenerator<Uint8Array, void>;
}

/** What a name given by `--build-context` stands for. */
export type GivenContext =
  | { readonly kind: "directory"; readonly context: BuildContext }
  | { readonly kind: "image"; readonly reference: string };

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
  /** Absent: this machine's. */
  readonly platform?: Platform | undefined;
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
  /** The names of the image. */
  readonly tags: readonly Reference[];
  /** Whether the image is stored; without it only the steps are carried out. */
  readonly exportsImage: boolean;
  /** Tells of each step that runs why it does. */
  readonly explains?: boolean;
  /** Receives the progress in order and often; it must not throw. */
  readonly report: (event: BuildEvent) => void;
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

/** The result of a build. */
export interface BuildOutcome extends AsyncDisposable {
  /** Absent unless it was to be stored. */
  readonly image: StoredImage | undefined;
  /** Lowest first; they stay until this is disposed of, or for as long as the image or the cache keeps them. */
  readonly layers: readonly StoredLayer[];
  readonly config: ImageConfig;
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
