import { Fault } from "#base";
import type { BlobRef } from "#chunk";
import { requireDigest, sha256 } from "#image";
import type { BackupStore } from "./backup-store.ts";
import { type BackupConfig, parseConfig } from "./document.ts";

/** A backup's configuration, checked against its digest. */
export async function readConfig(store: BackupStore, ref: BlobRef): Promise<BackupConfig> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of store.read(ref)) {
    size += bytes.length;
    if (size > ref.size)
      throw new Fault("data_loss", "the backup's configuration is longer than it was");
    parts.push(bytes);
  }
  const bytes = Buffer.concat(parts);
  requireDigest("the backup's configuration", ref.digest, sha256(bytes));
  return parseConfig(bytes);
}
