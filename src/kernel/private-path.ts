import { chmodSync, mkdirSync, statSync } from "node:fs";

/**
 * Makes a directory that only its owner can enter (0700), and the missing ones above it; closes one
 * that exists and is open to others. Throws Node's error. Everything below keeps its modes, because
 * others cannot reach it any more.
 */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  restrictMode(path, 0o7700);
}

/**
 * Removes the permissions of `path` that are not in `allowed`; does nothing when the path is
 * missing.
 */
export function restrictMode(path: string, allowed: number): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found && (found.mode & 0o7777 & ~allowed) !== 0) chmodSync(path, found.mode & allowed);
}
