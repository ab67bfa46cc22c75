import { isFault } from "#base";
import { type Fd, getXattr, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openat2 } from "#kernel";
import { opaqueAttribute } from "./whiteout.ts";

/**
 * The directories that an overlay merges at a name, given those it merges above,
 * uppermost layer first: all down to the first whiteout, file or opaque directory.
 * None when the stack shows no directory there. The caller closes them.
 */
export function openMerged(above: readonly Fd[], name: string | Uint8Array): Fd[] {
  const found: Fd[] = [];
  for (const directory of above) {
    let fd: Fd;
    try {
      fd = openat2(directory, name, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW });
    } catch (error) {
      if (isFault(error) && error.errno === "ENOENT") continue;
      if (isFault(error) && (error.errno === "ENOTDIR" || error.errno === "ELOOP")) return found;
      closeAll(found);
      throw error;
    }
    found.push(fd);
    if (isOpaque(fd)) return found;
  }
  return found;
}

/** Of one name in a directory, or "" for itself. */
export function isOpaque(directory: Fd, entry: string | Uint8Array = ""): boolean {
  return getXattr(directory, entry, opaqueAttribute)?.toString() === "y";
}

export function closeAll(directories: readonly Fd[]): void {
  for (const fd of directories) fd.close();
}
