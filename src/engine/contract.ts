import type { Readable, Writable } from "node:stream";
import type { ContainerId, ExecId, SandboxId } from "#base";
import type { Builder, CacheReader, CacheRepository, CacheWriter } from "#build";
import type {
  Config,
  ContainerUpdateBody,
  EndpointBody,
  HostConfig,
  Link,
  PlacedMount,
  PlacedVolume,
  PortBindingsBody,
  Sent,
} from "#container";
import type { Digest, ImageDefaults, Platform } from "#image";
import type { ShippingState } from "#logs";
import type { PublishedPort } from "#network";
import type { ProgramProblem } from "#rootfs";
import type { TaskStats } from "#task";
import type { EngineBackups } from "./backups/backup-contract.ts";
import type { EngineFiles } from "./files/file-contract.ts";
import type { ImageAnalysis } from "./images/explain-contract.ts";
import type { Images } from "./images/image-contract.ts";
import type { EngineNetworks } from "./networks/network-contract.ts";
import type { EngineSettings } from "./settings.ts";
import type { CredentialLookup, Registries } from "./transfer/registry-contract.ts";
import type { EngineVolumes } from "./volumes/volume-contract.ts";

/** A mount of a container that create has decided; of a volume with its place on the host and its driver. */
export type ShownMount =
  | Exclude<PlacedMount, PlacedVolume>
  | (PlacedVolume & { readonly source: string; readonly driver: string });

/**
 * An engine in its own words. `api` translates HTTP to it and knows nothing else of the
 * engine. Every failure is a Fault: not_found, conflict, exists, invalid, not_modified,
 * unsupported ... A REF is an id, the beginning of one that only one has, or a name;
 * `not_found` when it names nothing.
 */
export interface Engine {
  readonly containers: Containers;
  readonly execs: Execs;
  readonly files: EngineFiles;
  readonly images: Images;
  readonly networks: EngineNetworks;
  readonly analysis: ImageAnalysis;
  readonly registries: Registries;
  readonly volumes: EngineVolumes;
  readonly backups: EngineBackups;
  readonly builds: Builds;
  readonly events: Events;
  /** Facts about this engine and its machine, read now. */
  info(): Promise<EngineInfo>;
  readonly settings: EngineSettings;
  /** Replaces the settings, for what is created from now on. `invalid` for a value that no container can have. */
  reload(settings: EngineSettings): void;
  /** What the engine, of this version, has counted and timed, in Prometheus' text format. */
  metrics(version: string): Promise<string>;
  /** The disk space that images take; walks rows and blobs, no files. */
  diskUsage(): Promise<DiskUsage>;
  /** Checks stored images against their digests; may run beside everything else. */
  fsck(request: FsckRequest): Promise<FsckReport>;
  /**
   * Reads the state back after a start, adopts containers that run, and settles what ended or was
   * left half-done meanwhile. Call it before the first request.
   */
  reconcile(): Promise<void>;
  /** Stops serving; containers go on. */
  close(): Promise<void>;
}

/** The builds of an engine. */
export interface Builds {
  /** Opened at the first call: an engine that builds nothing loads nothing of it. */
  builder(): Promise<Builder>;
  /** A cache in a registry, to be read or written. Nothing is sent yet. */
  registryCache(cache: CacheRepository, credentials: CredentialLookup): CacheReader & CacheWriter;
  /** The platforms whose programs steps can run, this machine's first; emulators count. */
  platforms(): readonly Platform[];
}

/** The user who sent a request (SO_PEERCRED of the connection, unix(7)). */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A container to create. */
export interface CreateRequest {
  /** Without the leading slash; made up when absent. */
  readonly name?: string;
  /** "linux/amd64"; absent: the host's. */
  readonly platform?: string;
  /** As the client sent it. */
  readonly sent: Sent;
  readonly owner: Owner;
}

export type ContainerStatus =
  | "created"
  | "running"
  | "paused"
  | "restarting"
  | "removing"
  | "exited"
  | "dead";

/** The state of a container, and how its latest run ended. */
export interface ContainerState {
  readonly status: ContainerStatus;
  /** 0 when not running. */
  readonly pid: number;
  readonly exitCode: number;
  /** Why a start failed; "" otherwise. */
  readonly error: string;
  readonly oomKilled: boolean;
  /** Nanoseconds since the epoch; 0n when never. */
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
}

