/**
 * Certificates for tests, made on the spot: an authority, and those that it issues for a name or an
 * address.
 */
import { isIP } from "node:net";
import type { X509Certificate } from "@peculiar/x509";
import { provideReflectMetadata } from "../../src/certificate/reflect-metadata.ts";

provideReflectMetadata();
const x509 = await import("@peculiar/x509");

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Issued {
  readonly certificate: X509Certificate;
  readonly keys: CryptoKeyPair;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const day = 86_400_000;
let serial = 0;

const validity = () => ({
  serialNumber: (++serial).toString(16).padStart(4, "0"),
  notBefore: new Date(Date.now() - day),
  notAfter: new Date(Date.now() + day),
  signingAlgorithm: algorithm,
});

function makeKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

async function pem({ privateKey }: CryptoKeyPair): Promise<string> {
  const bytes = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey));
  const lines = bytes.toString("base64").replaceAll(/(.{64})/g, "$1\n");
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}

export async function authority(): Promise<Authority> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: `CN=Test authority ${serial}`,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificate, keys, cert: certificate.toString("pem"), key: await pem(keys) };
}

export async function issue(by: Authority, host: string): Promise<Issued> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(),
    subject: `CN=${host}`,
    issuer: by.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: by.keys.privateKey,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: isIP(host) === 0 ? "dns" : "ip", value: host },
      ]),
    ],
  });
  return { cert: certificate.toString("pem"), key: await pem(keys) };
}
