import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scrypt,
} from "node:crypto";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { Fault } from "#base";
import { type JsonCursor, parseJson } from "#image";

/**
 * The format of cosign: PEM around JSON around a PKCS #8 key, sealed with a password (NaCl
 * secretbox, scrypt).
 */
const keyLabels = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];
/** As cosign has them today. */
const cost = { N: 65536, r: 8, p: 1 };
const maxKeyFile = 64 << 10;

/** A public key in PEM (SubjectPublicKeyInfo): ECDSA on P-256 or P-384, Ed25519, or RSA of at least 2048 bits. */
export function parsePublicKey(pem: string | Uint8Array, about: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(pem), format: "pem" });
  } catch (cause) {
    throw new Fault("invalid", `${about} holds no public key in PEM: ${messageOf(cause)}`, {
      about,
      cause,
    });
  }
  requireKnownKind(key, about);
  return key;
}

/** A private key as `cosign generate-key-pair` writes it, or an unencrypted PKCS #8 one. */
export async function readPrivateKey(
  pem: Uint8Array,
  about: string,
  password: () => Promise<string>,
): Promise<KeyObject> {
  if (pem.length > maxKeyFile) {
    throw new Fault("invalid", `${about} has ${pem.length} bytes and is not a key`, { about });
  }
  const text = Buffer.from(pem).toString("latin1");
  const label = keyLabels.find((each) => text.includes(`-----BEGIN ${each}-----`));
  try {
    const key =
      label === undefined
        ? createPrivateKey({ key: Buffer.from(pem), format: "pem" })
        : createPrivateKey({
            key: Buffer.from(await unseal(text, label, about, password)),
            format: "der",
            type: "pkcs8",
          });
    requireKnownKind(key, about);
    return key;
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault("invalid", `${about} holds no private key in PEM: ${messageOf(cause)}`, {
      about,
      cause,
    });
  }
}

/**
 * A new ECDSA P-256 pair, as cosign makes it: the private half sealed, the public half as it is.
 * `work` is scrypt's N.
 */
export async function createKeyPair(
  password: string,
  { work = cost.N }: { readonly work?: number } = {},
): Promise<{ readonly privateKey: string; readonly publicKey: string }> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const plain = privateKey.export({ format: "der", type: "pkcs8" });
  const salt = randomBytes(32);
  const nonce = randomBytes(24);
  const params = { ...cost, N: work };
  const sealed = xsalsa20poly1305(await derive(password, salt, params), nonce).encrypt(plain);
  const document = JSON.stringify({
    kdf: { name: "scrypt", params, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(sealed).toString("base64"),
  });
  const body = Buffer.from(document).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  const [label] = keyLabels;
  return {
    privateKey: `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`,
    publicKey: publicKey.export({ format: "pem", type: "spki" }).toString(),
  };
}

async function unseal(
  text: string,
  label: string,
  about: string,
  password: () => Promise<string>,
): Promise<Uint8Array> {
  const body = text.split(`-----BEGIN ${label}-----`)[1]?.split(`-----END ${label}-----`)[0] ?? "";
  const root = parseJson(about, Buffer.from(body, "base64"));
  const kdf = root.at("kdf");
  const cipher = root.at("cipher");
  if (kdf.at("name").string() !== "scrypt") kdf.at("name").fail('must be "scrypt"');
  if (cipher.at("name").string() !== "nacl/secretbox") {
    cipher.at("name").fail('must be "nacl/secretbox"');
  }
  const key = await derive(await password(), base64(kdf.at("salt")), parameters(kdf.at("params")));
  const nonce = base64(cipher.at("nonce"));
  if (nonce.length !== 24) cipher.at("nonce").fail("must have 24 bytes");
  const sealed = base64(root.at("ciphertext"));
  try {
    return xsalsa20poly1305(key, nonce).decrypt(sealed);
  } catch (cause) {
    throw new Fault("denied", `${about} does not open with this password`, { about, cause });
  }
}

/** The memory that a key file may ask for is bounded: 128 * N * r, at most 256 MiB. */
function parameters(cursor: JsonCursor): typeof cost {
  const found = {
    N: cursor.at("N").size(),
    r: cursor.at("r").size(),
    p: cursor.at("p").size(),
  };
  const isPower = found.N > 1 && (found.N & (found.N - 1)) === 0;
  if (!isPower || found.N > 1 << 18 || found.r !== 8 || found.p !== 1) {
    cursor.fail("asks for more work than a key needs");
  }
  return found;
}

function derive(password: string, salt: Uint8Array, params: typeof cost): Promise<Uint8Array> {
  const maxmem = 512 << 20;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, { ...params, maxmem }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function base64(cursor: JsonCursor): Buffer {
  return Buffer.from(cursor.string(maxKeyFile), "base64");
}

function requireKnownKind(key: KeyObject, about: string): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const isKnown =
    type === "ed25519" ||
    (type === "ec" && /^(prime256v1|P-256|secp384r1|P-384)$/.test(details?.namedCurve ?? "")) ||
    (type === "rsa" && (details?.modulusLength ?? 0) >= 2048);
  if (isKnown) return;
  throw new Fault(
    "unsupported",
    `${about} is a key of type ${type}; ECDSA on P-256 or P-384, Ed25519 and RSA of 2048 bits or more are supported`,
    { about },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
