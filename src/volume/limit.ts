import { randomInt } from "node:crypto";
import { Fault, isFault, parseBytes } from "#base";
import {
  type Fd,
  hasProjectQuotas,
  mountTable,
  type ProjectQuota,
  projectOf,
  projectQuota,
  setProject,
  setProjectQuota,
} from "#kernel";
import { openDirectory } from "./directory.ts";

/** Projects of volumes have numbers of this range; those of others are left alone. */
const projects = { first: 0x74000000, count: 1 << 24 };

/** The bytes that a volume's options limit it to; undefined without a limit. */
export function sizeOf(options: Readonly<Record<string, string>> | undefined): number | undefined {
  return options?.size === undefined ? undefined : parseBytes(options.size) || undefined;
}

/** Refuses a limit where there can be none: `invalid`, in Docker's words and with the reason. */
export function requireQuotas(directory: string): void {
  using fd = openDirectory(directory);
  if (hasProjectQuotas(fd)) return;
  const mount = mountTable()
    .filter(({ target }) => target === "/" || `${directory}/`.startsWith(`${target}/`))
    .at(-1);
  throw new Fault(
    "invalid",
    `quota size requested but no quota support: the file system of ${directory} (${mount?.type ?? "unknown"}) has no project quotas; they are there on xfs and ext4 that are mounted with the option prjquota, if the kernel has them`,
    { about: directory },
  );
}

/** Limits what will be in a directory, which is empty. */
export function limitDirectory(path: string, bytes: number): void {
  using directory = openDirectory(path);
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

/** The limit that `limitDirectory` has set, and its use; undefined without one. */
export function limitOf(path: string): ProjectQuota | undefined {
  using directory = openIfThere(path);
  const project = directory && limitedProject(directory);
  return project ? projectQuota(directory, project) : undefined;
}

function openIfThere(path: string): Fd | undefined {
  try {
    return openDirectory(path);
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
