import type { BackupKey, KeyHolders, KeyOpener } from "#chunk";
import type { ChunkMessage, ChunkRequest, KeepRequest, UnchunkRequest } from "./chunk-job.ts";
import { type LayerOptions, pool } from "./layers.ts";
import { streamOutput } from "./stream-output.ts";

/**
 * Cuts the archive of a directory (as `packTree` makes it, exact) into chunks, and gives the blobs
 * that are not stored yet in the order in which they are to be stored: packs as they fill, segments
 * at the end, then the whole stream. A few are spooled ahead. Leaving the loop early stops it.
 */
export async function* chunkTree(
  request: ChunkRequest,
  options: LayerOptions = {},
): AsyncGenerator<ChunkMessage, void> {
  for await (const message of streamOutput(pool, { job: "chunk", request }, options))
    yield JSON.parse(Buffer.from(message).toString()) as ChunkMessage;
}

/**
 * Unpacks an archive in chunks into an empty directory, as `unpackTree` does. Every chunk is checked:
 * `data_loss` when one, or the size, is another. After a Fault the files made so far stay, for the
 * directory's owner to remove.
 */
export async function unchunkTree(
  request: UnchunkRequest,
  options: LayerOptions = {},
): Promise<{ readonly entries: number }> {
  return await pool.run("unchunk", request, options);
}

/**
 * Keeps a blob in a new file, decrypted with the key. Another digest or fewer bytes are `data_loss`,
 * more bytes `exhausted`; there is no file then.
 */
export async function keepBlob(
  stream: AsyncIterable<Uint8Array>,
  request: Omit<KeepRequest, "source">,
  options: LayerOptions = {},
): Promise<void> {
  await pool.run("keep", { ...request, source: "stream" }, { ...options, input: stream });
}

/** `createKey` of the module `chunk`, in a worker: a passphrase takes a second of work. */
export async function createBackupKey(
  holders: KeyHolders,
): Promise<{ readonly key: BackupKey; readonly file: Uint8Array }> {
  return await pool.run("createKey", holders);
}

/** `openKey` of the module `chunk`, in a worker. */
export async function openBackupKey(file: Uint8Array, opener: KeyOpener): Promise<BackupKey> {
  return await pool.run("openKey", { file, opener });
}