/** What the latest probes of a container found. */
export interface Health {
  readonly status: "starting" | "healthy" | "unhealthy";
  /** Failures in a row. */
  readonly failingStreak: number;
  /** The latest ones, oldest first. */
  readonly log: readonly HealthResult[];
}

/** One probe; times in nanoseconds since the epoch. */
export interface HealthResult {
  readonly start: bigint;
  readonly end: bigint;
  /** -1 for one that could not be run or took too long. */
  readonly exitCode: number;
  readonly output: string;
}

/** A container in a network; the fields that it has only while it runs are empty at other times. */
export interface NetworkAttachment {
  /** The network's name. */
  readonly network: string;
  /** "" before the first start. */
  readonly networkId: string;
  readonly endpointId: string;
  /** Empty in "none" and "host" too, as are the next fields, and without IPv4. */
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  /** The same of IPv6. */
  readonly address6: string;
  readonly prefixLength6: number;
  readonly gateway6: string;
  readonly mac: string;
  /** The interface's name in the container. */
  readonly link: string;
  /** As it was asked for: what it is to be like in each run. */
  readonly settings: EndpointBody;
}

/** A container in a network, with the names that others find it by there. */
export interface ContainerNetwork extends NetworkAttachment {
  readonly names: readonly string[];
}

/** A container as it is listed and inspected; a copy that later changes do not reach. */
export interface Container {
  readonly id: ContainerId;
  /** Without the leading slash. */
  readonly name: string;
  readonly imageId: Digest;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  readonly owner: Owner;
  /** The request as it was sent; `config` and `host` have the defaults and the image's filled in. */
  readonly sent: Sent;
  readonly config: Config;
  readonly host: HostConfig;
  /** argv as resolved from entrypoint and command. */
  readonly argv: readonly string[];
  /** Its volumes, with their places on the host, and the mounts that it has from other containers. */
  readonly placed: readonly ShownMount[];
  readonly state: ContainerState;
  readonly restartCount: number;
  /** Of a container with a health check, since its latest start. */
  readonly health?: Health;
  /** Of a log that goes to a receiver. */
  readonly logShipping?: ShippingState;
  /** Empty for a container that shares another's network. */
  readonly networks: readonly ContainerNetwork[];
  /** Those of the default bridge, with the present names of the other containers. */
  readonly links: readonly Link[];
  /** The host's interface of the default network, for a container that has been in that. */
  readonly bridge?: string;
  /** Of a container that runs. */
  readonly ports: readonly PublishedPort[];
  /** The sandbox of a container that has a network of its own, from its first start on. */
  readonly sandboxId?: SandboxId;
  readonly paths: {
    readonly hostname: string;
    readonly hosts: string;
    readonly resolvConf: string;
    readonly log: string;
    readonly lowerDirectories: readonly string[];
    readonly upperDirectory: string;
    readonly workDirectory: string;
  };
  readonly execIds: readonly ExecId[];
}

/**
 * A container as lists show it. The same object as long as nothing of it changes, so that callers
 * may keep what they make of it.
 */
export type ListedContainer = Omit<Container, "links" | "paths" | "execIds" | "logShipping">;

/** Facts by which a user learns why a container does not run, beyond its state. */
export interface ContainerDiagnosis {
  readonly imageExists: boolean;
  /** Whether its user stopped or killed it. */
  readonly stoppedByUser: boolean;
  readonly program: {
    /** The first word of its command. */
    readonly name: string;
    /** Where that is in the container; "" when it is nowhere. */
    readonly path: string;
    /** What would keep it from being run at the next start; most important first. */
    readonly problems: readonly {
      readonly kind: ProgramProblem["kind"] | "missing-mount" | "unknown-user";
      readonly message: string;
      readonly advice: string;
    }[];
  };
}

/** Docker's filters: every key must match, by any of its values. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** The streams to attach, and whether to send the log first. */
export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay the log before the live output. */
  readonly logs: boolean;
  /** Send live output, until the process ends. */
  readonly stream: boolean;
}

/**
 * Both directions of an attached process. `output` carries Docker's 8-byte framing
 * unless the process has a terminal; it ends when the process has ended and all is
 * delivered. Ending `input` half-closes; destroying both detaches.
 */
export interface AttachedStream extends AsyncDisposable {
  readonly input: Writable;
  readonly output: Readable;
  readonly tty: boolean;
}

