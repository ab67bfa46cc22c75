import { lstatSync, lutimesSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Sets modification times after `latest` (seconds since the epoch) back to it, so
 * that two builds from the same packages are alike. Gives the number of entries changed.
 */
export function clampTimes(root: string, latest: number): number {
  let changed = 0;
  const clamp = (path: string, mtimeMs: number) => {
    if (mtimeMs <= latest * 1000) return;
    lutimesSync(path, latest, latest);
    changed++;
  };
  const visit = (directory: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) visit(path);
      else clamp(path, lstatSync(path).mtimeMs);
    }
    clamp(directory, lstatSync(directory).mtimeMs);
  };
  visit(root);
  return changed;
}
