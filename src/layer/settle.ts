import { isFault } from "#base";
import {
  type Fd,
  fstatat,
  O_DIRECTORY,
  O_RDONLY,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  utimensat,
} from "#kernel";
import { readXattrs, setAttributes } from "./attributes.ts";
import { closeAll, openMerged } from "./merged.ts";
import { pathOf } from "./whiteout.ts";

/**
 * Gives directories that a layer only implies what they have in the layers below:
 * else each would change its owner, mode and time for the whole stack. What the
 * stack below does not show as a directory keeps what it has.
 * @param lowers uppermost first
 */
export function settle(target: Fd, implied: readonly string[], lowers: readonly Fd[]): void {
  if (lowers.length === 0) return;
  for (const path of implied) {
    using directory = openBelow(target, path);
    if (directory) copyAttributes(directory, lowers, path === "" ? [] : path.split("/"));
  }
}

function openBelow(target: Fd, path: string): Fd | undefined {
  try {
    return openat2(target, path === "" ? "." : pathOf(path), {
      flags: O_RDONLY | O_DIRECTORY,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
    });
  } catch (error) {
    // A later member has put something else there, or a link on the way.
    if (isFault(error, "not_found") || isFault(error, "invalid")) return undefined;
    throw error;
  }
}

function copyAttributes(to: Fd, lowers: readonly Fd[], components: readonly string[]): void {
  let merged = lowers;
  try {
    for (const name of components) {
      const next = openMerged(merged, pathOf(name)).directories;
      if (merged !== lowers) closeAll(merged);
      merged = next;
    }
    const [from] = merged;
    if (!from) return;
    const stat = fstatat(from, "", false);
    const xattrs = readXattrs({ directory: from, name: "" });
    setAttributes(
      { directory: to, name: "" },
      { ...stat, mode: stat.mode & 0o7777, ...(xattrs && { xattrs }) },
    );
    utimensat(to, "", { atime: stat.mtime, mtime: stat.mtime });
  } finally {
    if (merged !== lowers) closeAll(merged);
  }
}
