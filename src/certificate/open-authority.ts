import { hostname } from "node:os";
import { Fault } from "#base";
import { type CertificatePair, issueAuthority } from "./issue-certificate.ts";
import { type PairFiles, readPair, writePair } from "./pair-files.ts";
import { checkPair } from "./read-certificate.ts";

const authorityDays = 3650;
const dayMs = 86_400_000;

/**
 * The authority in `files`, made when both are missing, so that clients need to trust it once.
 * `invalid` when they are damaged, or when it ends within `days` of `now` (milliseconds since the
 * epoch), before what it is to sign: only the user may decide to make another one.
 */
export async function openAuthority(options: {
  readonly files: PairFiles;
  /** What it is for, as "registry". */
  readonly purpose: string;
  readonly now: number;
  readonly days: number;
}): Promise<CertificatePair> {
  const { files, purpose, now, days } = options;
  const about = files.cert;
  const { cert, key } = await readPair(files);
  // The key is written first: a crash leaves a key alone, never a certificate.
  if (cert !== undefined && key === undefined) {
    throw new Fault(
      "invalid",
      `the key of the certificate authority is missing (${files.key}): put it back, or remove ${files.cert} to have a new authority made`,
      { about: files.key },
    );
  }
  if (cert !== undefined && key !== undefined) {
    const certificate = checkPair({ cert, key }, about);
    const left = Date.parse(certificate.validTo) - now;
    if (certificate.ca && left > days * dayMs) return { cert, key };
    throw new Fault(
      "invalid",
      `the certificate authority ${about} ${certificate.ca ? `ends on ${certificate.validTo}, too soon to sign with` : "may not sign certificates"}: remove it and its key to have a new one made, and let clients trust that`,
      { about },
    );
  }
  const pair = await issueAuthority({
    commonName: `thimble ${purpose} CA of ${hostname()}`.slice(0, 64),
    validity: { from: new Date(now - 3_600_000), days: authorityDays },
  });
  await writePair(pair, files);
  return pair;
}
