import { setImmediate } from "node:timers/promises";
import { defined, isFault } from "#base";
import {
  type Fd,
  fstatat,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  type Stat,
} from "#kernel";
import { type ScannedEntry, scanTree } from "#layer";
import { mountPoints } from "#snapshot";
import type { FileChange } from "../contract.ts";
import { mountLayers } from "../images/image-mount.ts";
import type { Parts } from "../parts.ts";

/** Directories that are made where an image lacks them. */
const mountDirectories = new Set(["dev", "dev/pts", "dev/shm", "dev/mqueue", "proc", "sys"]);

/** Lookups between two turns of the event loop: some milliseconds. */
const perTurn = 500;

/** The paths that a container has made, changed and removed, in their order. */
export async function containerChanges(
  parts: Parts<"paths" | "snapshots" | "store">,
  ref: string,
): Promise<readonly FileChange[]> {
  const { id, chainId } = parts.store.find(ref);
  const below = chainId === undefined ? [] : parts.snapshots.layers(chainId);
  await using image = await mountLayers(parts, below);
  const changes: (FileChange & { readonly entry: ScannedEntry; readonly before?: Stat })[] = [];
  const directory = parts.snapshots.directory(id);
  for await (const batch of scanTree({ directory, mode: "layer", sockets: true })) {
    for (const entry of batch) {
      if (entry.path === "" || mountPoints.includes(entry.path)) continue;
      const before = statBelow(image.root, entry.path);
      if (!before && mountDirectories.has(entry.path)) continue;
      const path = `/${entry.path}`;
      const kind = entry.whiteout ? "deleted" : before ? "modified" : "added";
      changes.push({ path, kind, entry, ...defined({ before }) });
      if (changes.length % perTurn === 0) await setImmediate();
    }
  }
  return changes
    .filter((change, index) => !isMadeByMounts(change, changes[index + 1]))
    .map(({ path, kind }) => ({ path, kind }));
}

/** /etc is copied up for the mount points in it; nothing in it and nothing of it has changed then. */
function isMadeByMounts(
  { path, kind, entry, before }: FileChange & { entry: ScannedEntry; before?: Stat },
  next: FileChange | undefined,
): boolean {
  if (path !== "/etc" || kind !== "modified" || !before) return false;
  const isEmpty = !next?.path.startsWith("/etc/");
  const isSame =
    entry.mode === (before.mode & 0o7777) && entry.uid === before.uid && entry.gid === before.gid;
  return isEmpty && isSame && !entry.opaque;
}

/** The image's file at a path; a link on the way leads to another file's place. */
function statBelow(root: Fd, path: string): Stat | undefined {
  try {
    using file = openat2(root, Buffer.from(path, "latin1"), {
      flags: O_PATH | O_NOFOLLOW,
      resolve: RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
    });
    return fstatat(file, "", false);
  } catch (error) {
    if (isFault(error) && /^(ENOENT|ENOTDIR|ELOOP)$/.test(error.errno ?? "")) return undefined;
    throw error;
  }
}
