import type {
  BuildEvent,
  CacheExport,
  CacheOption,
  CacheReader,
  CacheRecord,
  CacheWriter,
  EnteredStep,
  ImageLayout,
  PruneOptions,
  PruneResult,
  StepFault,
  StepSandbox,
} from "#engine";
import type { Descriptor, Digest, Platform } from "#image";

/** What carries builds out, for clients of BuildKit's protocol. */
export interface Solver {
  /** The platforms that steps run on; the first is the machine's own. */
  readonly platforms: readonly Platform[];
  /** The address that "host-gateway" stands for; undefined where there is no such network. */
  hostGateway(): Promise<string | undefined>;
  /**
   * Carries out a build as far as its images, with their names; nothing of it is sent before
   * `export`. A fault is told to the client as it is; one with lines of the Dockerfile with these.
   */
  solve(request: BuildRequest): Promise<Solution>;
  /** The configuration of an image by its name, here or at its registry. */
  resolveImage(request: ImageRequest): Promise<ResolvedImage>;
  /** What builds keep for later ones. */
  usage(): Promise<readonly CacheRecord[]>;
  /** Removes of that what no build uses. */
  prune(options: PruneOptions): Promise<PruneResult>;
}

/** An image that a client asks about. */
export interface ImageRequest {
  readonly reference: string;
  /** Absent: that of the machine. */
  readonly platform: Platform | undefined;
  /** Whether registries are asked also for an image that is here. */
  readonly pull: boolean;
  readonly client: BuildClient;
  readonly signal: AbortSignal;
}

/** Its name with a tag or digest, its digest, and its configuration as it is stored. */
export interface ResolvedImage {
  readonly reference: string;
  readonly digest: string;
  readonly config: Uint8Array;
}

/** What a build came to. */
export interface Solution extends AsyncDisposable {
  /** One for each platform that was asked for, in that order. */
  readonly images: readonly { readonly platform: Platform; readonly config: Uint8Array }[];
  /** Makes of the result what an output wants; gives what the client is told of it, as "containerimage.digest". */
  export(output: ExportRequest): Promise<Readonly<Record<string, string>>>;
  /** Writes the cache of the build where it is wanted; gives the descriptor of its manifest. */
  exportCache(cache: PlacedCache, request: CacheRequest): Promise<Descriptor>;
  /** The files of an image for programs, which change a copy of them; `network` "host", "none" or the usual one. */
  open(image: number, network: string | undefined): Promise<StepSandbox>;
  /** The files of an image of the result, to look at. */
  directory(image: number): Promise<LeasedDirectory>;
}

/** An output of a build: "moby", "image", "oci", "docker", "tar", "local", "cacheonly". */
export interface ExportRequest {
  readonly type: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** By which the client knows where it goes: the place among the outputs. */
  readonly output: number;
  readonly client: BuildClient;
  readonly signal: AbortSignal;
  readonly report: (message: BuildEvent) => void;
}

/** A cache with a place of its own. */
export type PlacedCache = Exclude<CacheExport, { readonly kind: "inline" }>;

/** What belongs to writing a cache. */
export type CacheRequest = Pick<ExportRequest, "client" | "signal" | "report">;

/** Files in a directory of the engine, until it is disposed of. */
export interface LeasedDirectory extends AsyncDisposable {
  /** Absolute. */
  readonly directory: string;
  /** A file beside it, that may keep what is known of the files. */
  readonly memo?: string;
}

/** Which files of a client's directory are wanted. */
export interface WantedFiles {
  /** Patterns of .dockerignore. */
  readonly exclude?: readonly string[];
  /** Paths, wildcards in them, and what links in them lead to; none: all. */
  readonly follow?: readonly string[];
  /** Copies for different purposes are kept apart; "" for the files of steps. */
  readonly purpose?: string;
}

