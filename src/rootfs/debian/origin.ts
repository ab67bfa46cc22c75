import { access, readFile } from "node:fs/promises";
import { Fault } from "#base";
import { checksValidUntil, hostMirror } from "./host-mirror.ts";
import type { Repository } from "./repository.ts";

/** Where packages come from, and by whose keys. */
export interface Origin {
  /** The suite itself first. */
  readonly repositories: readonly Repository[];
  readonly keyring: Keyring;
  readonly checkValidUntil: boolean;
}

export interface Keyring {
  /** For messages: the file. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Debian's own, which its package debian-archive-keyring brings into the image too. */
  readonly debian: boolean;
}

const debianKeyrings = [
  "/usr/share/keyrings/debian-archive-keyring.gpg",
  "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/**
 * A mirror that was named gives the suite and nothing else, as with debootstrap and
 * mmdebstrap; the host's own also the suite's updates and, where the host has them,
 * its security fixes.
 */
export async function findOrigin(options: {
  readonly suite: string;
  readonly mirror?: string;
  readonly keyring?: string;
  readonly checkValidUntil?: boolean;
}): Promise<Origin> {
  const { suite } = options;
  const host = options.mirror === undefined ? await hostMirror() : undefined;
  const uri = (options.mirror ?? host?.mirror ?? "").replace(/\/+$/, "");
  if (!URL.canParse(uri) || !/^https?:$/.test(new URL(uri).protocol))
    throw new Fault("invalid", `the mirror ${JSON.stringify(uri)} is not an http or https URL`, {
      about: uri,
    });
  const repositories: Repository[] = [{ uri, suite, optional: false }];
  const rolling = /^(sid|unstable|experimental|rc-buggy)$/.test(suite) || suite.includes("/");
  if (host !== undefined && !rolling) {
    repositories.push({ uri, suite: `${suite}-updates`, optional: true });
    if (host.security !== undefined)
      repositories.push({ uri: host.security, suite: `${suite}-security`, optional: true });
  }
  return {
    repositories,
    keyring: await loadKeyring(options.keyring ?? host?.signedBy ?? (await debianKeyring())),
    checkValidUntil:
      options.checkValidUntil ?? host?.checkValidUntil ?? (await checksValidUntil("/etc/apt")),
  };
}

async function debianKeyring(): Promise<string> {
  for (const path of debianKeyrings)
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  return debianKeyrings[0] ?? "";
}

/** The keyring's bytes: a file's, or armoured keys as a source's Signed-By may hold them. */
async function loadKeyring(keyring: string): Promise<Keyring> {
  if (keyring.includes("-----BEGIN PGP"))
    return {
      name: "the Signed-By of the host's apt source",
      bytes: Buffer.from(keyring),
      debian: false,
    };
  try {
    return {
      name: keyring,
      bytes: await readFile(keyring),
      debian: keyring.includes("/debian-archive-"),
    };
  } catch (error) {
    throw new Fault(
      "not_found",
      `the keyring ${keyring} cannot be read (${error instanceof Error ? error.message : error}): it holds the keys that the mirror's signature is checked with; install debian-archive-keyring, or name one with --keyring=FILE`,
      { about: keyring, cause: error },
    );
  }
}
