import { createHash } from "node:crypto";
import { Fault } from "#base";

/** "sha256:" and 64 lower-case hexadecimal digits: the name of a blob by its bytes. */
export type Digest = string & { readonly __brand: "Digest" };
/** The digest of a layer's uncompressed tar, as a configuration lists it. */
export type DiffId = Digest & { readonly __diff: "DiffId" };
/** The name of a stack of layers, as image-spec config.md ("Layer ChainID") computes it. */
export type ChainId = Digest & { readonly __chain: "ChainId" };

const pattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** A digest from text; sha512 and other algorithms are `unsupported`, anything else is `invalid`. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const shown = text.length > 150 ? `${text.slice(0, 150)}...` : text;
  if (/^sha(384|512):[0-9a-f]{96,128}$/.test(text)) {
    throw new Fault("unsupported", `digest ${shown}: only sha256 is supported`, { about: shown });
  }
  throw new Fault(
    "invalid",
    `"${shown}" is not a digest: "sha256:" and 64 lower-case hexadecimal digits are expected`,
    { about: shown },
  );
}

export function parseDiffId(text: string): DiffId {
  return parseDigest(text) as DiffId;
}

/** The 64 hexadecimal digits of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice("sha256:".length);
}

export function sha256(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

/** Refuses content whose digest is not the promised one, naming both: `data_loss`. */
export function requireDigest(what: string, expected: Digest, actual: Digest): void {
  if (expected === actual) return;
  throw new Fault(
    "data_loss",
    `${what} does not match its digest: expected ${expected}, got ${actual}; it was damaged or tampered with, fetch it again`,
    { about: expected },
  );
}

/**
 * The chain id of each prefix of a stack, lowest layer first: the first is the diff
 * id itself, each further one the digest of "<chain id below> <diff id>".
 */
export function chainIds(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  let below: string | undefined;
  for (const diffId of diffIds) {
    below = below === undefined ? diffId : sha256(`${below} ${diffId}`);
    chain.push(below as ChainId);
  }
  return chain;
}
