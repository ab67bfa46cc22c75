import type { Readable, Writable } from "node:stream";
import type { ContainerId, ExecId, SandboxId } from "#base";
import type { Config, HostConfig, Sent } from "#container";
import type { Digest, ImageDefaults } from "#image";
import type { ImageAnalysis } from "./images/explain-contract.ts";
import type { Images } from "./images/image-contract.ts";
import type { Registries } from "./transfer/registry-contract.ts";

/**
 * What an engine does, in its own words. `api` translates HTTP to it and knows
 * nothing else of the engine. Everything that fails throws a Fault: not_found,
 * conflict, exists, invalid, not_modified, unsupported ...
 */
export interface Engine {
  readonly containers: Containers;
  readonly execs: Execs;
  readonly images: Images;
  readonly analysis: ImageAnalysis;
  readonly registries: Registries;
  readonly events: Events;
  info(): Promise<EngineInfo>;
  diskUsage(): Promise<DiskUsage>;
  /** Checks what is kept of images against its digests; may run beside everything else. */
  fsck(request: FsckRequest): Promise<FsckReport>;
  /** Reads the state back after a start and settles what happened meanwhile. */
  reconcile(): Promise<void>;
  /** Stops serving; containers go on. */
  close(): Promise<void>;
}

/** Who asked, from SO_PEERCRED of the connection. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

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

/** A container in a network; what it has there only while it runs is empty else. */
export interface NetworkAttachment {
  /** The network's name. */
  readonly network: string;
  /** "" before the first start. */
  readonly networkId: string;
  readonly endpointId: string;
  /** "" in "none" and "host" too, as what follows. */
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly mac: string;
}

