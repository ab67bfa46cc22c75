import { X509Certificate } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { type Clock, Fault, systemClock } from "#base";
import { type CertificatePair, issueAuthority, issueServer } from "./issue-certificate.ts";
import { checkPair } from "./read-certificate.ts";

export interface OwnCertificate extends CertificatePair {
  /** The file of the authority's certificate, which clients are to trust. */
  readonly authorityFile: string;
  /** Whom the certificate is for: host names and addresses. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

const authorityDays = 3650;
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
  const authority = await openAuthority(directory, now);
  const kept = await readPair(directory, "server");
  const usable = kept && isUsable({ pair: kept, names, authority, now }) ? kept : undefined;
  const pair =
    usable ??
    (await issueServer({
      names,
      authority,
      // An hour back: clocks differ.
      validity: { from: new Date(now - 3_600_000), days: serverDays },
    }));
  if (!usable) await writePair(directory, "server", pair);
  return {
    ...pair,
    authorityFile: join(directory, "ca.crt"),
    names,
    expires: Date.parse(new X509Certificate(pair.cert).validTo),
  };
}

async function openAuthority(directory: string, now: number): Promise<CertificatePair> {
  const kept = await readPair(directory, "ca");
  if (kept) {
    const about = join(directory, "ca.crt");
    const certificate = checkPair(kept, about);
    const left = Date.parse(certificate.validTo) - now;
    if (certificate.ca && left > serverDays * dayMs) return kept;
    throw new Fault(
      "invalid",
      `the certificate authority ${about} ${certificate.ca ? `ends on ${certificate.validTo}, too soon to sign with` : "may not sign certificates"}: remove it and its key to have a new one made, and let clients trust that`,
      { about },
    );
  }
  const pair = await issueAuthority({
    commonName: `thimble registry CA of ${hostname()}`.slice(0, 64),
    validity: { from: new Date(now - 3_600_000), days: authorityDays },
  });
  await writePair(directory, "ca", pair);
  return pair;
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

/** Undefined when neither file is there; one without the other is `invalid` for the authority and nothing for a server. */
async function readPair(
  directory: string,
  name: "ca" | "server",
): Promise<CertificatePair | undefined> {
  const read = (extension: string) =>
    readFile(join(directory, `${name}.${extension}`), "utf8").catch((error) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    });
  const [cert, key] = [await read("crt"), await read("key")];
  if (cert !== undefined && key !== undefined) return { cert, key };
  // The key is written first: a crash leaves a key alone, never a certificate.
  if (cert === undefined || name === "server") return undefined;
  const about = join(directory, "ca.key");
  throw new Fault(
    "invalid",
    `the key of the certificate authority is missing (${about}): put it back, or remove ca.crt to have a new authority made`,
    { about },
  );
}

async function writePair(directory: string, name: string, pair: CertificatePair): Promise<void> {
  await writeWhole(join(directory, `${name}.key`), pair.key, 0o600);
  await writeWhole(join(directory, `${name}.crt`), pair.cert, 0o644);
}

async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", mode);
  try {
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** Under which names a server that listens on `host` is reached: that, this machine's name and addresses where it listens on all, and the loopback. */
export function namesFor(host: string): string[] {
  const loopback = ["localhost", "127.0.0.1", "::1"];
  if (host !== "0.0.0.0" && host !== "::" && host !== "") return [...new Set([host, ...loopback])];
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family, internal }) => !internal && (family === "IPv4" || host !== "0.0.0.0"))
    .map(({ address }) => address)
    .filter((address) => !address.includes("%") && !address.startsWith("fe80:"));
  const own = hostname().toLowerCase();
  const name = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(own) ? [own] : [];
  return [...new Set([...name, ...loopback, ...addresses])];
}
