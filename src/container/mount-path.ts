import { posix } from "node:path";

/** A target in the form in which two that are the same are equal. */
export function cleanTarget(target: string): string {
  return posix.normalize(target).replace(/(.)\/+$/, "$1");
}

/** Why a path cannot be of a mount, in Docker's words. */
export function wrongPath(path: string): string | undefined {
  if (posix.isAbsolute(path)) return undefined;
  return `invalid mount path: '${path}' mount path must be absolute`;
}

/** Why nothing can be mounted there, in Docker's words. */
export function wrongTarget(target: string): string | undefined {
  const isRoot = cleanTarget(target) === "/";
  return (
    wrongPath(target) ?? (isRoot ? "invalid specification: destination can't be '/'" : undefined)
  );
}

/** Whether a path of a part is no path below the whole; links are looked at when it is opened. */
export function leavesRoot(subpath: string): boolean {
  const clean = posix.normalize(subpath);
  return clean === ".." || clean.startsWith("../") || posix.isAbsolute(clean);
}
