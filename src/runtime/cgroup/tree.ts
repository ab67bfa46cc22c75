import { readdirSync } from "node:fs";
import { Fault, isFault } from "#base";
import { AT_REMOVEDIR, type Fd, O_RDONLY, openat2, readInto, unlinkat } from "#kernel";

/** Cgroups made inside a container: as deep and as many as we follow. */
const maxDepth = 32;
const maxNested = 10_000;

/**
 * A directory below `parent`, which must itself be more than the root of a
 * hierarchy. A loop that kills by an empty or a root path ends the machine, so every
 * path that is killed or removed goes through here.
 */
export function childDirectory(parent: string, name: string): string {
  if (!/^\/[^/]+(\/[^/]+)+$/.test(parent) || parent.split("/").includes(".."))
    throw new Fault("invalid", `"${parent}" cannot be a parent of cgroups`, { about: parent });
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name))
    throw new Fault("invalid", `"${name}" cannot be the name of a cgroup`, { about: name });
  return `${parent}/${name}`;
}

/** The whole of a small cgroup file; undefined when this kernel or hierarchy does not have it. */
export function readSetting(path: string): string | undefined {
  let file: Fd;
  try {
    file = openat2(undefined, path, { flags: O_RDONLY });
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
  using opened = file;
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(4096);
    let size: number;
    try {
      size = readInto(opened, chunk);
    } catch (error) {
      // ENODEV: the cgroup was removed between open and read.
      if (isFault(error) && error.errno === "ENODEV") return undefined;
      throw error;
    }
    if (size === 0) return Buffer.concat(chunks).toString("utf8");
    chunks.push(chunk.subarray(0, size));
  }
}

/** The directory and all below it, innermost first; empty for a directory that has vanished. */
function subtree(directory: string, depth = 0): readonly string[] {
  if (depth > maxDepth) return [];
  let names: readonly string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return [];
    throw error;
  }
  const below = names.flatMap((name) => subtree(`${directory}/${name}`, depth + 1));
  return [...below.slice(0, maxNested), directory];
}

/** Pids in the directory and all below it, each once. */
export function processesIn(directory: string): readonly number[] {
  const pids = new Set<number>();
  for (const path of subtree(directory)) {
    for (const line of (readSetting(`${path}/cgroup.procs`) ?? "").split("\n")) {
      // 0 stands for a process outside our pid namespace, which no signal of ours may reach.
      if (line && line !== "0") pids.add(Number(line));
    }
  }
  return [...pids];
}

/** Removes a directory and those below; false while the kernel still holds one busy. A missing one is removed already. */
export function tryRemove(directory: string): boolean {
  for (const path of fastSubtree(directory)) {
    try {
      unlinkat(undefined, path, AT_REMOVEDIR);
    } catch (error) {
      if (isFault(error, "not_found")) continue;
      if (isFault(error) && (error.errno === "EBUSY" || error.errno === "ENOTEMPTY")) return false;
      throw error;
    }
  }
  return true;
}

/** Most containers make no cgroups of their own, so the directory alone is tried first. */
function fastSubtree(directory: string): readonly string[] {
  try {
    unlinkat(undefined, directory, AT_REMOVEDIR);
    return [];
  } catch (error) {
    if (isFault(error, "not_found")) return [];
    return subtree(directory);
  }
}
