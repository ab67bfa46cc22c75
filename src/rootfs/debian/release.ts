import { defined, Fault } from "#base";
import { parseControl } from "./control.ts";

/** A repository's statement about one suite (the signed text of its InRelease). */
export interface Release {
  readonly suite: string;
  readonly codename: string;
  readonly date: Date;
  readonly validUntil?: Date;
  readonly components: readonly string[];
  readonly architectures: readonly string[];
  readonly byHash: boolean;
  /** Packages of architecture `all` are listed in an index of their own. */
  readonly separateAll: boolean;
  /** Index files by path below the suite, as "main/binary-amd64/Packages.xz". */
  readonly files: ReadonlyMap<string, { readonly sha256: string; readonly size: number }>;
}

/** Reads the fields of a Release file (its signature has been checked before); an `invalid` Fault says which one is amiss. */
export function parseRelease(text: string, about: string): Release {
  const fields = parseControl(text, about)[0] ?? new Map<string, string>();
  const words = (name: string) => (fields.get(name) ?? "").split(/\s+/).filter(Boolean);
  const time = (name: string) => {
    const value = fields.get(name);
    if (value === undefined) return undefined;
    const date = new Date(value);
    if (Number.isNaN(date.getTime()))
      throw new Fault("invalid", `${about}: ${name} is not a date: ${value}`, { about });
    return date;
  };
  const date = time("date");
  if (date === undefined) throw new Fault("invalid", `${about} has no Date field`, { about });
  const validUntil = time("valid-until");
  const withoutAll = words("no-support-for-architecture-all").includes("Packages");
  return {
    suite: fields.get("suite") ?? "",
    codename: fields.get("codename") ?? "",
    date,
    ...defined({ validUntil }),
    components: words("components"),
    architectures: words("architectures"),
    byHash: fields.get("acquire-by-hash") === "yes",
    separateAll: words("architectures").includes("all") && !withoutAll,
    files: parseHashes(fields.get("sha256"), about),
  };
}

function parseHashes(field: string | undefined, about: string): Release["files"] {
  if (field === undefined)
    throw new Fault(
      "unsupported",
      `${about} lists no SHA256 sums; older ones are not trusted any more`,
      { about },
    );
  const files = new Map<string, { sha256: string; size: number }>();
  for (const line of field.split("\n")) {
    const match = /^([0-9a-f]{64})\s+(\d{1,12})\s+(\S+)$/.exec(line.trim());
    const [, sha256, size, path] = match ?? [];
    if (sha256 !== undefined && path !== undefined) files.set(path, { sha256, size: Number(size) });
  }
  return files;
}

/**
 * Refuses an index of another suite, and one that has expired, as a replayed or mixed-up mirror
 * would send them.
 */
export function checkRelease(
  release: Release,
  expected: {
    readonly suite: string;
    readonly about: string;
    readonly now: Date;
    readonly checkValidUntil: boolean;
  },
): void {
  const { suite, about, now } = expected;
  const names = [release.suite, release.codename].filter(Boolean);
  // A security archive of before bullseye calls "buster/updates" just "buster".
  if (!names.includes(suite) && !names.includes(suite.replace(/\/.*$/, "")))
    throw new Fault(
      "invalid",
      `${about} is of suite ${names.join(", ")}, not ${suite}: the mirror has mixed up its suites, or another host answers in its place`,
      { about },
    );
  if (expected.checkValidUntil && release.validUntil !== undefined && release.validUntil < now)
    throw new Fault(
      "unavailable",
      `${about} expired at ${release.validUntil.toISOString()}: the mirror is out of date, or this machine's clock (${now.toISOString()}) is wrong; take another --mirror, or set Acquire::Check-Valid-Until "false" in /etc/apt/apt.conf.d to accept it`,
      { about },
    );
}
