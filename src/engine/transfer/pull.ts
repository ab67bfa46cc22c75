import { defined, Fault, isFault } from "#base";
import type { Content, StoredImage } from "#content";
import {
  canonicalString,
  type Descriptor,
  type Digest,
  familiarName,
  familiarString,
  formatPlatform,
  hostPlatform,
  isIndexType,
  isManifestType,
  type ManifestDocument,
  type Platform,
  parseIndex,
  parseManifest,
  parsePlatform,
  parseReference,
  platformDistance,
  type Reference,
  selectManifest,
  sha256,
  withDefaultTag,
} from "#image";
import type { Repository } from "#registry-client";
import type { Parts } from "../parts.ts";
import { credentialSource } from "./registries.ts";
import type { PullRequest, TransferReport } from "./registry-contract.ts";
import { layerReporter } from "./transfer-layers.ts";

/** An index in an index is rare and deeper ones are a trap. */
const maxNesting = 3;
/** The most that `pull --all-tags` fetches. */
const maxTags = 10_000;
/** Where signatures and other referrers of an image lie: the specification's tag schema, and cosign's. */
const referrersTag = /^sha(256|512)-[0-9a-f]{64}(\.[a-z]+)?$/;

/**
 * Fetches the image of a name. The policy is asked before anything is stored; then `content`
 * fetches the missing blobs and names the image in one step at the end, so that a pull that breaks
 * off leaves nothing under a name. An aborted signal ends it at once.
 */
export async function pullImage(
  parts: Parts<"content" | "registry" | "trust" | "events">,
  request: PullRequest,
  report: TransferReport,
  signal: AbortSignal,
): Promise<void> {
  const written = parseReference(request.reference);
  const wanted = request.platform === undefined ? undefined : parsePlatform(request.platform);
  const client = await parts.registry(credentialSource(written.domain, request.credentials));
  const repository = client.repository(written);
  const run = { parts, repository, wanted, report, signal };
  if (!request.all) {
    const reference = withDefaultTag(written);
    const pulled = await pullOne(run, reference);
    const name = familiarString(reference);
    report({ kind: "complete", name, isNew: pulled.isNew });
    warnOfPlatform(pulled.image, { name, wanted, report });
    return;
  }
  report({ kind: "complete", name: familiarName(written), isNew: await pullAll(run, written) });
}

/**
 * Fetches the image of a name for a platform. The tag of one that does not run on this machine stays
 * with the image that has it: that one is named by the digest of its manifest. `held` is
 * called before anybody could remove the image.
 */
export async function pullForPlatform(
  parts: Parts<"content" | "registry" | "trust" | "events">,
  request: PullRequest & { readonly platform: string },
  { held, signal }: { readonly held: (image: StoredImage) => void; readonly signal: AbortSignal },
): Promise<StoredImage> {
  const reference = withDefaultTag(parseReference(request.reference));
  const wanted = parsePlatform(request.platform);
  const client = await parts.registry(credentialSource(reference.domain, request.credentials));
  const repository = client.repository(reference);
  const isForeign = platformDistance(hostPlatform(), wanted) === undefined;
  const run = { parts, repository, wanted, isForeign, report: () => undefined, signal };
  const { image } = await pullOne(run, reference);
  held(image);
  return image;
}

/** Each tag that is an image; what else lies in the repository is told and left there. Whether one was new. */
async function pullAll(run: PullRun, name: Reference): Promise<boolean> {
  let isNew = false;
  let count = 0;
  let pulledTags = 0;
  let refusal: unknown;
  for await (const tag of tagsOf(run, name)) {
    if (++count > maxTags) {
      throw new Fault("exhausted", `${familiarName(name)} has more than ${maxTags} tags`);
    }
    if (referrersTag.test(tag)) continue;
    const reference = { ...name, tag };
    try {
      const pulled = await pullOne(run, reference);
      isNew ||= pulled.isNew;
      pulledTags += 1;
    } catch (error) {
      if (!isFault(error, "unsupported")) throw error;
      refusal = error;
      run.report({ kind: "skipped", name: familiarString(reference), reason: error.message });
    }
  }
  if (refusal !== undefined && pulledTags === 0) throw refusal;
  return isNew;
}

async function* tagsOf({ repository, signal }: PullRun, name: Reference): AsyncGenerator<string> {
  try {
    yield* repository.tags({ signal });
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    throw new Fault("not_found", cause.message, { about: familiarName(name), cause });
  }
}

interface PullRun {
  readonly parts: Parts<"content" | "trust" | "events">;
  readonly repository: Repository;
  readonly wanted: Platform | undefined;
  /** The image is for another machine, and takes no tag. */
  readonly isForeign?: boolean;
  readonly report: TransferReport;
  readonly signal: AbortSignal;
}

