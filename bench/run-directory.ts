import { mkdir, statfs } from "node:fs/promises";
import { command } from "./peers.ts";

const TMPFS_MAGIC = 0x01021994;

/**
 * Makes a directory for files that last until the next boot. It lies on a tmpfs, as /run does where
 * systemd boots the machine: on one that keeps /run on a disk a tmpfs is mounted, for every engine
 * that is measured. Disposing unmounts it.
 */
export async function runDirectory(path: string): Promise<AsyncDisposable> {
  await mkdir(path, { recursive: true });
  const { type } = await statfs(path);
  if (type === TMPFS_MAGIC) return { [Symbol.asyncDispose]: async () => undefined };
  await command(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path]);
  return { [Symbol.asyncDispose]: async () => void (await command(["umount", "-l", path])) };
}
