import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { Fault } from "#base";

/** Header and claims of a JSON Web Token (RFC 7519) whose signature is right; the claims are not judged yet. */
export interface VerifiedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Asked for the key that a header names; undefined: none that is trusted. */
export type KeyFinder = (header: Readonly<Record<string, unknown>>) => KeyObject | undefined;

const maxTokenLength = 64 << 10;

/** The algorithms (RFC 7518) that fit a key; one that does not fit its key is how signatures are forged. */
const algorithms: Readonly<
  Record<
    string,
    {
      readonly key: string;
      readonly hash: string | null;
      readonly curve?: string;
      readonly pss?: boolean;
    }
  >
> = {
  ES256: { key: "ec", hash: "sha256", curve: "prime256v1" },
  ES384: { key: "ec", hash: "sha384", curve: "secp384r1" },
  ES512: { key: "ec", hash: "sha512", curve: "secp521r1" },
  RS256: { key: "rsa", hash: "sha256" },
  RS384: { key: "rsa", hash: "sha384" },
  RS512: { key: "rsa", hash: "sha512" },
  PS256: { key: "rsa", hash: "sha256", pss: true },
  PS384: { key: "rsa", hash: "sha384", pss: true },
  PS512: { key: "rsa", hash: "sha512", pss: true },
  EdDSA: { key: "ed25519", hash: null },
};

const rsaPssPadding = 6;

/** A token signed with ES256; `key` is an EC key on P-256. */
export function signToken(options: {
  readonly key: KeyObject;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "ES256", ...options.header })}.${part(options.claims)}`;
  const signature = sign("sha256", Buffer.from(signed), {
    key: options.key,
    dsaEncoding: "ieee-p1363",
  });
  return `${signed}.${signature.toString("base64url")}`;
}

/** Reads a token and checks its signature by the key that `find` gives. `unauthenticated` for whatever is not right. */
export function verifyToken(token: string, find: KeyFinder): VerifiedToken {
  const refuse: (why: string) => never = (why) => {
    throw new Fault("unauthenticated", `the token is not accepted: ${why}`);
  };
  if (token.length > maxTokenLength) refuse(`it is longer than ${maxTokenLength} characters`);
  const parts = token.split(".");
  const [head = "", body = "", signature = ""] = parts;
  if (parts.length !== 3 || parts.some((part) => !/^[\w-]+$/.test(part))) refuse("it is malformed");
  const header = decodeObject(head) ?? refuse("its header is malformed");
  const claims = decodeObject(body) ?? refuse("its claims are malformed");
  const name = typeof header.alg === "string" ? header.alg : "";
  const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined;
  if (!algorithm) refuse("its algorithm is not supported");
  if (header.crit !== undefined) refuse("it needs an extension");
  const key = find(header) ?? refuse("it is not signed by a key that is trusted here");
  const fits =
    key.asymmetricKeyType === algorithm.key &&
    (algorithm.curve === undefined || key.asymmetricKeyDetails?.namedCurve === algorithm.curve);
  if (!fits) refuse("its algorithm does not fit its key");
  const right = verify(
    algorithm.hash,
    Buffer.from(`${head}.${body}`),
    {
      key,
      ...(algorithm.key === "ec" ? { dsaEncoding: "ieee-p1363" as const } : {}),
      ...(algorithm.pss ? { padding: rsaPssPadding, saltLength: -1 } : {}),
    },
    Buffer.from(signature, "base64url"),
  );
  return right ? { header, claims } : refuse("its signature is wrong");
}

function decodeObject(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
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