async function pullOne(
  run: PullRun,
  reference: Reference,
): Promise<{ readonly image: StoredImage; readonly isNew: boolean }> {
  const { parts, repository, wanted, report, signal } = run;
  const top = await topDocument(run, reference);
  const label = reference.digest === undefined ? (reference.tag ?? "") : familiarString(reference);
  report({ kind: "pulling", path: reference.path, label });
  const { chosen, digests } = await chooseManifest(repository, top, { wanted, signal });
  const storedAs = sha256(chosen.bytes);
  await parts.trust?.checkPull({ reference, digests, storedAs, repository, signal });
  const manifest = parseManifest(chosen.bytes, `manifest ${chosen.descriptor.digest}`);
  const before = imageNamed(parts.content, reference);
  const isHere = parts.content.images.has(manifest.config.digest);
  const onLayer = isHere ? undefined : layerReporter(manifest.layers, report);
  const { isForeign = false } = run;
  const { digest } = isForeign ? chosen.descriptor : top.descriptor;
  const byDigest: Reference = { domain: reference.domain, path: reference.path, digest };
  const isTagged = reference.digest === undefined && !isForeign;
  const { image } = await parts.content.pull({
    manifestBytes: chosen.bytes,
    references: isTagged ? [reference, byDigest] : [byDigest],
    source: repository,
    ...(chosen.bytes !== top.bytes && { index: top.bytes }),
    ...defined({ onLayer }),
    signal,
  });
  report({ kind: "pulled", digest: top.descriptor.digest });
  publishTransfer(parts, "pull", image, reference);
  return { image, isNew: before !== image.id };
}

/**
 * The manifest or index of the name at the registry; a `not_found` about the name itself when it
 * has none.
 */
async function topDocument(
  { repository, signal }: PullRun,
  reference: Reference,
): Promise<ManifestDocument> {
  try {
    return await repository.manifest(reference.digest ?? reference.tag ?? "latest", { signal });
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    const about = familiarString(reference);
    throw new Fault("not_found", cause.message, { about, cause });
  }
}

/** Where the manifests are that an index names. */
interface Manifests {
  manifest(digest: Digest, options: { readonly signal: AbortSignal }): Promise<ManifestDocument>;
}

/** The manifest itself, or the one of an index that serves the platform best; and the digests on the way to it. */
export async function chooseManifest(
  repository: Manifests,
  top: ManifestDocument,
  options: { readonly wanted: Platform | undefined; readonly signal: AbortSignal },
): Promise<{ readonly chosen: ManifestDocument; readonly digests: [Digest, ...Digest[]] }> {
  let document = top;
  const indexes: Digest[] = [];
  for (let depth = 0; isIndexType(document.descriptor.mediaType); depth++) {
    const { digest } = document.descriptor;
    if (depth === maxNesting) {
      throw new Fault("invalid", `the index ${top.descriptor.digest} is nested too deeply`);
    }
    const index = parseIndex(document.bytes, `index ${digest}`);
    indexes.unshift(digest);
    document = await repository.manifest(choose(index, options.wanted).digest, options);
  }
  if (!isManifestType(document.descriptor.mediaType)) {
    const { mediaType } = document.descriptor;
    throw new Fault(
      "unsupported",
      `cannot pull this: it is of type ${mediaType}, which is not an image`,
      { about: mediaType },
    );
  }
  return { chosen: document, digests: [document.descriptor.digest, ...indexes] };
}

function choose(index: ReturnType<typeof parseIndex>, wanted: Platform | undefined): Descriptor {
  try {
    return selectManifest(index, wanted);
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    const platform = formatPlatform(wanted ?? hostPlatform());
    throw new Fault(
      "not_found",
      `no matching manifest for ${platform} in the manifest list entries: ${cause.message}`,
      { about: platform, cause },
    );
  }
}

function imageNamed(content: Content, reference: Reference): Digest | undefined {
  try {
    return content.resolve(canonicalString(reference)).id;
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

/** A registry may have one image only, of another platform than was asked for: it is taken, and said. */
function warnOfPlatform(
  { config }: StoredImage,
  { name, wanted, report }: Pick<PullRun, "wanted" | "report"> & { readonly name: string },
): void {
  if (wanted === undefined || platformDistance(wanted, config) !== undefined) return;
  report({
    kind: "other-platform",
    name,
    offered: formatPlatform(config),
    wanted: formatPlatform(wanted),
  });
}

/** The event of a pull or push: about a name, with the labels of its image. */
export function publishTransfer(
  parts: Parts<"events">,
  action: "pull" | "push",
  image: StoredImage,
  reference: Reference,
): void {
  const labels = image.config.config?.Labels ?? {};
  const name = familiarName(reference);
  parts.events.publish("image", action, familiarString(reference), { ...labels, name });
}
