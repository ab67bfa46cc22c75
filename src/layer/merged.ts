import { isFault } from "#base";
import { type Fd, getXattr, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openat2 } from "#kernel";
import { opaqueAttribute } from "./whiteout.ts";

export interface Merged {
  /** Uppermost first; the caller closes them. */
  readonly directories: readonly Fd[];
  /** Which of those above each is in. */
  readonly from: readonly number[];
  /** A whiteout, a file or an opaque directory among them hides the layers further below. */
  readonly isClosed: boolean;
}

/**
 * The directories that an overlay merges at a name, given those that it merges above, uppermost
 * layer first. Empty when the stack shows no directory there.
 */
export function openMerged(above: readonly Fd[], name: string | Uint8Array): Merged {
  const directories: Fd[] = [];
  const from: number[] = [];
  for (const [index, directory] of above.entries()) {
    let fd: Fd;
    try {
      fd = openat2(directory, name, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW });
    } catch (error) {
      if (isFault(error) && error.errno === "ENOENT") continue;
      if (isFault(error) && (error.errno === "ENOTDIR" || error.errno === "ELOOP")) {
        return { directories, from, isClosed: true };
      }
      closeAll(directories);
      throw error;
    }
    directories.push(fd);
    from.push(index);
    if (isOpaque(fd)) return { directories, from, isClosed: true };
  }
  return { directories, from, isClosed: false };
}

/** Whether a name in a directory, or with "" the directory itself, is opaque. */
export function isOpaque(directory: Fd, entry: string | Uint8Array = ""): boolean {
  return getXattr(directory, entry, opaqueAttribute)?.toString() === "y";
}

/** For directories opened by `openMerged`; closing again does nothing. */
export function closeAll(directories: readonly Fd[]): void {
  for (const fd of directories) fd.close();
}
