import { posix } from "node:path";
import { isFault } from "#base";
import {
  AT_REMOVEDIR,
  type Fd,
  fstatat,
  getXattr,
  O_DIRECTORY,
  O_PATH,
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  unlinkat,
} from "#kernel";
import type { Snapshotter } from "#snapshot";

/** What a run makes in its root because something is to be mounted there. */
export interface MountStubs {
  /** Paths in the root that are missing before the run, links resolved; those below others later. */
  readonly missing: readonly string[];
  /** Directories of the layers below in which they are made. */
  readonly parents: readonly string[];
}

/** The paths that mounts on these targets will add to the root of a snapshot. */
export async function findMountStubs(
  snapshots: Snapshotter,
  key: string,
  targets: readonly string[],
): Promise<MountStubs> {
  const missing = new Set<string>();
  const parents = new Set<string>();
  for (const target of targets) {
    const absent: string[] = [];
    for (let path = posix.normalize(`/${target}`); path !== "/"; path = posix.dirname(path)) {
      const place = await placeOf(snapshots, key, path);
      if (place === undefined) {
        absent.unshift(posix.basename(path));
        continue;
      }
      if (absent.length > 0) parents.add(place);
      for (const index of absent.keys())
        missing.add(posix.join(place, ...absent.slice(0, index + 1)));
      absent.length = 0;
      break;
    }
    for (const index of absent.keys()) missing.add(posix.join(...absent.slice(0, index + 1)));
  }
  return { missing: [...missing], parents: [...parents] };
}

/** Where a path leads within the stack, relative to its root. */
async function placeOf(
  snapshots: Snapshotter,
  key: string,
  path: string,
): Promise<string | undefined> {
  const found = await snapshots.find(key, path);
  if (!found) return undefined;
  const layer = snapshots.layers(key).find((each) => `${found.hostPath}/`.startsWith(`${each}/`));
  return layer === undefined ? undefined : posix.relative(layer, found.hostPath);
}

/**
 * Removes from the changes of a run whatever was only made for its mounts and is still empty, and
 * directories of the layers below that were copied up for it.
 */
export async function removeMountStubs(
  snapshots: Snapshotter,
  key: string,
  { missing, parents }: MountStubs,
): Promise<void> {
  using root = openat2(undefined, snapshots.directory(key), { flags: O_PATH | O_DIRECTORY });
  for (const path of missing.toReversed()) removeIfEmpty(root, path);
  const deepestFirst = [...parents]
    .filter((path) => path !== "")
    .toSorted((a, b) => b.length - a.length);
  for (const parent of deepestFirst) {
    for (let path = parent; path !== "."; path = posix.dirname(path)) {
      if (!(await isCopiedUp(snapshots, key, { root, path }))) break;
      removeIfEmpty(root, path);
    }
  }
}

function removeIfEmpty(root: Fd, path: string): void {
  unlessMissing(() => {
    using directory = openParent(root, path);
    const name = posix.basename(path);
    const { mode, size } = fstatat(directory, name, false);
    const type = mode & S_IFMT;
    if (type === S_IFDIR) unlinkat(directory, name, AT_REMOVEDIR);
    else if (type === S_IFREG && size === 0) unlinkat(directory, name);
  });
}

/** Whether a directory of the changes is nothing but what the layers below have. */
async function isCopiedUp(
  snapshots: Snapshotter,
  key: string,
  { root, path }: { readonly root: Fd; readonly path: string },
): Promise<boolean> {
  const parent = snapshots.stat(key)?.parent;
  const below = parent && (await snapshots.find(parent, path));
  if (!below) return false;
  return (
    unlessMissing(() => {
      using directory = openParent(root, path);
      const name = posix.basename(path);
      const own = fstatat(directory, name, false);
      const isOpaque = () => getXattr(directory, name, "trusted.overlay.opaque") !== undefined;
      const { mode, uid, gid } = below.stat;
      return own.mode === mode && own.uid === uid && own.gid === gid && !isOpaque();
    }) ?? false
  );
}

function openParent(root: Fd, path: string): Fd {
  return openat2(root, posix.dirname(path), {
    flags: O_PATH | O_DIRECTORY,
    resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
  });
}

/** Undefined where something is gone, not empty, or no directory any more. */
function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    const isGone = ["ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST", "ELOOP"];
    if (isFault(error) && isGone.includes(error.errno ?? "")) return undefined;
    throw error;
  }
}
