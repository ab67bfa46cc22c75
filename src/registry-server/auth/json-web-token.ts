import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { Fault } from "#base";

/** Header and claims of a JSON Web Token (RFC 7519) whose signature, issuer, audience and times are right. */
export interface VerifiedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Asked for the key that a header names; undefined when no trusted key has that name. */
export type KeyFinder = (header: Readonly<Record<string, unknown>>) => KeyObject | undefined;

/** The claims that a token must have. */
export interface Expectation {
  readonly issuer: string;
  /** The name of the registry. */
  readonly service: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

const maxTokenLength = 64 << 10;
/** Clocks differ; docker-registry allows as much. */
const leewaySeconds = 60;
/** Those of public keys alone: with a secret's, whoever has the public key could sign. */
const algorithms = "ES256 ES384 ES512 RS256 RS384 RS512 PS256 PS384 PS512 EdDSA".split(" ");

// Loaded with the first token: it takes 30 ms, and most registries give out none.
const jose = () => import("jose");

/** A token signed with ES256; `key` is an EC key on P-256. */
export async function signToken(options: {
  readonly key: KeyObject;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}): Promise<string> {
  const { SignJWT } = await jose();
  const token = new SignJWT(options.claims);
  return await token.setProtectedHeader({ alg: "ES256", ...options.header }).sign(options.key);
}

/** Reads a token and judges it: signature by the key that `find` gives, issuer, audience, times. `unauthenticated` for whatever is not right. */
export async function verifyToken(
  token: string,
  find: KeyFinder,
  { issuer, service, now }: Expectation,
): Promise<VerifiedToken> {
  const refuse = (why: string, cause?: unknown) =>
    new Fault("unauthenticated", `the token is not accepted: ${why}`, { cause });
  if (token.length > maxTokenLength) {
    throw refuse(`it is longer than ${maxTokenLength} characters`);
  }
  const { jwtVerify } = await jose();
  const keyOf = async (header: object) => {
    const key = find({ ...header });
    if (key) return key;
    throw refuse("it is not signed by a key that is trusted here");
  };
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keyOf, {
      algorithms,
      issuer,
      audience: service,
      clockTolerance: leewaySeconds,
      currentDate: new Date(now * 1000),
    });
    return { header: { ...protectedHeader }, claims: payload };
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw refuse(reasonOf(error), error);
  }
}

/** In our words what jose refuses; it has no class for a key that does not fit the algorithm. */
function reasonOf(error: unknown): string {
  const { code, claim } = error as { readonly code?: unknown; readonly claim?: unknown };
  switch (code) {
    case "ERR_JWT_EXPIRED":
      return "it has expired";
    case "ERR_JWT_CLAIM_VALIDATION_FAILED":
      return `its claim "${String(claim)}" does not fit this registry`;
    case "ERR_JWS_SIGNATURE_VERIFICATION_FAILED":
      return "its signature is wrong";
    case "ERR_JOSE_ALG_NOT_ALLOWED":
      return "its algorithm is not supported";
    case "ERR_JOSE_NOT_SUPPORTED":
      return "it needs an extension";
    case "ERR_JWS_INVALID":
    case "ERR_JWT_INVALID":
      return "it is malformed";
    default:
      return "its algorithm does not fit its key";
  }
}

/**
 * How docker-registry names a key in a token's "kid" (libtrust): of the SHA-256 of the
 * public key's DER form the first 240 bits in base32, in groups of four.
 */
export function keyId(key: KeyObject): string {
  const der = (key.type === "private" ? createPublicKey(key) : key).export({
    type: "spki",
    format: "der",
  });
  const bits = createHash("sha256").update(der).digest().subarray(0, 30);
  return (base32(bits).match(/.{4}/g) ?? []).join(":");
}

function base32(bytes: Uint8Array): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  let bits = 0;
  let value = 0;
  let text = "";
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += alphabet[(value >> (bits - 5)) & 31];
  }
  return text;
}
