import { randomInt } from "node:crypto";
import { isFault } from "#base";
import type { Fd } from "./fd.ts";
import { O_DIRECTORY, O_RDONLY, openat2 } from "./files.ts";
import { mountTable } from "./mount-table.ts";
import {
  hasProjectQuotas,
  type ProjectQuota,
  projectOf,
  projectQuota,
  setProject,
  setProjectQuota,
} from "./quota.ts";

/** Projects of our directories have numbers of this range; those of others are left alone. */
const projects = { first: 0x74000000, count: 1 << 24 };

const open = (path: string) => openat2(undefined, path, { flags: O_RDONLY | O_DIRECTORY });

/** Why what is below a directory cannot be limited; undefined when it can. */
export function lackOfLimits(path: string): string | undefined {
  using directory = open(path);
  if (hasProjectQuotas(directory)) return undefined;
  const mount = mountTable()
    .filter(({ target }) => target === "/" || `${path}/`.startsWith(`${target}/`))
    .at(-1);
  return `the file system of ${path} (${mount?.type ?? "unknown"}) has no project quotas; they are there on xfs and ext4 that are mounted with the option prjquota, if the kernel has them`;
}

/**
 * Limits the bytes of what will be in a directory, which is empty. What is renamed into it from
 * elsewhere must be of the same project; its own subdirectories are.
 */
export function limitDirectory(path: string, bytes: number): void {
  using directory = open(path);
  const project = freeProject(directory);
  setProjectQuota(directory, project, bytes);
  setProject(directory, project);
}

/** One that owns nothing and has no limit. */
function freeProject(directory: Fd): number {
  for (;;) {
    const project = projects.first + randomInt(projects.count);
    const { limit, used } = projectQuota(directory, project);
    if (limit === 0 && used === 0) return project;
  }
}

/** The limit that `limitDirectory` has set, and its use; undefined without one, or a directory. */
export function directoryLimit(path: string): ProjectQuota | undefined {
  using directory = openIfThere(path);
  const project = directory && limitedProject(directory);
  return project ? projectQuota(directory, project) : undefined;
}

function openIfThere(path: string): Fd | undefined {
  try {
    return open(path);
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

function limitedProject(directory: Fd): number | undefined {
  const project = projectOf(directory);
  const isOurs = project >= projects.first && project < projects.first + projects.count;
  return isOurs ? project : undefined;
}

/**
 * Takes the limits of directories back; to be called before they are deleted, since the file system
 * keeps the limit of a project for good.
 */
export function unlimit(paths: readonly string[]): void {
  for (const path of paths) {
    using directory = openIfThere(path);
    const project = directory && limitedProject(directory);
    if (project) setProjectQuota(directory, project, 0);
  }
}
