import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import type { X509CertificateGenerator } from "@peculiar/x509";
import { provideReflectMetadata } from "./reflect-metadata.ts";

/** PEM of a certificate and of its private key (PKCS #8). */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

interface Validity {
  readonly from: Date;
  readonly days: number;
}

const dayMs = 86_400_000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
type Extensions = NonNullable<
  Parameters<(typeof X509CertificateGenerator)["create"]>[0]["extensions"]
>;

/** A certificate authority that may sign servers and nothing below it (RFC 5280). */
export async function issueAuthority(options: {
  readonly commonName: string;
  readonly validity: Validity;
}): Promise<CertificatePair> {
  const x509 = await loadX509();
  return await issue({
    subject: options.commonName,
    validity: options.validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  });
}

/** A certificate for a server that is reached by these host names and addresses (RFC 6125: only they count, not the subject). */
export async function issueServer(options: {
  readonly names: readonly string[];
  readonly validity: Validity;
  readonly authority: CertificatePair;
}): Promise<CertificatePair> {
  const x509 = await loadX509();
  const { names, validity, authority } = options;
  return await issue({
    subject: (names[0] ?? "server").slice(0, 64),
    validity,
    authority,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) ? "ip" : "dns", value: name }) as const),
      ),
    ],
  });
}

/** A certificate that shows a server who its client is. */
export async function issueClient(options: {
  readonly commonName: string;
  readonly validity: Validity;
  readonly authority: CertificatePair;
}): Promise<CertificatePair> {
  const x509 = await loadX509();
  return await issue({
    subject: options.commonName.slice(0, 64),
    validity: options.validity,
    authority: options.authority,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ],
  });
}

interface Issue {
  readonly subject: string;
  readonly validity: Validity;
  readonly extensions: Extensions;
  /** Absent: it signs itself. */
  readonly authority?: CertificatePair;
}

async function issue({
  subject,
  validity,
  extensions,
  authority,
}: Issue): Promise<CertificatePair> {
  const x509 = await loadX509();
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = await importPublic(pair.publicKey);
  const signer = authority ? new x509.X509Certificate(authority.cert) : undefined;
  const signingKey = await importPrivate(
    authority ? createPrivateKey(authority.key) : pair.privateKey,
  );
  const certificate = await x509.X509CertificateGenerator.create({
    // Positive and at most 20 bytes (RFC 5280, 4.1.2.2).
    serialNumber: `4${randomBytes(15).toString("hex")}0`,
    subject: [{ CN: [subject] }],
    issuer: signer?.subjectName ?? new x509.Name([{ CN: [subject] }]),
    notBefore: validity.from,
    notAfter: new Date(validity.from.getTime() + validity.days * dayMs),
    publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      ...extensions,
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer?.publicKey ?? publicKey),
    ],
  });
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: pair.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

async function loadX509() {
  provideReflectMetadata();
  return await import("@peculiar/x509");
}

async function importPublic(key: KeyObject) {
  const der = key.export({ type: "spki", format: "der" });
  return await crypto.subtle.importKey("spki", der, algorithm, true, ["verify"]);
}

async function importPrivate(key: KeyObject) {
  const der = key.export({ type: "pkcs8", format: "der" });
  return await crypto.subtle.importKey("pkcs8", der, algorithm, true, ["sign"]);
}
