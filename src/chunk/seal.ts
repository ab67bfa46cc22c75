import { createHash } from "node:crypto";
import { Fault } from "#base";

/**
 * The key of encrypted backups: an identity of age (age-encryption.org/v1, X25519) that belongs to a
 * volume's backups at one place. Their blobs are age files for it; it is in each backup, as an age
 * file for the recipients or the passphrase of the user.
 */
export interface BackupKey {
  /** "AGE-SECRET-KEY-1...". */
  readonly identity: string;
  /** "age1...". */
  readonly recipient: string;
}

/** Who may read backups: recipients of age ("age1..."), or whoever knows the passphrase. */
export type KeyHolders =
  | { readonly recipients: readonly string[] }
  | { readonly passphrase: string };

/** What a key is opened with: identities of age, or the passphrase. */
export type KeyOpener =
  | { readonly identities: readonly string[] }
  | { readonly passphrase: string };

/** Bytes of an age file that holds a key. */
export const maxKeyFile = 16 << 10;

/** A new key, and that key as an age file for its holders. `invalid` for what is no recipient. */
export async function createKey(
  holders: KeyHolders,
): Promise<{ readonly key: BackupKey; readonly file: Uint8Array }> {
  const age = await import("age-encryption");
  const encrypter = new age.Encrypter();
  if ("passphrase" in holders) encrypter.setPassphrase(holders.passphrase);
  else for (const each of holders.recipients) addRecipient(encrypter, each);
  const identity = await age.generateX25519Identity();
  const recipient = await age.identityToRecipient(identity);
  return { key: { identity, recipient }, file: await encrypter.encrypt(identity) };
}

function addRecipient(encrypter: { addRecipient(text: string): void }, text: string): void {
  try {
    encrypter.addRecipient(text);
  } catch (cause) {
    throw new Fault("invalid", `"${text}" is no recipient of age: "age1..." is expected`, {
      about: text,
      cause,
    });
  }
}

/** The key in an age file; `denied` when it is for others, `invalid` when it is no key. */
export async function openKey(file: Uint8Array, opener: KeyOpener): Promise<BackupKey> {
  const age = await import("age-encryption");
  const decrypter = new age.Decrypter();
  if ("passphrase" in opener) decrypter.addPassphrase(opener.passphrase);
  else for (const each of opener.identities) addIdentity(decrypter, each);
  let identity: string;
  try {
    identity = await decrypter.decrypt(file, "text");
  } catch (cause) {
    const given = "passphrase" in opener ? "the passphrase" : "the identities given";
    throw new Fault("denied", `the backup is encrypted, and not for ${given}`, { cause });
  }
  try {
    return { identity, recipient: await age.identityToRecipient(identity) };
  } catch (cause) {
    throw new Fault("invalid", "the backup's key is damaged", { cause });
  }
}

function addIdentity(decrypter: { addIdentity(text: string): void }, text: string): void {
  try {
    decrypter.addIdentity(text);
  } catch (cause) {
    throw new Fault(
      "invalid",
      'one of the identities is none of age: "AGE-SECRET-KEY-1..." is expected',
      { cause },
    );
  }
}

/** The secret by which chunks are named and cut. */
export function secretOf({ identity }: BackupKey): Buffer {
  return createHash("sha256").update(`thimble volume backup\n${identity}`).digest();
}

/** Bytes as an age file for the key. */
export async function seal(bytes: Uint8Array, key: BackupKey): Promise<Uint8Array> {
  const age = await import("age-encryption");
  const encrypter = new age.Encrypter();
  encrypter.addRecipient(key.recipient);
  return await encrypter.encrypt(bytes);
}

/** The bytes in an age file, or without a key as they are; `data_loss` when the file was altered or is for another key. */
export async function unseal(bytes: Uint8Array, key: BackupKey | undefined): Promise<Uint8Array> {
  if (!key) return bytes;
  const age = await import("age-encryption");
  const decrypter = new age.Decrypter();
  decrypter.addIdentity(key.identity);
  try {
    return await decrypter.decrypt(bytes);
  } catch (cause) {
    throw new Fault("data_loss", "a blob of the backup cannot be decrypted with its key", {
      cause,
    });
  }
}
