import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { inParallel } from "#base";
import type { BackupKey, BlobRef } from "#chunk";
import { type Digest, parseDigest } from "#image";
import { type KnownSegment, keepBlob } from "#layer";
import type { BackupStore } from "./backup-store.ts";
import { parseBackupTag } from "./backup-tag.ts";
import { type BackupConfig, parseManifest } from "./document.ts";
import { readConfig } from "./read-config.ts";

/** An earlier backup whose blobs the next one refers to. */
export interface BaseBackup {
  readonly config: BackupConfig;
  readonly packs: readonly BlobRef[];
}

/** Tags that are looked at when neither the tag nor the volume has a backup. */
const maxOthers = 20;

/**
 * The backup to build on: the one that has the tag, else the newest of the volume, else one with
 * any of the last tags. It has the same key, or none as well.
 */
export async function findBase(
  store: BackupStore,
  wanted: { readonly tag: string; readonly volume: string; readonly key: string | undefined },
): Promise<BaseBackup | undefined> {
  const tags = await Array.fromAsync(store.tags());
  const times = new Map(tags.map((tag) => [tag, parseBackupTag(tag)]));
  const rank = (tag: string) => (times.get(tag)?.volume === wanted.volume ? 1 : 0);
  const others = tags
    .filter((tag) => tag !== wanted.tag)
    .sort((a, b) => rank(b) - rank(a) || timeOf(times.get(b)) - timeOf(times.get(a)));
  for (const tag of [wanted.tag, ...others.slice(0, maxOthers)]) {
    const found = await baseOf(store, tag);
    if (found && found.config.key === wanted.key) return found;
  }
  return undefined;
}

function timeOf(tag: { readonly time: Date } | undefined): number {
  return tag?.time.getTime() ?? 0;
}

/** One that cannot be read is nothing to build on, and its chunks are sent again. */
async function baseOf(store: BackupStore, tag: string): Promise<BaseBackup | undefined> {
  const bytes = await store.manifest(tag);
  if (!bytes) return undefined;
  try {
    const { config, packs } = parseManifest(bytes, tag);
    return { config: await readConfig(store, config), packs };
  } catch {
    return undefined;
  }
}

/** The chunks that are stored, and the packs that have them. */
export interface KnownChunks {
  readonly known: readonly KnownSegment[];
  readonly packs: readonly Digest[];
}

interface KnownOptions {
  readonly base: BaseBackup | undefined;
  readonly key: BackupKey | undefined;
  /** An empty directory for segments. */
  readonly index: string;
  /** The journal of an earlier backup that did not come to its end. */
  readonly journal: string;
}

const lanes = 8;

/** Fetches the index of the base, reads the journal, and looks which packs are there. */
export async function knownChunks(
  store: BackupStore,
  { base, key, index, journal }: KnownOptions,
): Promise<KnownChunks> {
  const known: KnownSegment[] = [];
  const segments = base?.config.segments ?? [];
  await inParallel(segments.entries(), lanes, async ([number, stored]) => {
    const path = join(index, String(number));
    await keepBlob(store.read(stored), { ...stored, path, key });
    known.push({ path, stored });
  });
  const packs: Digest[] = [];
  await inParallel(base?.packs ?? [], lanes, async ({ digest }) => {
    if (await store.has(digest)) packs.push(digest);
  });
  await inParallel(await readdir(journal), lanes, async (name) => {
    const path = join(journal, name);
    const digest = parseDigest(`sha256:${name}`);
    if (await store.has(digest)) {
      packs.push(digest);
      known.push({ path });
    } else await rm(path, { force: true });
  });
  return { known, packs };
}
