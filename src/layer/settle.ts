import { defined } from "#base";
import { type Fd, fstatat, utimensat } from "#kernel";
import { readXattrs, setAttributes } from "./attributes.ts";
import { closeAll, openMerged } from "./merged.ts";
import { findDirectoryBelow } from "./walk.ts";
import { pathOf } from "./whiteout.ts";

/**
 * Gives directories that a layer only implies the attributes that they have in the layers below;
 * otherwise each would change its owner, mode and time for the whole stack. A path that the stack
 * below does not show as a directory stays as it is.
 *
 * @param lowers uppermost first
 */
export function settle(target: Fd, implied: readonly string[], lowers: readonly Fd[]): void {
  if (lowers.length === 0) return;
  for (const path of implied) {
    // A later member may have put something else there.
    using directory = findDirectoryBelow(target, path);
    if (directory) copyAttributes(directory, lowers, path === "" ? [] : path.split("/"));
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
      { ...stat, mode: stat.mode & 0o7777, ...defined({ xattrs }) },
    );
    utimensat(to, "", { atime: stat.mtime, mtime: stat.mtime });
  } finally {
    if (merged !== lowers) closeAll(merged);
  }
}
