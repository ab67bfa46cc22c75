import type { ChainId } from "#image";
import type { Mount, Stat, TreeUsage } from "#kernel";

export type SnapshotKind = "committed" | "active" | "view";

/** A snapshot as its row has it. */
export interface SnapshotInfo {
  /** A committed snapshot's chain id, else its key. */
  readonly name: string;
  readonly kind: SnapshotKind;
  readonly parent?: ChainId;
  /** Bytes of its files, told at commit; 0 for others. */
  readonly size: number;
}

/**
 * File system trees in stacks. After containerd's contract (core/snapshots):
 *
 * - A *committed* snapshot is one image layer over its parent; it never changes and
 *   is named by its chain id. Two layers of one name are the same.
 * - An *active* snapshot is a writable layer over a committed one (or over nothing),
 *   named by a key: a container's id, or one made up while a layer is unpacked.
 * - A *view* is a stack mounted without a writable layer.
 *
 * Legal steps: `prepare` -> write -> `commit` (the key is gone, the name is there), or
 * `prepare`/`view` -> use -> `remove`. A layer is unpacked by
 *
 *     await snapshots.prepare(key, undefined);
 *     const { implied, size } = await receiveLayer({ source, target: snapshots.directory(key) });
 *     await settleImplied({ target: snapshots.directory(key), implied, lowers: snapshots.layers(parent) });
 *     await snapshots.commit(chainId, key, { size, parent });
 *
 * Keys and names share one space; a taken one is `exists`, a missing one
 * `not_found`, a committed snapshot with children cannot be removed (`conflict`).
 * A crash at any point leaves the state before or after the step; what it leaves on
 * the disk beside that is removed when the snapshotter is opened next.
 */
export interface Snapshotter {
  /**
   * `volatile`: the file system need not survive a power cut (nor be mounted again after one), and
   * is a container's: what a container mounts upon is there where the layers lack it.
   * `limit`: bytes that its own files may take; `unsupported` when `lackOfLimits` has a reason.
   */
  prepare(
    key: string,
    parent: ChainId | undefined,
    options?: { readonly volatile?: boolean; readonly limit?: number | undefined },
  ): Promise<void>;
  /** Why snapshots cannot be limited here; undefined when they can. */
  lackOfLimits(): string | undefined;
  /** Makes a read-only snapshot of a stack. */
  view(key: string, parent: ChainId | undefined): Promise<void>;
  /**
   * The mounts that show the snapshot, the same each time; nothing is mounted by this. `conflict`
   * for a committed one.
   */
  mounts(key: string): Promise<readonly Mount[]>;
  /**
   * The mounts of a snapshot that would be prepared like this; only the name of its own directory
   * differs.
   */
  planned(parent: ChainId | undefined, options?: { readonly volatile?: boolean }): readonly Mount[];
  /** The mounts of every view of a stack, which has no directory of its own. */
  plannedView(parent: ChainId): readonly Mount[];
  /**
   * Turns an active snapshot, no longer mounted or written to, into a committed one. With `parent`
   * it stands over that one from now on; so a snapshot that was prepared over nothing, for the
   * layers of an image to be unpacked side by side, finds its place.
   */
  commit(
    name: ChainId,
    key: string,
    content: { readonly size: number; readonly parent?: ChainId | undefined },
  ): Promise<void>;
  /**
   * Gives a committed snapshot the files of an active one, which is then gone: for a snapshot
   * whose own files were lost or damaged. Its children stay, mounts keep the old files.
   */
  replace(name: ChainId, key: string): Promise<void>;
  /** Makes a directory on the same file system a committed snapshot by renaming it; `invalid` (EXDEV) elsewhere. */
  adopt(
    name: ChainId,
    parent: ChainId | undefined,
    content: { readonly directory: string; readonly size: number },
  ): Promise<void>;
  /**
   * By key or name. Returns once the snapshot is gone from the list and moved to the trash; its
   * disk space is freed in the background.
   */
  remove(name: string): Promise<void>;
  /** What its own files take, without its parents. */
  usage(name: string): Promise<TreeUsage>;
  /** By key or name; undefined when it is unknown. */
  stat(name: string): SnapshotInfo | undefined;
  /** All snapshots of every kind. */
  list(): readonly SnapshotInfo[];
  /** The keys of active snapshots, as containers are known by. */
  activeKeys(): Promise<readonly string[]>;
  /** The directory that holds the snapshot's own files (an overlay's upper one). */
  directory(name: string): string;
  /** The directories of a stack, uppermost first, its own included. */
  layers(name: string): readonly string[];
  /**
   * The content of one regular file as the mounted stack would show it, without
   * mounting: symbolic links are followed inside the root. Undefined when there is no such
   * file, `exhausted` above 1 MiB.
   */
  lookup(name: string, path: string): Promise<Buffer | undefined>;
  /** The place on the host of a path of the stack, links followed; undefined when it is missing. */
  find(name: string, path: string): Promise<FoundFile | undefined>;
  /**
   * The differences between disk and rows, as after a crash; opening settles all of them, unless
   * told not to.
   */
  problems(): readonly SnapshotProblem[];
  /** Waits until all that was removed so far is off the disk. */
  drain(): Promise<void>;
}

export type SnapshotProblem =
  /** The files of a snapshot are gone, or had not reached the disk when the machine went down. */
  | { readonly kind: "lost"; readonly snapshot: SnapshotInfo }
  /** Files that no snapshot has; `discard` removes them. */
  | { readonly kind: "stray"; readonly path: string; readonly discard: () => void };

/** A file of a stack, found without mounting it. */
export interface FoundFile {
  /** For reading with care: a container that runs may replace the file at any time. */
  readonly hostPath: string;
  readonly stat: Stat;
}
