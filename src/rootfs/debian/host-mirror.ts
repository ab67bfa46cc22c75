import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { defined, Fault } from "#base";
import {
  type AptSource,
  parseAptConf,
  parseDeb822Sources,
  parseOneLineSources,
} from "./apt-sources.ts";

/** Where a host gets Debian's packages from, by its own apt configuration. */
export interface HostMirror {
  /** The main archive, "http://mirror.example/debian". */
  readonly mirror: string;
  /** The archive of security updates, when the host uses one. */
  readonly security?: string;
  /** Path of the keyring, or armoured keys; absent: Debian's own keyring on the host. */
  readonly signedBy?: string;
  /** The setting of apt's Acquire::Check-Valid-Until, or of the source's own option. */
  readonly checkValidUntil: boolean;
}

/** Names under which Debian's main archive has been published; suggestions for a mistyped suite come from here too. */
export const debianSuites: readonly string[] = [
  ..."bookworm trixie sid stable testing unstable oldstable oldoldstable experimental".split(" "),
  ..."forky duke bullseye buster stretch jessie".split(" "),
];

/**
 * The mirror of the host's apt sources (`etc/apt` of `root`): of the entries for a
 * plain Debian suite the one that looks most like the main archive. Not found: a
 * Fault that says how to name one.
 */
export async function hostMirror(options: { readonly root?: string } = {}): Promise<HostMirror> {
  const directory = join(options.root ?? "/", "etc/apt");
  const sources = await readSources(directory);
  const best = sources
    .map((source) => ({ source, score: mainArchiveScore(source) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)[0]?.source;
  if (best === undefined) throw noMirror(directory, sources.length);
  const security = sources.find(
    (source) =>
      usable(source) &&
      source.suites.some((suite) => /^[a-z]+(-security|\/updates)$/.test(suite)) &&
      source.components.includes("main"),
  );
  return {
    mirror: best.uri,
    ...defined({ security: security?.uri }),
    ...keysOf(best.signedBy),
    checkValidUntil: best.checkValidUntil && (await checksValidUntil(directory)),
  };
}

/** Signed-By may also be a fingerprint, which picks from apt's own keys; then Debian's keyring has to do. */
function keysOf(signedBy: string | undefined): { readonly signedBy?: string } {
  if (signedBy?.includes("-----BEGIN PGP")) return { signedBy };
  const path = signedBy?.split(" ").find((word) => word.startsWith("/"));
  return defined({ signedBy: path });
}

const usable = (source: AptSource) => /^https?:\/\//.test(source.uri);

function mainArchiveScore(source: AptSource): number {
  if (!usable(source) || !source.suites.some((suite) => debianSuites.includes(suite))) return 0;
  let score = 1;
  if (source.components.includes("main")) score += 4;
  if (/\/debian$/.test(source.uri)) score += 2;
  if (source.signedBy?.includes("debian-archive")) score += 1;
  return score;
}

async function readSources(directory: string): Promise<AptSource[]> {
  const sources: AptSource[] = [];
  const list = await readText(join(directory, "sources.list"));
  if (list !== undefined)
    sources.push(...parseOneLineSources(list, join(directory, "sources.list")));
  for (const name of await listDirectory(join(directory, "sources.list.d"))) {
    const path = join(directory, "sources.list.d", name);
    const parse = name.endsWith(".sources")
      ? parseDeb822Sources
      : name.endsWith(".list")
        ? parseOneLineSources
        : undefined;
    const text = parse === undefined ? undefined : await readText(path);
    if (parse !== undefined && text !== undefined) sources.push(...parse(text, path));
  }
  return sources;
}

/** apt's Acquire::Check-Valid-Until, by the configuration below `directory` (etc/apt). */
export async function checksValidUntil(directory: string): Promise<boolean> {
  const parts = (await listDirectory(join(directory, "apt.conf.d"))).map((name) =>
    join(directory, "apt.conf.d", name),
  );
  let value = "true";
  for (const path of [...parts, join(directory, "apt.conf")]) {
    const text = await readText(path);
    if (text !== undefined) value = parseAptConf(text).get("acquire::check-valid-until") ?? value;
  }
  return !/^(no|false|without|off|disable|0)$/i.test(value);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw new Fault("denied", `${path} cannot be read: ${String(error)}`, {
      about: path,
      cause: error,
    });
  }
}

async function listDirectory(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

const isAbsent = (error: unknown) =>
  error instanceof Error &&
  "code" in error &&
  (error.code === "ENOENT" || error.code === "ENOTDIR");

function noMirror(directory: string, entries: number): Fault {
  const seen = entries === 0 ? "does not name a repository" : `does not name Debian's main archive`;
  return new Fault(
    "not_found",
    `no Debian mirror: ${directory} ${seen}; name one with --mirror=URL, as in --mirror=https://mirror.example/debian`,
    { about: directory },
  );
}
