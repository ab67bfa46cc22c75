import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { Fault } from "#base";
import { type KeyFinder, keyId } from "./json-web-token.ts";

const maxChain = 6;
const maxKeys = 100;

/**
 * Finds the key of a token among those that are trusted: PEM text of certificates and
 * public keys, as docker-registry's "rootcertbundle". A token names its key by "kid" (the
 * key id of libtrust) or brings a chain of certificates ("x5c", RFC 7515 section 4.1.6)
 * that ends at one of the certificates. With a single key a token need not name it.
 * `invalid` when the text holds neither.
 */
export function trustedKeys(pem: string, about: string): KeyFinder {
  const roots: X509Certificate[] = [];
  const keys = new Map<string, KeyObject>();
  const blocks = pem.match(/-----BEGIN ([A-Z ]+)-----[\s\S]*?-----END \1-----/g) ?? [];
  if (blocks.length > maxKeys)
    throw new Fault("invalid", `${about} holds more than ${maxKeys} keys`);
  for (const block of blocks) {
    if (/^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(block)) {
      throw new Fault(
        "invalid",
        `${about} holds a private key; give the certificate or public key`,
        {
          about,
        },
      );
    }
    try {
      const isCertificate = block.startsWith("-----BEGIN CERTIFICATE-----");
      const certificate = isCertificate ? new X509Certificate(block) : undefined;
      if (certificate) roots.push(certificate);
      const key = certificate?.publicKey ?? createPublicKey(block);
      keys.set(keyId(key), key);
    } catch (cause) {
      throw new Fault("invalid", `${about} holds a certificate or key that cannot be read`, {
        about,
        cause,
      });
    }
  }
  const [only] = keys.values();
  if (!only) {
    throw new Fault("invalid", `${about} holds no certificate or public key in PEM`, { about });
  }
  return (header) => {
    if (header.x5c !== undefined) return leafKey(header.x5c, roots);
    if (typeof header.kid === "string" && keys.has(header.kid)) return keys.get(header.kid);
    return keys.size === 1 ? only : undefined;
  };
}

/** The key of the first certificate when each is signed by the next and the last by a root. */
function leafKey(x5c: unknown, roots: readonly X509Certificate[]): KeyObject | undefined {
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.length > maxChain) return undefined;
  let chain: X509Certificate[];
  try {
    chain = x5c.map((text) => new X509Certificate(Buffer.from(String(text), "base64")));
  } catch {
    return undefined;
  }
  const now = Date.now();
  const inForce = (each: X509Certificate) =>
    Date.parse(each.validFrom) <= now && now <= Date.parse(each.validTo);
  if (!chain.every(inForce)) return undefined;
  for (const [index, certificate] of chain.entries()) {
    const isRoot = roots.some((root) => root.raw.equals(certificate.raw));
    if (isRoot) return chain[0]?.publicKey;
    const rooted = roots.some(
      (root) =>
        inForce(root) &&
        root.ca &&
        certificate.checkIssued(root) &&
        certificate.verify(root.publicKey),
    );
    if (rooted) return chain[0]?.publicKey;
    const issuer = chain[index + 1];
    if (!issuer?.ca || !certificate.checkIssued(issuer)) return undefined;
    if (!certificate.verify(issuer.publicKey)) return undefined;
  }
  return undefined;
}
