import type { BackupStore } from "./backup-store.ts";
import { type BackupTag, expired, parseBackupTag, type Retention } from "./backup-tag.ts";
import { blobsOf } from "./document.ts";

/** The backups of a place, of one volume or all, newest first. */
export async function listBackups(
  store: BackupStore,
  volume?: string,
): Promise<readonly BackupTag[]> {
  const all = (await Array.fromAsync(store.tags())).flatMap((tag) => parseBackupTag(tag) ?? []);
  return all
    .filter((backup) => volume === undefined || backup.volume === volume)
    .sort((a, b) => b.time.getTime() - a.time.getTime());
}

/**
 * Removes the backups of a volume that the retention does not keep, and deletes the blobs that
 * nothing refers to any more; `freed` is absent where a registry does that itself.
 */
export async function pruneBackups(
  store: BackupStore,
  { volume, retention }: { readonly volume: string; readonly retention: Retention },
): Promise<{ readonly removed: readonly string[]; readonly freed: number | undefined }> {
  const gone = expired(await listBackups(store, volume), retention);
  for (const { tag } of gone) await store.remove(tag);
  return { removed: gone.map(({ tag }) => tag), freed: await store.collect(blobsOf) };
}
