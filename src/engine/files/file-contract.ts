/** One file of a container. */
export interface PathStat {
  /** The last part of the path that was asked for, as Go's filepath.Base gives it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** With the type bits of inode(7). */
  readonly mode: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  /** Where a symbolic link leads in the end, as a path of the container; "" for other files. */
  readonly linkTarget: string;
}

/** Files of a container, open until it is disposed of. */
export interface OpenedFiles extends AsyncDisposable {
  readonly stat: PathStat;
  /**
   * The file, or the directory with all in it, as an uncompressed tar; names begin with `stat.name`.
   * With `holes` those of files are left out (GNU's sparse format 1.0). Leaving the loop early stops
   * it.
   */
  archive(options: { readonly holes: boolean }): AsyncIterable<Uint8Array>;
}

/** An archive for a directory of a container. */
export interface PutRequest {
  /** A tar: plain, gzip, zstd or xz. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** A directory is not replaced by something else, nor something else by a directory. */
  readonly keepsKinds: boolean;
  /** All that is made belongs to the container's user, if it has one, and not to whom the archive says. */
  readonly toUser: boolean;
  readonly signal: AbortSignal;
}

/**
 * The files of containers, running or not: the root, and in it volumes, binds and images, read-only
 * where they are so for the container. What is in memory (tmpfs, /proc, /dev, /sys) is not shown,
 * as in Docker.
 *
 * A path starts at the container's root, relative or not, and ".." is taken lexically; symbolic
 * links lead where they lead for the container, and never out of it, whatever it does to its files
 * meanwhile. A path that leads nowhere is a fault with `stage` "path", `errno`, and the cleaned path
 * as `about`. A container that does not run is locked meanwhile: its start waits, as does the next
 * start of one that runs.
 */
export interface EngineFiles {
  /** Follows a link at the end of the path only where a slash or "/." comes after it. */
  stat(ref: string, path: string): Promise<PathStat>;
  /** The same, opened. */
  open(ref: string, path: string): Promise<OpenedFiles>;
  /**
   * Unpacks an archive into a directory, whose own attributes stay. Links in the archive and in the
   * directory are followed within the directory. `invalid`, in Docker's words, where the path is
   * no directory or read-only; what fails after that has `stage` "unpack", and what was made before
   * stays.
   */
  put(ref: string, path: string, request: PutRequest): Promise<void>;
}
