import type { BuildCacheRecord } from "#wire";

/** Bytes that records of the build cache take together; one whose size is not known counts as none. */
export function cacheSize(records: readonly BuildCacheRecord[]): number {
  return records.reduce((sum, { Size }) => sum + Math.max(0, Size), 0);
}
