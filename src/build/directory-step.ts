import { posix } from "node:path";
import { isFault } from "#base";
import {
  type Fd,
  fchmodat,
  fchownat,
  mkdirat,
  O_DIRECTORY,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#kernel";

/** A directory to make, with those above it that are missing. */
export interface DirectoryWish {
  /** Absolute. */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Makes a directory in a mounted root, as WORKDIR does; links on the way are followed within it. */
export function makeDirectory(root: Fd, { path, mode, uid, gid }: DirectoryWish): void {
  let at = "/";
  for (const name of path.split("/").filter(Boolean)) {
    using parent = openDirectory(root, at);
    at = posix.join(at, name);
    try {
      mkdirat(parent, name, mode);
    } catch (error) {
      if (!isFault(error, "exists")) throw error;
      continue;
    }
    // The umask of this process has taken bits away.
    fchmodat(parent, name, mode);
    fchownat(parent, name, { uid, gid });
  }
  // Something else than a directory is told here.
  openDirectory(root, path).close();
}

function openDirectory(root: Fd, path: string): Fd {
  const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return openat2(root, path, { flags: O_PATH | O_DIRECTORY, resolve });
}
