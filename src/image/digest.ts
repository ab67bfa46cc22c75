import { createHash } from "node:crypto";
import { Fault } from "#base";

/** Algorithm and lower-case hexadecimal digits, as "sha256:…": the name of a blob by its bytes. */
export type Digest = string & { readonly __brand: "Digest" };
/** The digest of a layer's uncompressed tar, as a configuration lists it. */
export type DiffId = Digest & { readonly __diff: "DiffId" };
/** The name of a stack of layers, as image-spec config.md ("Layer ChainID") computes it. */
export type ChainId = Digest & { readonly __chain: "ChainId" };

/**
 * The algorithms that image-spec descriptor.md registers; thimble makes new digests with the first.
 */
export const digestAlgorithms = ["sha256", "sha512"] as const;
export type DigestAlgorithm = (typeof digestAlgorithms)[number];

const pattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/**
 * Whether the text is a whole digest: a registered algorithm, a colon, and 64 (sha256) or 128
 * (sha512) lower-case hexadecimal digits.
 */
export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** A digest from text; an algorithm that is not registered is `unsupported`, anything else is `invalid`. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const shown = text.length > 150 ? `${text.slice(0, 150)}...` : text;
  if (/^sha384:[0-9a-f]{96}$/.test(text)) {
    throw new Fault("unsupported", `digest ${shown}: only sha256 and sha512 are supported`, {
      about: shown,
    });
  }
  throw new Fault(
    "invalid",
    `"${shown}" is not a digest: "sha256:" and 64 lower-case hexadecimal digits are expected, or "sha512:" and 128`,
    { about: shown },
  );
}

/** As `parseDigest`, for the digest of an uncompressed layer. */
export function parseDiffId(text: string): DiffId {
  return parseDigest(text) as DiffId;
}

/** The part of a digest before the colon. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The 64 or 128 hexadecimal digits of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Where an OCI layout keeps a blob below "blobs/" (image-spec image-layout.md): "sha256/<hex>". */
export function digestPath(digest: Digest): string {
  return `${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** Computes the digest of bytes that come in pieces. */
export class Digester {
  readonly algorithm: DigestAlgorithm;
  readonly #hash;

  constructor(algorithm: DigestAlgorithm = "sha256") {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** Adds bytes, or a text as UTF-8; `digest` must not have been called. */
  update(bytes: Uint8Array | string): this {
    this.#hash.update(bytes);
    return this;
  }

  /** The digest of all bytes so far. Call it once: the hash is closed by it. */
  digest(): Digest {
    return `${this.algorithm}:${this.#hash.digest("hex")}` as Digest;
  }
}

/** The sha256 digest of bytes, or of a text as UTF-8. */
export function sha256(bytes: Uint8Array | string): Digest {
  return new Digester().update(bytes).digest();
}

/** The digest of bytes by the algorithm of another digest, to be compared with it. */
export function digestLike(other: Digest, bytes: Uint8Array | string): Digest {
  return new Digester(digestAlgorithm(other)).update(bytes).digest();
}

/**
 * Throws `data_loss`, with both digests, when content does not have the digest that was promised
 * for it; `what` names the content.
 */
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
 * id itself, each further one the sha256 of "<chain id below> <diff id>".
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
