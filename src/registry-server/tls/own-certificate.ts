import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "#base";
import {
  type CertificatePair,
  checkPair,
  issueServer,
  openAuthority,
  type PairFiles,
  readPair,
  writePair,
} from "#certificate";

export interface OwnCertificate extends CertificatePair {
  /** The file of the authority's certificate, which clients are to trust. */
  readonly authorityFile: string;
  /** Whom the certificate is for: host names and addresses. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

const serverDays = 730;
const dayMs = 86_400_000;
/** A server may run for this long without a start. */
const renewDays = serverDays / 2;

/**
 * A certificate for `names` by an authority of our own. Both are kept in `directory`
 * (ca.crt, ca.key, server.crt, server.key; the keys for the owner only): the authority is
 * made once, so that clients need to trust it once; the certificate is made anew when a
 * name is missing, when half of its time is over, or when its files are not whole.
 * `invalid` when the authority's files are damaged or about to expire: only the user may
 * decide to make another one.
 */
export async function openOwnCertificate(options: {
  readonly directory: string;
  readonly names: readonly string[];
  readonly clock?: Clock;
}): Promise<OwnCertificate> {
  const { directory, clock = systemClock } = options;
  const now = Number(clock.now() / 1_000_000n);
  const names = [...new Set(options.names.map((name) => name.toLowerCase()))];
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const files = { files: filesOf(directory, "ca"), purpose: "registry" };
  const authority = await openAuthority({ ...files, now, days: serverDays });
  const { cert = "", key = "" } = await readPair(filesOf(directory, "server"));
  const kept = { cert, key };
  const usable = isUsable({ pair: kept, names, authority, now }) ? kept : undefined;
  const pair =
    usable ??
    (await issueServer({
      names,
      authority,
      // An hour back: clocks differ.
      validity: { from: new Date(now - 3_600_000), days: serverDays },
    }));
  if (!usable) await writePair(pair, filesOf(directory, "server"));
  return {
    ...pair,
    authorityFile: join(directory, "ca.crt"),
    names,
    expires: Date.parse(new X509Certificate(pair.cert).validTo),
  };
}

interface Candidate {
  readonly pair: CertificatePair;
  readonly names: readonly string[];
  readonly authority: CertificatePair;
  readonly now: number;
}

function isUsable({ pair, names, authority, now }: Candidate): boolean {
  try {
    const certificate = checkPair(pair, "server.crt");
    const issuer = new X509Certificate(authority.cert);
    return (
      certificate.checkIssued(issuer) &&
      certificate.verify(issuer.publicKey) &&
      Date.parse(certificate.validTo) - now > renewDays * dayMs &&
      names.every((name) => certificate.checkHost(name) ?? certificate.checkIP(name))
    );
  } catch {
    return false;
  }
}

function filesOf(directory: string, name: "ca" | "server"): PairFiles {
  return { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) };
}
