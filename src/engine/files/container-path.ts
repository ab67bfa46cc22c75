import { posix } from "node:path";
import { Fault, isFault } from "#base";
import {
  descriptorPath,
  type Fd,
  fstatat,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readlinkat,
  S_IFLNK,
  S_IFMT,
} from "#kernel";
import type { PathStat } from "./file-contract.ts";

/** As FollowSymlinkInScope of moby has it. */
const maxLinks = 255;

/**
 * A path from the root, "." and ".." taken lexically. A slash or "/." at the end stays, since it
 * says that a link there is followed (archive.PreserveTrailingDotOrSeparator of moby).
 */
export function cleanPath(path: string): string {
  const clean = posix.join("/", path).replace(/(.)\/$/, "$1");
  const slash = clean === "/" ? "" : "/";
  if (path === "." || path.endsWith("/.")) return `${clean}${slash}.`;
  return path.endsWith("/") ? `${clean}${slash}` : clean;
}

/** The last part of a cleaned path, as Go's filepath.Base. */
export function baseOf(path: string): string {
  return path === "/" ? "/" : (/([^/]+)\/*$/.exec(path)?.[1] ?? "/");
}

/** Opens a file (O_PATH) in a container's root. A link at the end is followed as the path says, or always. */
export function openInView(root: Fd, path: string, options: { readonly follow: boolean }): Fd {
  const follow = options.follow || /\/\.?$/.test(path);
  try {
    return openat2(root, path, {
      flags: O_PATH | (follow ? 0 : O_NOFOLLOW),
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new Fault(error.code, error.message, {
      ...{ about: path, stage: "path", cause: error },
      ...(error.errno && { errno: error.errno }),
    });
  }
}

/** The facts about an open file of a container. */
export function statInView(root: Fd, path: string, file: Fd): PathStat {
  const { size, mode, mtime } = fstatat(file, "", false);
  const isLink = (mode & S_IFMT) === S_IFLNK;
  const linkTarget = isLink ? followLinks(root, path) : "";
  return { name: baseOf(path), size, mode, mtime, linkTarget };
}

/** Where an open directory of a view is, as a path of the container. */
export function pathInView(file: Fd): string {
  return readlinkat(undefined, descriptorPath(file));
}

/** A path without links; what is missing counts as it is written. */
function followLinks(root: Fd, path: string): string {
  const rest = path.split("/");
  let done: string[] = [];
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      done.pop();
      continue;
    }
    const link = linkAt(root, `/${[...done, name].join("/")}`);
    if (link === undefined) done.push(name);
    else {
      if (++links > maxLinks) {
        const detail = { about: path, stage: "path", errno: "ELOOP" };
        throw new Fault("invalid", `${path} leads over too many symbolic links`, detail);
      }
      if (link.startsWith("/")) done = [];
      rest.unshift(...link.split("/"));
    }
  }
  return `/${done.join("/")}`;
}

function linkAt(root: Fd, path: string): string | undefined {
  try {
    using file = openInView(root, path, { follow: false });
    return (fstatat(file, "", false).mode & S_IFMT) === S_IFLNK ? readlinkat(file, "") : undefined;
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}
