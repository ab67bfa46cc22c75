import type { BackupMade, BackupRestored } from "./backup-types.ts";
import type { ContainerSummary } from "./container-types.ts";
import type { ImageSummary } from "./image-types.ts";
import type {
  Volume,
  VolumeCloneResponse,
  VolumeRollbackResponse,
  VolumeSnapshotResponse,
} from "./volume-types.ts";

/** The engine's answers about itself, named and spelled as in Docker's API. */

/** The body of every answer of 400 and above. */
export interface ErrorResponse {
  readonly message: string;
}

/** One line of a progress stream (pull, push, load, import, make). The last one of a failed stream has `error`. */
export interface JsonMessage {
  readonly id?: string;
  readonly status?: string;
  /** Text to be printed as it is, with its newline. */
  readonly stream?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  /** `progressDetail` as a bar of text, for clients that do not draw one. */
  readonly progress?: string;
  /** The id of an image that was made, or the manifest that a push stored. */
  readonly aux?:
    | { readonly ID: string }
    | { readonly Tag: string; readonly Digest: string; readonly Size: number }
    | BackupMade
    | BackupRestored
    | VolumeCloneResponse
    | VolumeSnapshotResponse
    | VolumeRollbackResponse;
  readonly errorDetail?: { readonly message: string; readonly code?: number };
  readonly error?: string;
}

/** One line of GET /events. */
export interface EventMessage {
  /** Containers and images only, as older clients read it. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: "local";
  /** Seconds since the epoch. */
  readonly time: number;
  /**
   * Nanoseconds since the epoch: more digits than a JavaScript number holds. `JSON.parse`
   * gives the nearest number; what must be exact is read from the text.
   */
  readonly timeNano: number;
}

/** 200 of GET /version. */
export interface SystemVersion {
  readonly Platform: { readonly Name: string };
  readonly Components: readonly {
    readonly Name: string;
    readonly Version: string;
    readonly Details: Readonly<Record<string, string>>;
  }[];
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly GitCommit: string;
  readonly GoVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion: string;
  readonly BuildTime: string;
}

/** 200 of GET /info; memory in bytes. */
export interface SystemInfo {
  readonly ID: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Driver: string;
  readonly ServerVersion: string;
  readonly CgroupVersion: string;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly OSVersion: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly DockerRootDir: string;
  readonly Name: string;
  readonly SecurityOptions: readonly string[];
  readonly Warnings: readonly string[] | null;
  readonly [key: string]: unknown;
}

/** One record of the build cache. `Size` in bytes, times in RFC 3339. */
export interface BuildCacheRecord {
  readonly ID: string;
  readonly Parents?: readonly string[] | null;
  /** "regular", "exec.cachemount", "source.local" and others of BuildKit's. */
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt: string | null;
  readonly UsageCount: number;
}

/** 200 of POST /build/prune; `SpaceReclaimed` in bytes. */
export interface BuildPruneResponse {
  readonly CachesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

/** 200 of GET /system/df. A kind that the query's `type` leaves out is null. Sizes are bytes. */
export interface DiskUsage {
  /** All that is stored for images; what images share counts once. */
  readonly LayersSize: number;
  readonly Images: readonly ImageSummary[] | null;
  readonly Containers: readonly ContainerSummary[] | null;
  readonly Volumes: readonly Volume[] | null;
  readonly BuildCache: readonly BuildCacheRecord[] | null;
  /**
   * thimble only: the part of LayersSize that removing all images without a container would free.
   */
  readonly Reclaimable?: number;
}

/** One fault in the store of images; thimble's own API. */
export interface FsckFinding {
  readonly kind: string;
  readonly about: string;
  readonly images: readonly string[];
  readonly message: string;
  readonly repaired: boolean;
}

/** The numbers of blobs, bytes and layers that a check has read. */
export interface FsckChecked {
  readonly blobs: number;
  readonly bytes: number;
  readonly layers: number;
}

/**
 * One line of the stream of a check: a finding, and at the end what was read, or why it ended
 * early.
 */
export type FsckMessage =
  | { readonly finding: FsckFinding }
  | { readonly checked: FsckChecked }
  | { readonly error: string };

/** One member of GET /containers/ID/changes: a path that differs from the image. */
export interface ContainerChange {
  readonly Path: string;
  /** 0 modified, 1 added, 2 deleted. */
  readonly Kind: number;
}
