import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, inParallel, Slots } from "#base";
import { type BackupKey, maxAverage, type WrittenStream } from "#chunk";
import { type Digest, digestHex, sha256 } from "#image";
import { diskUsage } from "#kernel";
import { chunkTree, type SpooledBlob } from "#layer";
import type { BackupStore } from "./backup-store.ts";
import { findBase, knownChunks } from "./base-backup.ts";
import { crashPoint } from "./crash-point.ts";
import { type BackupConfig, encodeConfig, encodeManifest } from "./document.ts";
import { emptyDirectory } from "./work-directory.ts";

/** A directory to back up. */
export interface BackupRequest {
  readonly volume: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly directory: string;
  readonly tag: string;
  readonly created: Date;
  /** A directory of this volume and place alone; what is in it serves the next attempt after a failure. */
  readonly work: string;
  /** Encrypts; with the key's age file for its holders. */
  readonly key?: { readonly key: BackupKey; readonly file: Uint8Array } | undefined;
  readonly onProgress: (progress: BackupProgress) => void;
  readonly signal: AbortSignal;
}

/** Bytes of the archive that were read, and bytes of blobs that were sent. */
interface BackupProgress {
  readonly read: number;
  readonly sent: number;
}

/** A backup that was made. */
export interface BackupResult {
  readonly tag: string;
  /** Of the manifest. */
  readonly digest: Digest;
  /** Bytes of the archive. */
  readonly size: number;
  readonly chunks: number;
  /** Bytes of blobs that were sent, with the manifest. */
  readonly sent: number;
}

const smallChunk = 16 << 10;
const smallPack = 16 << 20;
const largePack = 64 << 20;
const uploads = 3;

/**
 * Stores a directory as a backup. Chunks that the store has, in the last backup or from an attempt
 * that did not come to its end, are not sent again. The manifest comes last: a backup exists whole
 * or not at all.
 */
export async function createBackup(
  store: BackupStore,
  request: BackupRequest,
): Promise<BackupResult> {
  const { directory, tag, volume, work, key } = request;
  const journal = join(work, "journal");
  await mkdir(journal, { recursive: true, mode: 0o700 });
  const index = await emptyDirectory(work, "index");
  const spool = await emptyDirectory(work, "spool");
  try {
    const keyText = key && Buffer.from(key.file).toString("base64");
    const size = (await diskUsage(directory)).bytes;
    const packBytes = Math.min(largePack, Math.max(smallPack, size / 1000));
    const base = await findBase(store, { tag, volume, key: keyText });
    const average = averageFor(size, base?.config.average);
    const usable = base?.config.average === average ? base : undefined;
    const options = { base: usable, key: key?.key, index, journal };
    const known = await knownChunks(store, options);
    const sender = new Sender(store, { ...request, journal });
    const written = await sender.send({
      directory,
      spool,
      average,
      packBytes,
      key: key?.key,
      ...known,
    });
    await requirePacks(store, written);
    const config: BackupConfig = {
      ...(key ? { key: keyText } : { volume, labels: request.labels }),
      created: request.created.toISOString(),
      average,
      size: written.size,
      chunks: written.chunks,
      segments: written.segments,
    };
    const documents = await putDocuments(store, { tag, spool, config, written });
    await rm(journal, { recursive: true, force: true });
    const sent = sender.sent + documents.sent;
    const { digest } = documents;
    return { tag, digest, size: written.size, chunks: written.chunks, sent };
  } finally {
    await rm(spool, { recursive: true, force: true });
    await rm(index, { recursive: true, force: true });
  }
}

/**
 * So that a volume is a million chunks at the most, which both sides hold in memory; the last
 * backup's as long as it serves, since other chunks share nothing.
 */
function averageFor(size: number, before: number | undefined): number {
  let average = smallChunk;
  while (average < maxAverage && size / average > 2 ** 20) average *= 2;
  const serves = before !== undefined && before >= average / 4 && before <= average * 4;
  return serves ? before : average;
}

/** Sends what the worker spools, a few blobs at once. */
class Sender {
  readonly #store: BackupStore;
  readonly #request: BackupRequest & { readonly journal: string };
  readonly #slots = new Slots(uploads);
  #read = 0;
  sent = 0;

  constructor(store: BackupStore, request: BackupRequest & { readonly journal: string }) {
    this.#store = store;
    this.#request = request;
  }

  async send(chunks: Parameters<typeof chunkTree>[0]): Promise<WrittenStream> {
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#request.signal, failed.signal]);
    const onProgress = (bytes: number) => this.#tell(bytes, 0);
    const sending = new Set<Promise<void>>();
    let written: WrittenStream | undefined;
    try {
      for await (const message of chunkTree(chunks, { signal, onProgress })) {
        if (message.kind === "written") written = message.written;
        else {
          const slot = await this.#slots.take(signal);
          const one = this.#sendBlob(message)
            .catch((error: unknown) => failed.abort(error))
            .finally(() => {
              slot[Symbol.dispose]();
              sending.delete(one);
            });
          sending.add(one);
        }
      }
    } catch (error) {
      throw failed.signal.aborted ? failed.signal.reason : error;
    } finally {
      await Promise.all(sending);
    }
    if (failed.signal.aborted) throw failed.signal.reason;
    if (!written) throw new Fault("internal", "the worker gave no stream");
    this.#tell(written.size, 0);
    return written;
  }

  async #sendBlob({ kind, path, digest, size }: SpooledBlob): Promise<void> {
    if (await this.#store.put({ digest, size }, path)) this.#tell(this.#read, size);
    if (kind === "pack") {
      await rename(`${path}.contents`, join(this.#request.journal, digestHex(digest)));
      crashPoint("backup:pack-stored");
    }
    await rm(path);
  }

  #tell(read: number, sent: number): void {
    this.#read = read;
    this.sent += sent;
    this.#request.onProgress({ read, sent: this.sent });
  }
}

/** Not every registry looks whether the blobs of a manifest are there. */
async function requirePacks(store: BackupStore, { packs }: WrittenStream): Promise<void> {
  await inParallel(packs, 8, async ({ digest }) => {
    if (await store.has(digest)) return;
    throw new Fault(
      "data_loss",
      `blob ${digest} was deleted while the backup was made; make it again`,
      { about: digest },
    );
  });
}

async function putDocuments(
  store: BackupStore,
  {
    tag,
    spool,
    config,
    written,
  }: {
    readonly tag: string;
    readonly spool: string;
    readonly config: BackupConfig;
    readonly written: WrittenStream;
  },
): Promise<{ readonly digest: Digest; readonly sent: number }> {
  const bytes = encodeConfig(config);
  const ref = { digest: sha256(bytes), size: bytes.length };
  const path = join(spool, "config");
  const manifest = encodeManifest({ config: ref, packs: written.packs }, config);
  await writeFile(path, bytes, { mode: 0o600 });
  const isSent = await store.put(ref, path);
  crashPoint("backup:blobs-stored");
  await store.putManifest(tag, manifest);
  crashPoint("backup:manifest-stored");
  return { digest: sha256(manifest), sent: manifest.length + (isSent ? bytes.length : 0) };
}
