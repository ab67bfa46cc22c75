import type { CopyWatch } from "#kernel";
import type { Volume, VolumeQuota, VolumeRequest, VolumeSnapshot } from "#volume";
import type { Filters } from "../contract.ts";

export type { CopyWatch, Volume, VolumeRequest, VolumeSnapshot };

/** What a volume takes on the disk, and how many containers have it. */
export interface VolumeUsage {
  readonly volume: Volume;
  readonly bytes: number;
  readonly containers: number;
}

/** A snapshot to make. */
export interface SnapshotRequest extends CopyWatch {
  /** Absent: the time. */
  readonly tag?: string | undefined;
  /** Whether containers that run with the volume stand still meanwhile. */
  readonly pause: boolean;
}

/** A snapshot that was made. */
export interface SnapshotResult {
  readonly snapshot: VolumeSnapshot;
  /** Bytes that the file system could not share. */
  readonly copied: number;
  /** The containers that stood still, by name, and for how long; undefined for none. */
  readonly paused:
    | { readonly containers: readonly string[]; readonly milliseconds: number }
    | undefined;
  readonly warnings: readonly string[];
}

/** A volume to fill from an archive. */
export interface ImportRequest {
  readonly name: string;
  readonly owner: VolumeRequest["owner"];
  readonly archive: AsyncIterable<Uint8Array>;
  /** Whether files that it has give way. */
  readonly replaces: boolean;
  readonly signal: AbortSignal;
}

/** What an import has put into a volume. */
export interface ImportResult {
  readonly volume: Volume;
  readonly entries: number;
  /** Bytes of the files, holes included. */
  readonly bytes: number;
}

/** The volumes of one engine. Faults have Docker's words; a name that nothing has is `not_found`. */
export interface EngineVolumes {
  /**
   * Makes a volume, or gives the one that has the name. `invalid` for names and options, `not_found`
   * for a driver, `timeout` for a plugin that does not answer.
   */
  create(request: VolumeRequest): Promise<Volume>;
  /** The volume as its driver knows it now, also when only a plugin knows it. */
  inspect(name: string): Promise<Volume>;
  /**
   * By name, with the volumes that only plugins know; filters: `name` (a pattern), `label`,
   * `driver`, `dangling`. A warning for each plugin that does not answer.
   */
  list(filters: Filters): Promise<{
    readonly volumes: readonly Volume[];
    readonly warnings: readonly string[];
  }>;
  /**
   * Makes a local volume's directory ready for somebody who is no container of this engine, as
   * another engine whose plugin this one is. It is in use, over restarts, until it is taken back.
   */
  lend(name: string, borrower: string): Promise<Volume>;
  /** Ends a loan; does nothing where there is none. */
  takeBack(name: string, borrower: string): Promise<void>;
  /** The volume; `not_found` when there is none of that name. */
  get(name: string): Volume;
  /** The limit of a volume that was made with the option `size`, and its use; else undefined. */
  quota(name: string): VolumeQuota | undefined;
  /**
   * Makes a volume with the files of another, or of a snapshot ("data@monday"), and its labels. `copied`: the bytes that the file
   * system could not share. A warning says when a running container may change them meanwhile.
   * `exists` for a name that is taken, `unsupported` for a volume with options.
   */
  clone(
    source: string,
    request: CopyWatch & {
      readonly to: string;
      readonly owner: VolumeRequest["owner"];
    },
  ): Promise<{
    readonly volume: Volume;
    readonly copied: number;
    readonly warnings: readonly string[];
  }>;
  /**
   * Keeps the volume's files as they are now, under a tag (default: the time). `exists` for a tag
   * that is taken, `unsupported` for a volume with options.
   */
  snapshot(name: string, request: SnapshotRequest): Promise<SnapshotResult>;
  /** The snapshots of a volume, the oldest first. */
  snapshots(name: string): readonly VolumeSnapshot[];
  /** Removes a snapshot; `conflict` while it is read. */
  removeSnapshot(name: string, tag: string): void;
  /**
   * Gives a volume the files of a snapshot, which stays. `conflict` while a container runs with it.
   * `copied`: the bytes that the file system could not share.
   */
  rollback(name: string, tag: string, watch?: CopyWatch): Promise<{ readonly copied: number }>;
  /**
   * The files of a volume, or of a snapshot ("data@monday"), as an uncompressed tar, exact:
   * owners, modes, times, extended attributes, hard links, holes. Sockets and file systems mounted in it are left out. Files that change
   * meanwhile may be torn.
   */
  export(source: string): AsyncIterable<Uint8Array>;
  /**
   * Gives a volume, which is made if it is missing, the files of a tar (plain, gzip, zstd or xz):
   * all of them, or after a fault none. `exists` when it has files and not `replaces`; `conflict`
   * while a container runs with it; `unsupported` for a volume with options.
   */
  import(request: ImportRequest): Promise<ImportResult>;
  /** Gives a volume another name; `conflict` while a container has it, `exists` for a taken name. */
  rename(name: string, to: string): Promise<Volume>;
  /**
   * Removes a volume with its files; `conflict` while a container has it, running or not. With
   * `force` a volume that is not there is fine.
   */
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  /**
   * Removes the anonymous volumes that no container has, or with the filter `all` named ones too;
   * further filters: `label`, `label!`. `bytes` is the disk space of their files.
   */
  prune(filters: Filters): Promise<{ readonly removed: readonly string[]; readonly bytes: number }>;
  /** The use of all volumes that are plain directories; walks their files. */
  usage(): Promise<readonly VolumeUsage[]>;
}
