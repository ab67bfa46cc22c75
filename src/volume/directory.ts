import { Fault } from "#base";
import {
  type CopyWatch,
  copyTree,
  copyTreeHolding,
  type Fd,
  mountTable,
  O_DIRECTORY,
  O_RDONLY,
  openat2,
  RENAME_EXCHANGE,
  renameat2,
  syncfsAsync,
} from "#kernel";

type Holding = Parameters<typeof copyTreeHolding>[2];

/** Opens a directory of a volume for reading. */
export function openDirectory(path: string): Fd {
  return openat2(undefined, path, { flags: O_RDONLY | O_DIRECTORY });
}

/**
 * Copies a directory into an empty one; gives the bytes that could not be shared. `canceled`
 * soon after the signal has fired.
 */
export async function copyInto(path: string, from: Fd, watch?: CopyWatch): Promise<number> {
  using to = openDirectory(path);
  const copied = await copyTree(from, to, watch);
  if (watch?.signal?.aborted) throw new Fault("canceled", "canceled");
  return copied;
}

/** The same of a directory that others write to, who stand still within `holding` alone. */
export async function copyHolding(
  path: string,
  from: Fd,
  { holding, ...watch }: CopyWatch & { readonly holding: Holding },
): Promise<number> {
  using to = openDirectory(path);
  const copied = await copyTreeHolding(from, to, holding, watch);
  if (watch.signal?.aborted) throw new Fault("canceled", "canceled");
  return copied;
}

/** Swaps two directories atomically. */
export function exchange(one: string, other: string): void {
  const place = (path: string) => ({ directory: undefined, path });
  renameat2(place(one), place(other), RENAME_EXCHANGE);
}

/** All that was written to the file system of a directory is on the disk afterwards. */
export async function syncDirectory(path: string): Promise<void> {
  using directory = openDirectory(path);
  await syncfsAsync(directory);
}

/** The mount points at or below a path, in this process's namespace. */
export function mountsBelow(path: string): readonly string[] {
  return mountTable()
    .map(({ target }) => target)
    .filter((target) => target === path || target.startsWith(`${path}/`));
}
