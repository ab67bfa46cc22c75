import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Fault } from "#base";
import type { CertificatePair } from "./issue-certificate.ts";

/**
 * A user's own certificate (with the chain to its authority) and key, in PEM. `invalid` when they
 * cannot be read, do not belong together or have expired.
 */
export async function readCertificate(certFile: string, keyFile: string): Promise<CertificatePair> {
  const pair = { cert: await read(certFile), key: await read(keyFile) };
  const certificate = checkPair(pair, certFile);
  if (Date.parse(certificate.validTo) <= Date.now()) {
    throw new Fault("invalid", `the certificate ${certFile} expired on ${certificate.validTo}`, {
      about: certFile,
    });
  }
  return pair;
}

async function read(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause: Error) => {
    throw new Fault("invalid", `cannot read ${path}: ${cause.message}`, { about: path, cause });
  });
}

/** The certificate, when its key is the one beside it; otherwise `invalid`. */
export function checkPair({ cert, key }: CertificatePair, about: string): X509Certificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
    if (certificate.checkPrivateKey(createPrivateKey(key))) return certificate;
  } catch (cause) {
    throw new Fault("invalid", `${about} or its key is not PEM that can be read`, { about, cause });
  }
  throw new Fault("invalid", `${about} is not the certificate of the key beside it`, { about });
}
