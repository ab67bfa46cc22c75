import type { CopyWatch, Fd, ProjectQuota } from "#kernel";

/** A volume as it is listed. */
export interface Volume {
  readonly name: string;
  /** "local", or the name of a plugin. */
  readonly driver: string;
  /** As they were sent; undefined when the request had none. */
  readonly options: Readonly<Record<string, string>> | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  /** Whether its name was made up. */
  readonly anonymous: boolean;
  /** The user who asked for it. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** When a container that has it was last started; 0n: never. */
  readonly lastUsed: bigint;
  /** The directory on the host that is mounted in containers; "" for one of a plugin that is not mounted. */
  readonly path: string;
  /** Of a plugin whose volumes are on every machine of a cluster; absent: "local". */
  readonly scope?: "local" | "global";
  /** What its plugin tells of it. */
  readonly status?: Readonly<Record<string, unknown>>;
}

/** The files of a volume as they were at a moment. */
export interface VolumeSnapshot {
  /** The name of the volume. */
  readonly volume: string;
  /** Unique among the snapshots of the volume. */
  readonly tag: string;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  /** The directory on the host; nothing may be written in it. */
  readonly path: string;
}

/** A volume, or one of its snapshots. */
export interface VolumeSource {
  readonly name: string;
  /** A tag. */
  readonly snapshot?: string | undefined;
}

/** What a volume may take of the disk, and takes, in bytes. */
export type VolumeQuota = ProjectQuota;

