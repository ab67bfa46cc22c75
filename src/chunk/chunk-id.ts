import { createHash, createHmac } from "node:crypto";

/** Bytes of a chunk's id. */
export const idBytes = 32;

/** Names bytes: by their SHA-256, or with a secret by an HMAC that tells nobody else what they are. */
export type Namer = (bytes: Uint8Array) => Buffer;

/** The namer of a backup. */
export function namerOf(secret: Uint8Array | undefined): Namer {
  if (!secret) return (bytes) => createHash("sha256").update(bytes).digest();
  const key = createHmac("sha256", secret).update("chunk id").digest();
  return (bytes) => createHmac("sha256", key).update(bytes).digest();
}
