import { readdir } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { isFault } from "#base";
import type { Fd } from "./fd.ts";
import {
  fstatat,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  S_IFDIR,
  S_IFMT,
} from "./files.ts";

const entriesPerTurn = 500;

/** What a tree takes; files with several names count once. */
export interface TreeUsage {
  /** Of the disk, in bytes. */
  readonly bytes: number;
  /** The lengths of its files and links, as programs see them. */
  readonly length: number;
  readonly inodes: number;
}

/** Lets others run between portions. */
export async function diskUsage(directory: string): Promise<TreeUsage> {
  using root = openat2(undefined, directory, { flags: O_PATH | O_DIRECTORY });
  const linked = new Set<bigint>();
  const open = ["."];
  let bytes = 0;
  let length = 0;
  let inodes = 0;
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    using level = openLevel(root, path);
    if (!level) continue;
    const names = await namesIn(level);
    for (const [index, name] of names.entries()) {
      if (index % entriesPerTurn === entriesPerTurn - 1) await setImmediate();
      const stat = statOf(level, name);
      if (!stat || linked.has(stat.ino)) continue;
      const isDirectory = (stat.mode & S_IFMT) === S_IFDIR;
      if (isDirectory) open.push(`${path}/${name}`);
      else {
        length += stat.size;
        if (stat.nlink > 1) linked.add(stat.ino);
      }
      bytes += stat.blocks * 512;
      inodes++;
    }
    await setImmediate();
  }
  return { bytes, length, inodes };
}

/** Undefined when a container has removed it since. */
function openLevel(root: Fd, path: string): Fd | undefined {
  return unlessGone(() =>
    openat2(root, Buffer.from(path, "latin1"), {
      flags: O_RDONLY | O_DIRECTORY,
      resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    }),
  );
}

/** Read elsewhere than here, since a directory may have a million; none in one that was removed since it was opened. */
async function namesIn(level: Fd): Promise<string[]> {
  try {
    return await readdir(`/proc/self/fd/${level.number}`, { encoding: "latin1" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function statOf(level: Fd, name: string) {
  return unlessGone(() => fstatat(level, Buffer.from(name, "latin1"), false));
}

function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isFault(error, "not_found") || isFault(error, "invalid")) return undefined;
    throw error;
  }
}