/** A volume to make. */
export interface VolumeRequest {
  /** Absent or "": one is made up. */
  readonly name?: string | undefined;
  /** Absent or "": "local". */
  readonly driver?: string | undefined;
  /** Options of the driver: type, device and o as mount(8) has them, or size, a limit. */
  readonly options?: Readonly<Record<string, string>> | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Whether the name was made up; absent: when there is none. */
  readonly anonymous?: boolean;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/**
 * Who has a volume: runs of containers, readers, and borrowers outside of this engine. While
 * somebody has it, it is not removed, and the mount that its options ask for is there.
 */
export interface VolumeHolders {
  /**
   * Makes the volume's directory ready for a holder and gives its path: the mount that its options
   * ask for is made by the first one. `lastUsed` is now. Faults name the mount and the kernel's
   * reason; `not_found` when the volume is gone.
   */
  hold(name: string, holder: string): Promise<string>;
  /** A holder that was there before these volumes were opened. */
  adopt(name: string, holder: string): void;
  /** Whether this holder holds it. */
  has(name: string, holder: string): boolean;
  /** The last one undoes the mount. Does nothing for a holder that does not hold it. */
  release(name: string, holder: string): Promise<void>;
  /** After the last `adopt`: undoes mounts without a holder, as a crash leaves them. */
  settle(): Promise<void>;
  /**
   * Holds a local volume for somebody who is no container of this engine, and gives its directory.
   * On the disk when it settles: it is held, over restarts of the engine, until `takeBack` or the
   * end of the machine's run.
   */
  lend(name: string, borrower: string): Promise<string>;
  /** Ends a loan; does nothing where there is none. */
  takeBack(name: string, borrower: string): Promise<void>;
}

/** The files of volumes: read, filled, replaced, cloned, and kept as they were at a moment. */
export interface VolumeCopies {
  /**
   * The directory of a volume, whose mount is there, or of a snapshot: it stays, and is not replaced,
   * until the reader disposes of it.
   */
  read(source: VolumeSource): Promise<AsyncDisposable & { readonly path: string }>;
  /**
   * Copies a directory and its attributes into an empty volume; false when it is not empty. After a
   * crash a volume without a holder has all of it or nothing.
   */
  fill(name: string, from: Fd): Promise<boolean>;
  /** Whether `fill` could do something: false for a volume that is seen to have files. */
  mayFill(name: string): boolean;
  /**
   * Gives a volume, which is made if it is missing, other files: `make` puts them into an empty
   * directory, and they take the volume's place once they are whole and on the disk. After a crash
   * it has the old ones or the new ones. `exists` when it has files and not `replaces`, `conflict`
   * while it is held, `unsupported` for a volume with options.
   */
  replace(
    request: VolumeRequest & { readonly name: string },
    options: {
      readonly replaces: boolean;
      readonly make: (directory: string) => Promise<void>;
    },
  ): Promise<{ readonly volume: Volume; readonly made: boolean }>;
  /**
   * Makes a volume with the files of another, which may change meanwhile, or of a snapshot: data is
   * shared where the file system can, and `copied` are the bytes that had to be copied. After a
   * crash it is whole or not there. `exists` for a name that is taken, `unsupported` for a volume
   * with options, whose files are elsewhere.
   */
  clone(
    source: VolumeSource,
    request: VolumeRequest & { readonly name: string },
    watch?: CopyWatch,
  ): Promise<{ readonly volume: Volume; readonly copied: number }>;
  /**
   * Keeps the volume's files as they are at one moment: within `holding`, which stops their writers
   * and calls its argument once; no holder comes until it settles. What can be shared before is. Without a tag it is the time. Data is
   * shared where the file system can; `copied` are the bytes that had to be copied. After a crash
   * the snapshot is whole or not there. `exists` for a tag that is taken, `unsupported` for a volume
   * with options.
   */
  snapshot(
    name: string,
    options: CopyWatch & {
      readonly tag?: string | undefined;
      readonly holding: (copy: () => Promise<number>) => Promise<number>;
    },
  ): Promise<{ readonly snapshot: VolumeSnapshot; readonly copied: number }>;
  /** The volume's snapshots, the oldest first. They are removed with the volume. */
  snapshots(name: string): readonly VolumeSnapshot[];
  /**
   * Removes a snapshot; its files are deleted in the background. `not_found` when it is not there,
   * `conflict` while it is read.
   */
  removeSnapshot(name: string, tag: string): void;
  /**
   * Gives the volume the files of a snapshot, which stays. After a crash it has the old ones or
   * those. `conflict` while it is held.
   */
  rollback(name: string, tag: string, watch?: CopyWatch): Promise<{ readonly copied: number }>;
}

/**
 * The volumes of one data root.
 *
 * The row makes a volume exist. It is written first, and a directory that a crash kept from being
 * made is made when it is needed. A removal sets the directory aside, deletes the row, and then the
 * files: after a crash between the first two the directory is put back. A directory without a row
 * is never touched.
 *
 * A claim keeps a volume from being removed while its user is being made. A volume that was made
 * for its claimant alone is removed with the last claim, or when the volumes are opened again after
 * a crash, unless `keep` was called.
 */
export interface Volumes {
  readonly holders: VolumeHolders;
  readonly copies: VolumeCopies;
  /**
   * Makes a volume, or gives the one of that name (`made` false), whatever the request says of
   * options and labels, as Docker does. On the disk when it settles, unless it is for a claimant. A
   * plugin is asked whether it has a volume of the name, then to make it; without a driver, one that
   * has it is taken. Faults, in Docker's words: `invalid` for names and options, `not_found` for a
   * driver, `conflict` for a name that has another driver; what a plugin refuses, and one that does
   * not answer, is told with its name.
   */
  create(
    request: VolumeRequest,
    claimant?: string,
  ): Promise<{ readonly volume: Volume; readonly made: boolean }>;
  /**
   * All volumes by name, with those that only plugins know; a warning for a plugin that does not
   * answer. Plugins other than `drivers`, where they are given, are not asked.
   */
  list(drivers?: readonly string[]): Promise<{
    readonly volumes: readonly Volume[];
    readonly warnings: readonly string[];
  }>;
  /** By name, as they are remembered: no plugin is asked. Without those that only claimants know. */
  known(): readonly Volume[];
  /** The volume as its driver knows it now; also one that only a plugin knows. */
  inspect(name: string): Promise<Volume>;
  /** Claims a volume that exists; `not_found` in Docker's words. */
  claim(name: string, claimant: string): Volume;
  /**
   * The volumes stay, whatever becomes of their claimants; to be called in the transaction that
   * makes their user exist.
   */
  keep(names: readonly string[]): void;
  /**
   * The opposite: they are removed when the volumes are opened again, if `remove` does not come
   * first; to be called in the transaction in which their last user ceases to exist.
   */
  abandon(names: readonly string[]): void;
  /** Where the volume of a name has its files, whether it exists or not. */
  pathOf(name: string): string;
  /**
   * Takes back all claims; removes the volumes that were made for this claimant and that nothing
   * keeps.
   */
  unclaim(claimant: string): Promise<void>;
  /** Undefined for an unknown name. */
  find(name: string): Volume | undefined;
  /** The volume; `not_found` in Docker's words. */
  get(name: string): Volume;
  /**
   * Removes a volume. It is gone when this settles; its files are deleted in the background.
   * `conflict` while it is held or claimed, or while something else is mounted in it. With `force`
   * one is forgotten whose plugin cannot be asked.
   */
  remove(name: string, options?: { readonly force: boolean }): Promise<void>;
  /**
   * Gives a volume that nobody holds another name, and these labels; it is no longer anonymous.
   * `exists` for a name that is taken, `conflict` as for a removal.
   */
  rename(
    name: string,
    to: string,
    labels: Readonly<Record<string, string>> | undefined,
  ): Promise<Volume>;
  /** The bytes that the volume's files take on the disk, without those of a mount that is not made. */
  size(name: string): Promise<number>;
  /** The limit of a volume that was made with the option `size`, and its use; else undefined. */
  quota(name: string): VolumeQuota | undefined;
  /** Settles once the files of removed volumes are deleted. */
  drained(): Promise<void>;
}
