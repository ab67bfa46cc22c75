import { Fault, isFault } from "#base";
import type { BackupKey } from "#chunk";
import { createBackupKey, openBackupKey } from "#layer";
import type { Parts } from "../parts.ts";
import type { KeyHolders, KeyOpener } from "./backup-contract.ts";
import type { StoredKey } from "./backup-table.ts";

/**
 * The name of the key for these holders at a place, which is made with the first backup. A key whose
 * passphrase was another is replaced, and shares nothing with earlier backups.
 */
export async function keyNameFor(
  { backupTable }: Parts<"backupTable">,
  destination: string,
  holders: KeyHolders,
): Promise<string> {
  const isPassphrase = "passphrase" in holders;
  const name = isPassphrase ? "passphrase" : [...new Set(holders.recipients)].sort().join(" ");
  const stored = backupTable.key(destination, name);
  if (stored && (!isPassphrase || (await opens(stored, holders.passphrase)))) return name;
  backupTable.keepKey(destination, name, await createBackupKey(holders));
  return name;
}

async function opens({ file }: StoredKey, passphrase: string): Promise<boolean> {
  try {
    await openBackupKey(file, { passphrase });
    return true;
  } catch (error) {
    if (isFault(error, "denied")) return false;
    throw error;
  }
}

/** Opens the key of a backup: one that this engine made, else by what the user gave. */
export async function openKeyOf(
  { backupTable }: Parts<"backupTable">,
  file: Uint8Array,
  opener: KeyOpener | undefined,
): Promise<BackupKey> {
  const stored = backupTable.keyIn(file);
  if (stored) return stored.key;
  if (opener) return await openBackupKey(file, opener);
  throw new Fault(
    "denied",
    "the backup is encrypted: give an identity of age (--identity) or the passphrase (--passphrase-file)",
  );
}
