/** The engine's answers about volumes, named and spelled as in Docker's API. */

/** What the driver says of a volume; a plugin has words of its own. */
export interface VolumeStatus {
  /** RFC 3339: when a container that has it was last started; absent when never. */
  readonly LastUsed?: unknown;
  /** Bytes that a volume which was made with the option `size` may take, and takes. */
  readonly Limit?: unknown;
  readonly Used?: unknown;
  /** When inspected, of a volume that the engine backs up. */
  readonly LastBackup?: unknown;
  readonly BackupError?: unknown;
  readonly [word: string]: unknown;
}

/** A volume as list, create and inspect show it. */
export interface Volume {
  /** RFC 3339, in seconds; absent where a plugin does not say it. */
  readonly CreatedAt?: string;
  readonly Driver: string;
  /** As they were sent; null where none were. */
  readonly Labels: Readonly<Record<string, string>> | null;
  /** The directory on the engine's machine. */
  readonly Mountpoint: string;
  readonly Name: string;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Scope: "local" | "global";
  readonly Status?: VolumeStatus;
  /** In GET /system/df alone: the number of containers that have it, and bytes. */
  readonly UsageData?: { readonly RefCount: number; readonly Size: number };
}

/** 200 of GET /volumes. */
export interface VolumeList {
  readonly Volumes: readonly Volume[];
  readonly Warnings: readonly string[] | null;
}

/** 200 of POST /thimble/v1/volumes/NAME/rollback. */
export interface VolumeRollbackResponse {
  /** Bytes that the file system could not share. */
  readonly Copied: number;
}

/** 201 of POST /thimble/v1/volumes/NAME/clone. */
export interface VolumeCloneResponse {
  readonly Volume: Volume;
  /** Bytes that the file system could not share. */
  readonly Copied: number;
  readonly Warnings: readonly string[];
}

/** A snapshot of a volume; GET /thimble/v1/volumes/NAME/snapshots gives `{Snapshots}`. */
export interface VolumeSnapshot {
  readonly Volume: string;
  readonly Tag: string;
  /** RFC 3339, in seconds. */
  readonly CreatedAt: string;
  /** The directory on the engine's machine. */
  readonly Mountpoint: string;
}

/** 201 of POST /thimble/v1/volumes/NAME/snapshots. */
export interface VolumeSnapshotResponse {
  readonly Snapshot: VolumeSnapshot;
  /** Bytes that the file system could not share. */
  readonly Copied: number;
  /** The containers that stood still meanwhile, by name; null for none. */
  readonly Paused: { readonly Containers: readonly string[]; readonly Milliseconds: number } | null;
  readonly Warnings: readonly string[];
}

/** 200 of PUT /thimble/v1/volumes/NAME/archive. */
export interface VolumeImportResponse {
  readonly Volume: Volume;
  /** Files, directories and links. */
  readonly Entries: number;
  /** Bytes of the files, holes included. */
  readonly Bytes: number;
}

/** 200 of POST /volumes/prune. */
export interface VolumesPruneResponse {
  readonly VolumesDeleted: readonly string[] | null;
  /** Bytes. */
  readonly SpaceReclaimed: number;
}
