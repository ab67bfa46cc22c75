import { Fault, suggest } from "#base";
import type { DebianPool } from "../debian-pool.ts";
import type { Meter } from "../progress.ts";
import type { Downloader } from "./downloader.ts";
import { debianSuites } from "./host-mirror.ts";
import type { Keyring } from "./origin.ts";
import { checkRelease, parseRelease, type Release } from "./release.ts";

/** One suite of one archive, to install from. */
export interface Repository {
  /** "http://mirror.example/debian", without a trailing slash. */
  readonly uri: string;
  readonly suite: string;
  /** Whether it may be missing: some suites have no updates or security fixes. */
  readonly optional: boolean;
}

/** The means of talking to repositories. */
export interface Access {
  readonly downloader: Downloader;
  readonly pool: DebianPool;
  readonly keyring: Keyring;
  readonly checkValidUntil: boolean;
  readonly now: Date;
}

export interface OpenRepository extends Repository {
  readonly release: Release;
}

const maxRelease = 16 << 20;

/** Fetches and checks the InRelease file; undefined when an optional suite is not there. */
export async function openRepository(
  repository: Repository,
  access: Access,
): Promise<OpenRepository | undefined> {
  const { uri, suite } = repository;
  const about = `${uri}/dists/${suite}/InRelease`;
  const message = await access.downloader.document(about, maxRelease);
  if (message === undefined) {
    if (repository.optional) return undefined;
    throw unknownSuite(about, uri, suite);
  }
  const text = await access.pool.run("verify", {
    message,
    keyring: access.keyring.bytes,
    keyringName: access.keyring.name,
    about,
    now: access.now.getTime(),
  });
  const release = parseRelease(text, about);
  checkRelease(release, {
    suite,
    about,
    now: access.now,
    checkValidUntil: access.checkValidUntil,
  });
  return { ...repository, release };
}

function unknownSuite(about: string, uri: string, suite: string): Fault {
  const similar = suggest(suite, debianSuites);
  const hint = similar === undefined || similar === suite ? "" : `Did you mean ${similar}? `;
  return new Fault(
    "not_found",
    `${uri} has no suite ${suite} (${about}: HTTP 404). ${hint}Suites are named as in bookworm, trixie, sid or stable; --mirror=URL names another mirror`,
    { about: suite },
  );
}

/** A Packages file in the cache, its name as published. */
export interface Index {
  readonly path: string;
  readonly name: string;
}

/** Fetches the Packages files of `main` for an architecture. */
export async function fetchIndexes(
  { uri, suite, release }: OpenRepository,
  architecture: string,
  downloader: Downloader,
  meter: Meter,
): Promise<Index[]> {
  const places = [
    `main/binary-${architecture}`,
    ...(release.separateAll ? ["main/binary-all"] : []),
  ];
  const found = places.map((place) => ({ place, file: bestIndex(release, place) }));
  if (found[0]?.file === undefined)
    throw new Fault(
      "unsupported",
      `suite ${suite} at ${uri} has no packages for architecture ${architecture}; it has ${release.architectures.join(", ")}`,
      { about: suite },
    );
  return await Promise.all(
    found.flatMap(({ place, file }) => {
      if (file === undefined) return [];
      const base = `${uri}/dists/${suite}`;
      const urls = [
        ...(release.byHash ? [`${base}/${place}/by-hash/SHA256/${file.sha256}`] : []),
        `${base}/${file.name}`,
      ];
      const { sha256, size, name } = file;
      meter.expect(size);
      const target = { urls, sha256, size, onBytes: (count: number) => meter.add(count) };
      return [downloader.file(target).then((path) => ({ path, name }))];
    }),
  );
}

function bestIndex(release: Release, place: string) {
  for (const suffix of [".xz", ".gz", ""]) {
    const name = `${place}/Packages${suffix}`;
    const file = release.files.get(name);
    if (file !== undefined) return { ...file, name };
  }
  return undefined;
}
