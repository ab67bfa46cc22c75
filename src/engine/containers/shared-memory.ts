import { mkdirSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type ContainerId, Fault, isFault } from "#base";
import { mountAll, unmount } from "#kernel";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import { joinsContainer } from "./joined-container.ts";

/**
 * /dev/shm of a container whose ipc namespace others may share. It is mounted on the host, as in
 * Docker, where those others find it whatever the container does with its own mounts.
 */

/** The directory of the host that a container has as its /dev/shm; undefined: a tmpfs of its own. */
export function sharedMemoryOf(
  { paths }: Parts<"paths">,
  { id, host }: Pick<ContainerRecord, "id" | "host">,
): string | undefined {
  const { IpcMode: mode } = host;
  if (mode === "host") return "/dev/shm";
  if (mode === "shareable") return join(paths.sharedMemory, id);
  if (joinsContainer(mode)) return join(paths.sharedMemory, mode.slice("container:".length));
  return undefined;
}

/**
 * Mounts it for a run of a container that shares, and looks after that of another container; does
 * nothing for any other.
 */
export async function mountSharedMemory(
  parts: Parts<"paths">,
  record: Pick<ContainerRecord, "id" | "host">,
): Promise<void> {
  const { id, host } = record;
  if (joinsContainer(host.IpcMode)) requireMount(sharedMemoryOf(parts, record) ?? "");
  if (host.IpcMode !== "shareable") return;
  await unmountSharedMemory(parts, id);
  const path = join(parts.paths.sharedMemory, id);
  mkdirSync(path, { mode: 0o700 });
  const options = ["nosuid", "noexec", "nodev", "mode=1777", `size=${host.ShmSize}`];
  await mountAll([{ type: "tmpfs", source: "shm", options }], path);
}

/** A mount of the host goes with the mount namespace of the engine that made it. One that never was is told when the namespace is joined. */
function requireMount(path: string): void {
  const device = (place: string) => statSync(place, { throwIfNoEntry: false })?.dev;
  const own = device(path);
  if (own === undefined || own !== device(dirname(path))) return;
  throw new Fault(
    "conflict",
    `the shared memory of container ${basename(path)} was mounted by an engine in another mount namespace; restart that container`,
    { about: path },
  );
}

/** Takes it away; those who share it keep it. Does nothing where there is none. */
export async function unmountSharedMemory(parts: Parts<"paths">, id: ContainerId): Promise<void> {
  const path = join(parts.paths.sharedMemory, id);
  try {
    await unmount(path);
  } catch (error) {
    if (isFault(error, "not_found")) return;
    // EINVAL: a crash came between the directory and its mount.
    if (!isFault(error) || error.errno !== "EINVAL") throw error;
  }
  rmdirSync(path);
}

/** What a crash left of containers that do not run. */
export async function sweepSharedMemory(parts: Parts<"paths" | "live">): Promise<void> {
  for (const id of readdirSync(parts.paths.sharedMemory) as ContainerId[])
    if (!parts.live.has(id)) await unmountSharedMemory(parts, id);
}
