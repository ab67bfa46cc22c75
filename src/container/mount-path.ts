import { posix } from "node:path";

/** A target in the form in which two that are the same are equal. */
export function cleanTarget(target: string): string {
  return posix.normalize(target).replace(/(.)\/+$/, "$1");
}

/** Whether a path of a part is no path below the whole; links are looked at when it is opened. */
export function leavesRoot(subpath: string): boolean {
  const clean = posix.normalize(subpath);
  return clean === ".." || clean.startsWith("../") || posix.isAbsolute(clean);
}
