import { Fault, isFault, retry } from "#base";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  encodeDocument,
  type Index,
  isConfigType,
  mediaTypes,
  parseIndex,
  parseManifest,
} from "#image";
import type { EndpointSession } from "./endpoint-session.ts";
import { listPages } from "./pages.ts";
import { hasStatus } from "./response-fault.ts";
import type { Backoff } from "./retry.ts";

const maxReferrers = 10_000;

export interface ReferrersQuery {
  readonly path: string;
  readonly about: string;
  readonly subject: Digest;
  readonly artifactType?: string | undefined;
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** The tag under which referrers are listed where the registry has no API for them (distribution-spec, "Referrers tag schema"): at most 64 characters of the digest. */
export function fallbackTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`;
}

/** By the referrers API; undefined when the registry does not have it. */
export async function listReferrers(
  session: EndpointSession,
  query: ReferrersQuery,
): Promise<Descriptor[] | undefined> {
  const found: Descriptor[] = [];
  const filter =
    query.artifactType === undefined
      ? ""
      : `?artifactType=${encodeURIComponent(query.artifactType)}`;
  try {
    const pages = listPages(session, {
      action: `list the referrers of ${query.about}@${query.subject}`,
      target: `/${query.path}/referrers/${query.subject}${filter}`,
      scopes: query.scopes,
      headers: [["Accept", mediaTypes.index]],
      signal: query.signal,
    });
    for await (const { document } of pages) {
      // An answer in another form is of a registry that has something else at this place.
      if (document.at("manifests").absent) return undefined;
      const index = parseIndex(
        encodeDocument(document.object()),
        `the referrers of ${query.subject}`,
      );
      found.push(...index.manifests);
      if (found.length > maxReferrers) {
        throw new Fault(
          "exhausted",
          `more than ${maxReferrers} manifests refer to ${query.subject}`,
        );
      }
    }
  } catch (error) {
    if (hasStatus(error, 400, 404, 405, 501)) return undefined;
    throw error;
  }
  return found;
}

/** Those with the artifact type; all when none is asked for. */
export function ofType(
  descriptors: readonly Descriptor[],
  artifactType: string | undefined,
): readonly Descriptor[] {
  if (artifactType === undefined) return descriptors;
  return descriptors.filter((each) => each.artifactType === artifactType);
}

/** How a manifest with a subject is listed: with its artifact type (or that of its configuration) and annotations. */
export function referrerEntry(
  bytes: Uint8Array,
  digest: Digest,
): { subject: Digest; entry: Descriptor } | undefined {
  const manifest = parseManifest(bytes, `manifest ${digest}`);
  if (!manifest.subject) return undefined;
  const { mediaType: configType } = manifest.config;
  const artifactType = manifest.artifactType ?? (isConfigType(configType) ? undefined : configType);
  return {
    subject: manifest.subject.digest,
    entry: {
      mediaType: manifest.mediaType,
      digest,
      size: bytes.byteLength,
      ...(artifactType ? { artifactType } : {}),
      ...(manifest.annotations ? { annotations: manifest.annotations } : {}),
    },
  };
}

/** Reading and writing the index under a fallback tag. */
export interface TaggedIndex {
  read(): Promise<Index | undefined>;
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * Puts an entry into the index of a fallback tag, or takes it out. Others may do the same
 * at the same time and there is no lock: it is read again afterwards, and done again
 * when another's change has swallowed ours.
 */
export async function updateFallback(
  tag: TaggedIndex,
  change: { readonly digest: Digest; readonly entry?: Descriptor },
  backoff: Backoff,
  signal?: AbortSignal,
): Promise<void> {
  const { digest, entry } = change;
  const isDone = (index: Index | undefined) =>
    (index?.manifests ?? []).some((each) => each.digest === digest) === (entry !== undefined);
  const swallowed = new Fault(
    "conflict",
    "other clients keep changing the referrers of the same image; try again",
  );
  let index = await tag.read();
  if (isDone(index)) return;
  const apply = async () => {
    const others = (index?.manifests ?? []).filter((each) => each.digest !== digest);
    const changed: Index = {
      ...index,
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: entry ? [...others, entry] : others,
    };
    await tag.write(encodeDocument(changed));
    index = await tag.read();
    if (!isDone(index)) throw swallowed;
  };
  await retry(apply, {
    backoff: { ...backoff, attempts: Math.max(backoff.attempts, 5) },
    isPassing: (error) => error === swallowed,
    signal,
  });
}

/** The entries of a tag's index; undefined when the tag is missing or is something else. */
export async function readFallback(
  fetch: () => Promise<{ readonly bytes: Buffer }>,
  about: string,
): Promise<Index | undefined> {
  try {
    return parseIndex((await fetch()).bytes, about);
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}
