import { readdir, readFile } from "node:fs/promises";
import type { PackageTree } from "#attest";
import { isFault } from "#base";
import {
  descriptorPath,
  type Fd,
  fstatat,
  O_DIRECTORY,
  O_PATH,
  openat2,
  openRegularFile,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#kernel";

const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

/** The tree of an image below its root; no link leads out of it. */
export function packageTree(root: Fd): PackageTree {
  return {
    list: async (path) => {
      using directory = opened(root, path, O_DIRECTORY);
      if (!directory) return [];
      const entries = await readdir(descriptorPath(directory), { withFileTypes: true });
      return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }));
    },
    read: async (path, limit) => {
      using found = opened(root, path, 0);
      using file = found && openRegularFile(found, "");
      if (!file || fstatat(file, "", false).size > limit) return undefined;
      return await readFile(descriptorPath(file));
    },
  };
}

function opened(root: Fd, path: string, flags: number): Fd | undefined {
  try {
    return openat2(root, path === "" ? "/" : path, { flags: O_PATH | flags, resolve });
  } catch (error) {
    if (isFault(error) && /^(?:ENOENT|ENOTDIR|ELOOP)$/.test(error.errno ?? "")) return undefined;
    throw error;
  }
}