/** What a client serves for its build while that runs. */
export interface BuildClient {
  /** The files of one of the client's directories, as "context". */
  directory(
    name: string,
    wanted?: WantedFiles,
    onBytes?: (bytes: number) => void,
  ): Promise<LeasedDirectory>;
  /** What the client sends for a URL that it made itself, as a context on its standard input. */
  upload(path: string): AsyncIterable<Uint8Array>;
  /** An OCI layout of the client's, by the id that it has given that. */
  layout(store: string): ImageLayout;
  /** The bytes of a secret; `not_found` when the client does not have it. */
  secret(id: string): Promise<Uint8Array>;
  /** A connection to one of the client's ssh agents; `not_found` when it does not forward that. */
  agent(id: string): Promise<AgentConnection>;
  /** What the client logs in with at a registry; undefined: with nothing. */
  credentials(host: string): Promise<ClientCredentials | undefined>;
  /** A directory of the client's that holds a cache, which is not looked at yet; `wanted` is the manifest that is read. */
  cache(path: string, wanted?: Digest): CacheReader & CacheWriter;
  /** Sends the file that an output is. */
  sendFile(output: number, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Sends the directory that an output is. */
  sendDirectory(output: number, path: string): Promise<void>;
}

/** A user and a password; without a user the secret is an identity token. */
export interface ClientCredentials {
  readonly username: string;
  readonly secret: string;
}

/** Bytes to and from an ssh agent. */
export interface AgentConnection extends AsyncDisposable {
  /** Resolves when the agent takes more. */
  send(bytes: Uint8Array): Promise<void>;
  readonly received: AsyncIterable<Uint8Array>;
}

/** Whence the files of a context come. */
export type ContextPlace =
  | { readonly kind: "client"; readonly name: string }
  | { readonly kind: "upload"; readonly path: string }
  | { readonly kind: "remote"; readonly url: string }
  | { readonly kind: "image"; readonly reference: string }
  | { readonly kind: "layout"; readonly store: string; readonly reference: string }
  /** An image of the result of another build. */
  | { readonly kind: "result"; readonly solution: Solution; readonly image: number };

/** A build, in the words of BuildKit's Dockerfile frontend. */
export interface BuildRequest {
  /** Absent: `dockerfileName` in the context. */
  readonly dockerfile: string | undefined;
  readonly dockerfileName: string;
  readonly context: ContextPlace;
  /** The text of the .dockerignore, which the client applies to what it sends of the context. */
  readonly ignore: string | undefined;
  readonly contexts: ReadonlyMap<string, ContextPlace>;
  /** "" for the last stage. */
  readonly target: string;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  /** Empty: that of the machine. */
  readonly platforms: readonly Platform[];
  /** True, or the stages whose steps run again. */
  readonly noCache: boolean | readonly string[];
  /** Whether registries are asked also for images that are here. */
  readonly pull: boolean;
  readonly network: string;
  /** "name:address". */
  readonly extraHosts: readonly string[];
  /** Bytes. */
  readonly shmSize: number | undefined;
  readonly ulimits: readonly Ulimit[];
  readonly cgroupParent: string;
  /** "network.host", "security.insecure". */
  readonly entitlements: readonly string[];
  readonly cacheImports: readonly CacheOption[];
  /** Whether the image tells others which of its layers are results of which steps. */
  readonly hasInlineCache: boolean;
  /** By kind, as "sbom", in BuildKit's words. */
  readonly attestations: ReadonlyMap<string, string>;
  /** The outputs that are to come. */
  readonly outputs: readonly Pick<ExportRequest, "type" | "attributes">[];
  readonly client: BuildClient;
  readonly signal: AbortSignal;
  readonly report: (message: BuildEvent) => void;
  /** Hears of a RUN that failed; what can be seen of it goes once this settles. */
  readonly enter: (step: EnteredStep, failure?: StepFault) => Promise<void>;
}

/** A limit as Docker's API has it. */
export interface Ulimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}
