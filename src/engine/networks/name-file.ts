import { readFileSync, statSync, writeFileSync } from "node:fs";

/** A container can write to its hosts file as much as it likes, and the engine reads it in one go. */
const longest = 1 << 20;

/**
 * Changes the hosts file or resolv.conf of a container, in place, since a bind mount follows the file
 * and not its name. One that is longer than a mebibyte is the container's own affair and stays as it is.
 */
export function changeNameFile(path: string, change: (text: string) => string): void {
  if (path === "" || statSync(path).size > longest) return;
  const text = readFileSync(path, "utf8");
  const changed = change(text);
  if (changed !== text) writeFileSync(path, changed);
}
