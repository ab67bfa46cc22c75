import { mkdir, rename, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { Fault, formatBytes, inParallel, isFault } from "#base";
import type { BackupKey, BlobRef } from "#chunk";
import { type Digest, digestHex, sha256 } from "#image";
import { keepBlob, unchunkTree } from "#layer";
import type { BackupStore } from "./backup-store.ts";
import { crashPoint } from "./crash-point.ts";
import { type BackupConfig, parseManifest } from "./document.ts";
import { readConfig } from "./read-config.ts";

/** A backup that is stored, by its documents. */
export interface StoredBackup {
  /** Of its manifest. */
  readonly digest: Digest;
  readonly config: BackupConfig;
  readonly packs: readonly BlobRef[];
}

/** The backup of a tag; `not_found` when there is none, `invalid` when that is something else. */
export async function readBackup(store: BackupStore, tag: string): Promise<StoredBackup> {
  const bytes = await store.manifest(tag);
  if (!bytes) throw new Fault("not_found", `there is no backup ${tag}`, { about: tag });
  const { config, packs } = parseManifest(bytes, tag);
  return { digest: sha256(bytes), config: await readConfig(store, config), packs };
}

/** How to fetch a backup. */
export interface FetchRequest {
  /** A directory for what is fetched; each backup has one of its own in it. */
  readonly work: string;
  /** Opens the key of an encrypted backup. */
  readonly openKey: (file: Uint8Array) => Promise<BackupKey>;
  readonly onProgress: (progress: FetchProgress) => void;
  readonly signal: AbortSignal;
}

/** Bytes of blobs that came, of all that are needed; then bytes of the archive that are unpacked. */
interface FetchProgress {
  readonly received: number;
  readonly total: number;
  readonly unpacked: number;
  readonly size: number;
}

/** The size of a backup that was unpacked. */
export interface FetchResult {
  /** Bytes of blobs that came; those of an earlier attempt are not among them. */
  readonly received: number;
  readonly entries: number;
}

const downloads = 4;

/**
 * Fetches a backup and unpacks it into an empty directory. Each blob is checked when it comes, each
 * chunk when it is unpacked. Blobs stay in the work directory after a failure of the network, for
 * the next attempt; otherwise nothing stays. `data_loss` for a backup that was cut or altered.
 */
export async function fetchBackup(
  store: BackupStore,
  { digest, config, packs }: StoredBackup,
  request: FetchRequest & { readonly target: string },
): Promise<FetchResult> {
  const { work, target, signal } = request;
  const keyFile = config.key === undefined ? undefined : Buffer.from(config.key, "base64");
  const key = keyFile && (await request.openKey(keyFile));
  const place = join(work, digestHex(digest).slice(0, 32));
  const fetcher = new Fetcher(store, { request, place, key });
  try {
    await fetcher.fetch(config.segments, packs, config.size);
    crashPoint("restore:blobs-fetched");
    const { entries } = await unchunkTree(
      {
        target,
        segments: config.segments.map(({ digest }) => join(place, digestHex(digest))),
        packs: place,
        size: config.size,
        key,
      },
      { signal, onProgress: (unpacked) => fetcher.tell({ unpacked, size: config.size }) },
    );
    crashPoint("restore:unpacked");
    await rm(place, { recursive: true, force: true });
    return { received: fetcher.received, entries };
  } catch (error) {
    const mayGoOn = isFault(error, "unavailable") || isFault(error, "timeout");
    if (!mayGoOn) await rm(place, { recursive: true, force: true });
    throw error;
  }
}

class Fetcher {
  readonly #store: BackupStore;
  readonly #request: FetchRequest;
  readonly #place: string;
  readonly #key: BackupKey | undefined;
  #total = 0;
  received = 0;

  constructor(
    store: BackupStore,
    { request, place, key }: { request: FetchRequest; place: string; key: BackupKey | undefined },
  ) {
    this.#store = store;
    this.#request = request;
    this.#place = place;
    this.#key = key;
  }

  async fetch(
    segments: readonly BlobRef[],
    packs: readonly BlobRef[],
    size: number,
  ): Promise<void> {
    await mkdir(this.#place, { recursive: true, mode: 0o700 });
    const missing: BlobRef[] = [];
    for (const ref of new Map([...segments, ...packs].map((ref) => [ref.digest, ref])).values())
      if (!(await Bun.file(this.#pathOf(ref)).exists())) missing.push(ref);
    this.#total = missing.reduce((sum, { size }) => sum + size, 0);
    await this.#requireRoom(this.#total + size);
    this.tell({ unpacked: 0, size });
    await inParallel(missing, downloads, async (ref) => {
      const path = this.#pathOf(ref);
      await rm(`${path}.part`, { force: true });
      const { signal } = this.#request;
      const request = { ...ref, path: `${path}.part`, key: this.#key };
      await keepBlob(this.#store.read(ref), request, { signal });
      await rename(`${path}.part`, path);
      this.received += ref.size;
      this.tell({ unpacked: 0, size });
    });
  }

  tell(progress: { readonly unpacked: number; readonly size: number }): void {
    this.#request.onProgress({ received: this.received, total: this.#total, ...progress });
  }

  #pathOf({ digest }: BlobRef): string {
    return join(this.#place, digestHex(digest));
  }

  /** Before a stranger's backup fills the disk. */
  async #requireRoom(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#place);
    if (bytes <= bavail * bsize) return;
    throw new Fault(
      "exhausted",
      `the backup needs ${formatBytes(bytes)} of room to be restored, and ${formatBytes(bavail * bsize)} are free; make room first`,
    );
  }
}
