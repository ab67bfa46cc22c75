import { chmodSync, mkdirSync, statSync } from "node:fs";

/**
 * Makes a directory that only its owner enters (0700), with those above it that are
 * missing; one that is there already and is open to others is closed. Throws Node's
 * error. What lies deeper keeps its modes: nobody else reaches it any more.
 */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  restrictMode(path, 0o7700);
}

/** Takes the permissions of `path` away that are not in `allowed`; nothing happens when it is not there. */
export function restrictMode(path: string, allowed: number): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found && (found.mode & 0o7777 & ~allowed) !== 0) chmodSync(path, found.mode & allowed);
}
