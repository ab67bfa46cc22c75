import { statfs } from "node:fs/promises";
import type { Content } from "#content";
import type { CacheMounts } from "./cache-mounts.ts";
import type { CacheStore } from "./cache-store.ts";
import type { CacheRecord, PruneOptions, PruneResult } from "./contract.ts";
import type { KeptDirectories } from "./kept-directories.ts";

interface UsageParts {
  readonly cache: CacheStore;
  readonly cacheMounts: CacheMounts;
  readonly content: Content;
  readonly directories: KeptDirectories;
  /** A directory on the disk whose free space counts. */
  readonly root: string;
}

interface Entry {
  readonly record: CacheRecord;
  /** Gives the bytes that went; undefined when a build uses it after all. */
  readonly remove: () => Promise<number | undefined>;
}

/** All that builds have left to be used again, that used longest ago first. */
export async function buildUsage(parts: UsageParts): Promise<readonly CacheRecord[]> {
  return (await entriesOf(parts)).map(({ record }) => record);
}

/**
 * Removes what is not in use and not filtered out, that used longest ago first, until no more is left
 * than the limits allow.
 */
export async function pruneBuilds(parts: UsageParts, options: PruneOptions): Promise<PruneResult> {
  if (isOfAll(options)) await parts.directories.prune();
  const entries = await entriesOf(parts);
  let left = entries.reduce((sum, { record }) => sum + record.size, 0);
  const keep = await keptBytes(parts.root, left, options);
  const ids: string[] = [];
  let bytes = 0;
  for (const { record, remove } of entries) {
    if (left <= keep) break;
    if (!isChosen(record, options)) continue;
    const freed = await remove();
    if (freed === undefined) continue;
    ids.push(record.id);
    bytes += freed;
    left -= record.size;
  }
  // A layer that others stood on goes after them.
  if (ids.length > 0) await parts.content.collect();
  return { ids, bytes };
}

/** Whether nothing is to stay but what is in use: then the copies of clients' files go too, which no record tells of. */
function isOfAll({ all, ...limits }: PruneOptions): boolean {
  return all && Object.values(limits).every((each) => each === undefined);
}

/** How much of `total` bytes may stay; less than nothing without a limit. */
async function keptBytes(
  root: string,
  total: number,
  { reserved, maxUsed, minFree }: PruneOptions,
): Promise<number> {
  if (reserved === undefined && maxUsed === undefined && minFree === undefined) return -1;
  const limits = maxUsed === undefined ? [] : [maxUsed];
  if (minFree !== undefined) {
    const { bavail, bsize } = await statfs(root);
    limits.push(total - Math.max(0, minFree - bavail * bsize));
  }
  const allowed = limits.length > 0 ? Math.min(...limits) : 0;
  return Math.max(reserved ?? 0, allowed);
}

function isChosen(
  record: CacheRecord,
  { all, until, ids, type, inUse, shared }: PruneOptions,
): boolean {
  if (record.inUse || (record.shared && !all)) return false;
  if (inUse === true || (shared !== undefined && shared !== record.shared)) return false;
  if (type !== undefined && record.type !== type) return false;
  if (ids !== undefined && !ids.some((id) => record.id.startsWith(id))) return false;
  return until === undefined || record.used < until;
}

async function entriesOf({ cache, cacheMounts, content }: UsageParts): Promise<readonly Entry[]> {
  const steps = cache.list().map((step): Entry => {
    const { key, description, size, created, used, uses, layers } = step;
    return {
      record: {
        ...{ id: idOf(key), type: "regular", description, size, created, used, uses },
        inUse: cache.isHeld(key),
        shared: layers.some(({ blob }) => content.isOfImage(blob.digest)),
      },
      remove: async () => (cache.isHeld(key) ? undefined : await cache.remove([key])),
    };
  });
  const mounts = await Promise.all(
    cacheMounts.list().map(async (mount): Promise<Entry> => {
      const { number, id, created, used, uses } = mount;
      const size = await cacheMounts.size(number);
      return {
        record: {
          id: `mount${number}`,
          type: "exec.cachemount",
          description: `cached mount ${id.replace(/^\//, "")}`,
          ...{ size, created, used, uses },
          inUse: cacheMounts.isUsed(number),
          shared: false,
        },
        remove: async () => ((await cacheMounts.remove(number)) ? size : undefined),
      };
    }),
  );
  return [...steps, ...mounts].toSorted((a, b) => a.record.used - b.record.used);
}

/** As long as BuildKit's. */
const idOf = (key: string) => key.replace(/^sha256:/, "").slice(0, 25);
