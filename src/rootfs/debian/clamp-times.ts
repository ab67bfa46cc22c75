import { lstatSync, lutimesSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Sets modification times after `latest` (seconds since the epoch) back to it, so that two builds
 * from the same packages are alike. A directory gets it always: which of the packages that
 * are extracted side by side touches it last is chance. Gives the number of entries changed.
 */
export function clampTimes(root: string, latest: number): number {
  let changed = 0;
  const set = (path: string) => {
    lutimesSync(path, latest, latest);
    changed++;
  };
  const visit = (directory: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (lstatSync(path).mtimeMs > latest * 1000) set(path);
    }
    set(directory);
  };
  visit(root);
  return changed;
}