export interface Container {
  readonly id: ContainerId;
  /** Without the leading slash. */
  readonly name: string;
  readonly imageId: Digest;
  readonly createdAt: bigint;
  readonly owner: Owner;
  /** The request as it was sent, and what it means with the defaults and the image's filled in. */
  readonly sent: Sent;
  readonly config: Config;
  readonly host: HostConfig;
  /** argv as resolved from entrypoint and command. */
  readonly argv: readonly string[];
  readonly state: ContainerState;
  readonly restartCount: number;
  /** None for one that shares another's network. */
  readonly networks: readonly NetworkAttachment[];
  /** Of one that runs in a network of its own. */
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

/** Docker's filters: every key must match, by any of its values. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay the log before the live output. */
  readonly logs: boolean;
  /** Go on with live output. */
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

export interface LogRequest {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  /** What the options of the log added to each line, before it. */
  readonly details?: boolean;
  /** Nanoseconds since the epoch. */
  readonly since?: bigint;
  readonly until?: bigint;
  /** The last n lines; absent: all. */
  readonly tail?: number;
  readonly signal?: AbortSignal;
}

export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface Containers {
  create(
    request: CreateRequest,
  ): Promise<{ readonly id: ContainerId; readonly warnings: readonly string[] }>;
  /** The launch plan that `start` would send, encoded, without creating anything. */
  plan(request: CreateRequest): Promise<Uint8Array>;
  start(ref: string): Promise<void>;
  /** Sends the stop signal, then SIGKILL after `timeout` seconds (-1: never). A container that is not running: not_modified. */
  stop(
    ref: string,
    options: { readonly timeout?: number; readonly signal?: string },
  ): Promise<void>;
  restart(
    ref: string,
    options: { readonly timeout?: number; readonly signal?: string },
  ): Promise<void>;
  kill(ref: string, signal: string): Promise<void>;
  remove(
    ref: string,
    options: { readonly force: boolean; readonly volumes: boolean },
  ): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  /** Registers before it returns; the outer promise settles once waiting, the inner one when the condition holds. */
  wait(
    ref: string,
    condition: WaitCondition,
  ): Promise<{ readonly result: Promise<{ readonly exitCode: number; readonly error?: string }> }>;
  /** By id, unique id prefix, or name. */
  get(ref: string): Container;
  list(options: {
    readonly all: boolean;
    readonly limit?: number;
    readonly filters: Filters;
  }): readonly Container[];
  /** As `docker logs` streams it: framed unless the container has a terminal. */
  logs(ref: string, request: LogRequest): AsyncIterable<Uint8Array>;
  /** Before the start too: output then begins with the first byte the program writes. */
  attach(ref: string, request: AttachRequest): Promise<AttachedStream>;
  resize(ref: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  /** Bytes in the writable layer, and of all layers together. */
  size(ref: string): Promise<{ readonly writable: number; readonly total: number }>;
  /** Processes as host pids with the columns of ps(1). */
  top(
    ref: string,
    psArguments: readonly string[],
  ): Promise<{
    readonly titles: readonly string[];
    readonly processes: readonly (readonly string[])[];
  }>;
  /** The root file system as an uncompressed tar. */
  export(ref: string): AsyncIterable<Uint8Array>;
  /** What differs from its image, by path. */
  changes(ref: string): Promise<readonly FileChange[]>;
  /** Makes an image of its image and what it changed; gives the image's id. */
  commit(ref: string, request: CommitRequest, signal: AbortSignal): Promise<Digest>;
  prune(
    filters: Filters,
  ): Promise<{ readonly removed: readonly ContainerId[]; readonly bytes: number }>;
}

/** A path that a container made, changed or removed; a directory counts as changed for what is in it. */
export interface FileChange {
  /** Absolute; one character a byte. */
  readonly path: string;
  readonly kind: "modified" | "added" | "deleted";
}

export interface CommitRequest {
  /** The image's name; none when absent. */
  readonly reference?: string;
  readonly message?: string;
  readonly author?: string;
  /** Hold the container while its files are read. */
  readonly pause: boolean;
  /** Dockerfile instructions over `config`. */
  readonly changes: readonly string[];
  /** What counts before the container's own configuration. */
  readonly config: ImageDefaults;
  /** Nanoseconds since the epoch: the image's time and the latest of the new layer's files (SOURCE_DATE_EPOCH); absent: now. */
  readonly created?: bigint;
}

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

export interface Exec {
  readonly id: ExecId;
  readonly containerId: ContainerId;
  readonly request: ExecRequest;
  readonly running: boolean;
  /** Absent while it runs or has not been started. */
  readonly exitCode?: number;
  readonly pid: number;
}

export interface Execs {
  create(ref: string, request: ExecRequest): Promise<ExecId>;
  /** Starts it; the stream is absent with `detach`. */
  start(
    id: string,
    options: { readonly detach: boolean; readonly rows?: number; readonly columns?: number },
  ): Promise<AttachedStream | undefined>;
  resize(id: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  get(id: string): Exec;
}

export interface EngineEvent {
  readonly type: "container" | "image" | "network" | "volume" | "daemon";
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
}

export interface Events {
  /** Past events from `since`, then live ones until `until` or the signal. */
  subscribe(options: {
    readonly since?: bigint;
    readonly until?: bigint;
    readonly filters: Filters;
    readonly signal: AbortSignal;
  }): AsyncIterable<EngineEvent>;
}

/** Bytes on the disk; what several images share counts once. */
export interface DiskUsage {
  /** Of the files of unpacked layers. */
  readonly layers: number;
  /** Of what is kept for push and save. */
  readonly blobs: { readonly count: number; readonly size: number };
  /** What would be free without the images that no container uses. */
  readonly reclaimable: number;
  /** Of an image's layers those that other images have, too. */
  readonly shared: ReadonlyMap<Digest, number>;
}

export interface FsckFinding {
  /** "blob-missing", "layer-damaged" and so on. */
  readonly kind: string;
  /** A digest, key or path. */
  readonly about: string;
  readonly images: readonly string[];
  readonly message: string;
  readonly repaired: boolean;
}

export interface FsckRequest {
  readonly repair: boolean;
  /** Compare the files of layers with their blobs, too. */
  readonly deep: boolean;
  readonly onFinding: (finding: FsckFinding) => void;
  readonly signal: AbortSignal;
}

export interface FsckReport {
  readonly blobs: number;
  /** Bytes that were read. */
  readonly bytes: number;
  readonly layers: number;
  readonly findings: readonly FsckFinding[];
}

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
  readonly memory: number;
  readonly cgroupVersion: 1 | 2;
  readonly storageDriver: string;
  readonly securityOptions: readonly string[];
  readonly warnings: readonly string[];
}