/** The part of a log to send. */
export interface LogRequest {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  /** Send the labels and variables that the log's options added, before each line. */
  readonly details?: boolean;
  /** Nanoseconds since the epoch. */
  readonly since?: bigint;
  readonly until?: bigint;
  /** The last n lines; absent: all. */
  readonly tail?: number;
  readonly signal?: AbortSignal;
}

/** "next-exit" waits for the end of the next run, also when the container does not run now. */
export type WaitCondition = "not-running" | "next-exit" | "removed";

/** Tools to run on the files of a container that does not run. */
export interface DebugRequest {
  /** The image of the tools: a statically linked /bin/busybox. */
  readonly image: string;
  /** Empty: a shell. */
  readonly argv: readonly string[];
  /** "" stands for the container's own. */
  readonly user: string;
  readonly tty: boolean;
  readonly stdin: boolean;
}

/** Tools at work; disposing ends them, and settles once the container's files are free again. */
export interface DebugSession extends AsyncDisposable {
  readonly streams: AttachedStream;
  /** The exit code; settles once the container can be started again. */
  readonly ended: Promise<number>;
}

/** The containers of one engine. */
export interface Containers {
  /**
   * Makes a container that does not run yet. The row that makes it exist is written last, so that a
   * crash leaves all of it or nothing. `conflict` for a name that is taken, `not_found` for an image
   * that is not stored, `invalid` and `unsupported` for options.
   */
  create(
    request: CreateRequest,
  ): Promise<{ readonly id: ContainerId; readonly warnings: readonly string[] }>;
  /** The launch plan that `start` would send, encoded, without creating anything. */
  plan(request: CreateRequest): Promise<Uint8Array>;
  /**
   * Makes the plan of a container as if its image were empty, and forgets it: after some dozens of
   * times the runtime has compiled the code that a create waits for. Takes a few milliseconds.
   */
  rehearse(request: CreateRequest): void;
  /**
   * Runs the container; settles once its program runs. `not_modified` when it runs already,
   * `conflict` while it is removed. The fault of a launch has `stage` and `errno`, and stays in the
   * container's state.
   */
  start(ref: string): Promise<void>;
  /**
   * Sends the stop signal, then SIGKILL after `timeout` seconds (-1: never); settles when it has
   * ended. `not_modified` when the container is not running.
   */
  stop(
    ref: string,
    options: { readonly timeout?: number; readonly signal?: string },
  ): Promise<void>;
  /**
   * Stops the container if it runs, as `stop` does, and starts it; `--rm` does not remove it in
   * between.
   */
  restart(
    ref: string,
    options: { readonly timeout?: number; readonly signal?: string },
  ): Promise<void>;
  /**
   * Sends a signal, by name or number, to the first process. SIGKILL settles once the container has
   * ended, `timeout` when it does not; others settle at once. `conflict` when it is not running.
   */
  kill(ref: string, signal: string): Promise<void>;
  /**
   * Stops all its processes where they are; `conflict` when it does not run or is paused. A signal,
   * a stop and a forced removal end the pause.
   */
  pause(ref: string): Promise<void>;
  /** Lets a paused container go on; `internal`, as in Docker, for one that is not paused. */
  unpause(ref: string): Promise<void>;
  /**
   * Removes the container and all that it owns, with `volumes` its anonymous volumes too. `conflict` while it runs, unless `force` kills it,
   * and during another removal. The row goes first: what a crash leaves behind is swept at the next
   * start.
   */
  remove(
    ref: string,
    options: { readonly force: boolean; readonly volumes: boolean },
  ): Promise<void>;
  /**
   * Takes a link of the default bridge, by its alias, from a container, also from one that runs;
   * `not_found`, in Docker's words, for one that it has not.
   */
  removeLink(ref: string, alias: string): Promise<void>;
  /**
   * Gives the container another name; `conflict` when it is taken, `invalid` when it is not a name.
   */
  rename(ref: string, name: string): Promise<void>;
  /**
   * The outer promise settles once the wait is registered, so that no end is missed from then on;
   * `result` settles when the condition holds.
   */
  wait(
    ref: string,
    condition: WaitCondition,
  ): Promise<{ readonly result: Promise<{ readonly exitCode: number; readonly error?: string }> }>;
  /**
   * Runs tools on the files of a container that does not run, with its own environment, directory,
   * user and volumes, and keeps what they change; the network is empty. Until they end it can
   * neither be started nor removed, unless by force, which ends them: `conflict`. They do not
   * outlive the engine.
   */
  debug(ref: string, request: DebugRequest): Promise<DebugSession>;
  /** Sets the size of their terminal in characters; `conflict` when there are none. */
  resizeDebug(
    ref: string,
    size: { readonly rows: number; readonly columns: number },
  ): Promise<void>;
  /** The container as it is now. */
  get(ref: string): Container;
  /** Newest first; without `all` those that run. `limit` counts after the filters. */
  list(options: {
    readonly all: boolean;
    readonly limit?: number;
    readonly filters: Filters;
  }): readonly ListedContainer[];
  /**
   * The log as `docker logs` streams it: framed unless the container has a terminal. `unsupported`
   * for a logging driver that cannot be read.
   */
  logs(ref: string, request: LogRequest): AsyncIterable<Uint8Array>;
  /**
   * Attaches to the streams, before the start too: output then begins with the program's first
   * byte. `conflict` for a container that is paused.
   */
  attach(ref: string, request: AttachRequest): Promise<AttachedStream>;
  /** Sets the size of the terminal in characters; `conflict` when the container is not running. */
  resize(ref: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  /** Bytes in the writable layer, and those together with the image's layers. */
  size(ref: string): Promise<{ readonly writable: number; readonly total: number }>;
  /** Processes as host pids with the columns of ps(1). */
  top(
    ref: string,
    psArguments: readonly string[],
  ): Promise<{
    readonly titles: readonly string[];
    readonly processes: readonly (readonly string[])[];
  }>;
  /**
   * Gives it other limits or another restart policy, at once where it runs; gives warnings. `invalid`,
   * `conflict` or `unsupported`, and then nothing has changed.
   */
  update(ref: string, body: ContainerUpdateBody): Promise<readonly string[]>;
  /** Looks for reasons why it does not run; changes and runs nothing. */
  diagnose(ref: string): Promise<ContainerDiagnosis>;
  /** Its usage now; undefined when it does not run. */
  stats(ref: string): Promise<ContainerUsage | undefined>;
  /** The root file system as an uncompressed tar. */
  export(ref: string): AsyncIterable<Uint8Array>;
  /** The paths that differ from its image, in their order. */
  changes(ref: string): Promise<readonly FileChange[]>;
  /**
   * Makes an image of the container's image and its changes; gives the image's id. A fault leaves
   * no image.
   */
  commit(ref: string, request: CommitRequest, signal: AbortSignal): Promise<Digest>;
  /**
   * Removes all containers that do not run and match the filters; `bytes` is the disk space of
   * their writable layers. One that is started or removed meanwhile is left out.
   */
  prune(
    filters: Filters,
  ): Promise<{ readonly removed: readonly ContainerId[]; readonly bytes: number }>;
  /**
   * Gives its log other options: at once where it runs, and for each later start. `invalid` for
   * options that its driver has not, `conflict` for those that cannot change while it runs.
   */
  changeLogOptions(ref: string, options: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Publishes more ports, all or none: at once where the container runs, without interrupting its
   * others, and from each later start on. `unavailable` or `internal` for a port that is taken, with
   * its holder in the message; `conflict` for a container without a network of its own. Gives the
   * ports that are published now.
   */
  addPorts(ref: string, bindings: PortBindingsBody): Promise<readonly PublishedPort[]>;
  /**
   * Takes ports back, and gives those that were published; connections that are open stay.
   * `not_found` for one that is not published.
   */
  removePorts(ref: string, bindings: PortBindingsBody): Promise<readonly PublishedPort[]>;
}

/** The usage of a container, and what to compare it with. */
export interface ContainerUsage extends TaskStats {
  /** Nanoseconds since the epoch. */
  readonly readAt: bigint;
  readonly machine: {
    /** Nanoseconds of all CPUs together since boot, busy or idle. */
    readonly cpu: number;
    readonly cpus: number;
    /** Bytes. */
    readonly memory: number;
  };
}

/** A path that a container made, changed or removed; a directory is changed when an entry in it is. */
export interface FileChange {
  /** Absolute; one character a byte. */
  readonly path: string;
  readonly kind: "modified" | "added" | "deleted";
}

/** The image to make of a container. */
export interface CommitRequest {
  /** The image's name; absent: it has no name. */
  readonly reference?: string;
  readonly message?: string;
  readonly author?: string;
  /** Pauses the container while its files are read. */
  readonly pause: boolean;
  /** Dockerfile instructions over `config`. */
  readonly changes: readonly string[];
  /** Settings that replace those of the container's own configuration. */
  readonly config: ImageDefaults;
  /** Nanoseconds since the epoch: the image's time and the latest of the new layer's files (SOURCE_DATE_EPOCH); absent: now. */
  readonly created?: bigint;
}

/** A program to run in a container. */
export interface ExecRequest {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly privileged: boolean;
  readonly tty: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly rows?: number;
  readonly columns?: number;
}

/** A program that was added to a container. */
export interface Exec {
  readonly id: ExecId;
  readonly containerId: ContainerId;
  readonly request: ExecRequest;
  readonly running: boolean;
  /** Absent while it runs or has not been started. */
  readonly exitCode?: number;
  readonly pid: number;
}

/**
 * Programs added to running containers. An exec that has ended is kept until its container is
 * removed or 4,096 later ones need the room.
 */
export interface Execs {
  /**
   * Checks the request and notes it; runs nothing. `conflict` when the container is not running,
   * `invalid`, in Docker's words, for an empty command or an unknown user or group. Other mistakes
   * are told at the start.
   */
  create(ref: string, request: ExecRequest): Promise<ExecId>;
  /** Starts it once (`conflict` after that); the stream is absent with `detach`. */
  start(
    id: string,
    options: { readonly detach: boolean; readonly rows?: number; readonly columns?: number },
  ): Promise<AttachedStream | undefined>;
  /** Sets the size of its terminal in characters; `conflict` when it is not running. */
  resize(id: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  /** The exec as it is now; `not_found` when it is unknown or forgotten. */
  get(id: string): Exec;
  /** The container in which programs can be run now; `conflict`, in Docker's words, when it is paused or does not run. */
  container(ref: string): ContainerId;
}

/** An event, with Docker's names of types, actions and attributes. */
export interface EngineEvent {
  readonly type: "container" | "image" | "network" | "volume" | "daemon";
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
}

/**
 * The events of one engine. The last 256 are kept in memory; a restart forgets them, as Docker
 * does.
 */
export interface Events {
  /**
   * Past events from `since`, then live ones until `until` (nanoseconds since the epoch) or the
   * signal. A reader that falls too far behind gets `exhausted`; what it did not read is let go,
   * and `onOverrun` is called, as it may be waiting for a client and not read again.
   */
  subscribe(options: {
    readonly since?: bigint;
    readonly until?: bigint;
    readonly filters: Filters;
    readonly signal: AbortSignal;
    readonly onOverrun?: () => void;
  }): AsyncIterable<EngineEvent>;
}

/** Bytes on the disk; layers that several images share count once. */
export interface DiskUsage {
  /** The files of unpacked layers. */
  readonly layers: number;
  /** The blobs that are kept for push and save. */
  readonly blobs: { readonly count: number; readonly size: number };
  /** The bytes that removing all images without a container would free. */
  readonly reclaimable: number;
  /** By image: the bytes of its layers that other images have too. */
  readonly shared: ReadonlyMap<Digest, number>;
}

/** One fault in the store of images. */
export interface FsckFinding {
  /** "blob-missing", "layer-damaged" and so on. */
  readonly kind: string;
  /** A digest, key or path. */
  readonly about: string;
  readonly images: readonly string[];
  readonly message: string;
  readonly repaired: boolean;
}

/** How to check the store of images. */
export interface FsckRequest {
  readonly repair: boolean;
  /** Also compares the files of layers with their blobs. */
  readonly deep: boolean;
  readonly onFinding: (finding: FsckFinding) => void;
  readonly signal: AbortSignal;
}

/** What was read, and what is wrong. */
export interface FsckReport {
  readonly blobs: number;
  /** Bytes that were read. */
  readonly bytes: number;
  readonly layers: number;
  readonly findings: readonly FsckFinding[];
}

/** The facts that `docker info` shows. */
export interface EngineInfo {
  /** Stable for a data root. */
  readonly id: string;
  readonly name: string;
  readonly dataRoot: string;
  readonly containers: {
    readonly running: number;
    readonly paused: number;
    readonly stopped: number;
  };
  readonly images: number;
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly osVersion: string;
  readonly architecture: string;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  readonly cgroupVersion: 1 | 2;
  readonly storageDriver: string;
  /** The log driver of containers whose request names none. */
  readonly loggingDriver: string;
  readonly securityOptions: readonly string[];
  readonly warnings: readonly string[];
  readonly settings: EngineSettings;
}
