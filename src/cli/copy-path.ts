/**
 * The rules of `docker cp` about paths: where the source goes, by what is at the destination.
 * Pure, but for the current directory.
 */
import { posix } from "node:path";
import { Exit } from "./failure.ts";

/** One side of a copy: a path of a container, or of this machine. */
export interface CopySide {
  /** "" for this machine. */
  readonly container: string;
  readonly path: string;
}

/** "CONTAINER:PATH", unless the part before the colon begins with "/" or ".": then a local path. */
export function parseSide(word: string): CopySide {
  const colon = word.indexOf(":");
  if (colon < 0 || /^[/.]/.test(word)) return { container: "", path: word };
  return { container: word.slice(0, colon), path: word.slice(colon + 1) };
}

/** Whether a path stands for the content of a directory, as "dir/." does. */
export function isContent(path: string): boolean {
  return path === "." || path.endsWith("/.");
}

/** The last part of a path, "." and ".." resolved. */
export function lastPart(path: string): string {
  return posix.basename(posix.resolve("/", path));
}

/** The place of a copy: a directory that exists, and the name in it; "." for its content. */
export interface CopyPlace {
  readonly directory: string;
  readonly name: string;
}

/**
 * Where a source goes: into a directory that exists, under its own name; else it becomes the
 * destination.
 * @param source what it is, and the name that it has ("." for the content of a directory)
 */
export function placeOf(
  source: { readonly isDirectory: boolean; readonly name: string },
  destination: { readonly path: string; readonly is: "directory" | "file" | "missing" },
): CopyPlace {
  const { path, is } = destination;
  if (is === "directory") return { directory: path, name: source.name };
  if (is === "file" && source.isDirectory) throw new Exit(1, "cannot copy directory");
  if (!source.isDirectory && /(^|\/)\.?$/.test(path)) throw new Exit(1, "no such directory");
  const cleaned = posix.resolve("/", path);
  return { directory: posix.dirname(cleaned), name: posix.basename(cleaned) };
}
