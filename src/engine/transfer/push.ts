import { Fault, isFault } from "#base";
import type { StoredImage } from "#content";
import {
  canonicalName,
  canonicalString,
  type Descriptor,
  familiarName,
  familiarString,
  formatPlatform,
  parsePlatform,
  parseReference,
  platformDistance,
  type Reference,
} from "#image";
import type { Repository } from "#registry-client";
import type { TransferParts } from "./parts.ts";
import { publishTransfer } from "./pull.ts";
import { credentialSource } from "./registries.ts";
import type { PushRequest, TransferReport } from "./registry-contract.ts";
import { layerId, throttled } from "./transfer-layers.ts";

/** Layers that travel at once, as in Docker. */
const parallel = 5;

/**
 * Sends images to where their names say: layers first, side by side, what the registry
 * has is not sent and what it has elsewhere is mounted; then the configuration, and the
 * manifest last, so that no name at the registry ever leads to what is not there.
 */
export async function pushImage(
  parts: TransferParts,
  request: PushRequest,
  report: TransferReport,
  signal: AbortSignal,
): Promise<void> {
  const written = parseReference(request.reference);
  if (written.digest !== undefined) {
    throw new Fault("invalid", "cannot push a digest reference", { about: request.reference });
  }
  report({ kind: "pushing", repository: canonicalName(written) });
  const images = request.all ? taggedImages(parts, written) : [imageOf(parts, written)];
  const client = await parts.registry(credentialSource(written.domain, request.credentials));
  const repository = client.repository(written);
  for (const { reference, image } of images) {
    checkPlatform(image, reference, request.platform);
    await pushOne({ parts, repository, report, signal }, reference, image);
  }
}

interface PushRun {
  readonly parts: TransferParts;
  readonly repository: Repository;
  readonly report: TransferReport;
  readonly signal: AbortSignal;
}

interface NamedImage {
  readonly reference: Reference;
  readonly image: StoredImage;
}

/** All that has a tag of this repository, by the alphabet. */
function taggedImages(parts: TransferParts, written: Reference): readonly NamedImage[] {
  const repository = canonicalName(written);
  const found = parts.content.images
    .list()
    .flatMap((image) => image.tags)
    .map(parseReference)
    .filter((reference) => canonicalName(reference) === repository)
    .toSorted((a, b) => ((a.tag ?? "") < (b.tag ?? "") ? -1 : 1))
    // By its name again: one configuration may stand in several manifests.
    .map((reference) => ({ reference, image: parts.content.resolve(canonicalString(reference)) }));
  if (found.length === 0) throw noImage(written);
  return found;
}

function imageOf(parts: TransferParts, written: Reference): NamedImage {
  const reference = { ...written, tag: written.tag ?? "latest" };
  try {
    return { reference, image: parts.content.resolve(canonicalString(reference)) };
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    const repository = familiarName(written);
    const isKnown = parts.content.images
      .list()
      .some(({ tags }) => tags.some((tag) => familiarName(parseReference(tag)) === repository));
    if (!isKnown) throw noImage(written);
    const name = familiarString(reference);
    throw new Fault("not_found", `tag does not exist: ${name}`, { about: name, cause });
  }
}

function noImage(reference: Reference): Fault {
  const name = familiarName(reference);
  return new Fault("not_found", `An image does not exist locally with the tag: ${name}`, {
    about: name,
  });
}

function checkPlatform(
  { config }: StoredImage,
  reference: Reference,
  wanted: string | undefined,
): void {
  if (wanted === undefined) return;
  const platform = parsePlatform(wanted);
  if (platformDistance(platform, config) === 0) return;
  const name = familiarString(reference);
  throw new Fault(
    "not_found",
    `image with reference ${name} was found but its platform (${formatPlatform(config)}) does not match the specified platform (${formatPlatform(platform)})`,
    { about: name },
  );
}

async function pushOne(run: PushRun, reference: Reference, image: StoredImage): Promise<void> {
  const { parts, repository, report, signal } = run;
  const { manifest, digest } = image;
  await pushLayers(run, reference, image);
  await repository.putBlob(manifest.config, blobSource(parts, manifest.config), { signal });
  const bytes = parts.content.readManifest(digest);
  const tag = reference.tag ?? "latest";
  await repository.putManifest(tag, bytes, manifest.mediaType, { signal });
  for (const layer of manifest.layers) {
    parts.content.noteSource(layer.digest, canonicalName(reference));
  }
  const { domain, path } = reference;
  parts.content.images.nameByDigest({ domain, path, digest });
  report({ kind: "pushed", tag, digest, size: bytes.length });
  publishTransfer(parts, "push", image, reference);
}

function blobSource(parts: TransferParts, { digest }: Pick<Descriptor, "digest">) {
  return (offset: number) => parts.content.read(digest, { offset });
}

interface PushedLayer {
  readonly id: string;
  readonly blob: Descriptor;
}

/** The uppermost first, as Docker shows them; one that stands there twice is sent once. */
function layersOf({ layers }: StoredImage): readonly PushedLayer[] {
  const byDigest = new Map(
    layers.toReversed().map(({ diffId, blob }) => [blob.digest, { id: layerId(diffId), blob }]),
  );
  return [...byDigest.values()];
}

async function pushLayers(run: PushRun, reference: Reference, image: StoredImage): Promise<void> {
  const report = throttled(run.report);
  const layers = layersOf(image);
  for (const { id } of layers) report({ kind: "layer", id, step: "preparing" });
  for (const { id } of layers.slice(parallel)) report({ kind: "layer", id, step: "waiting" });
  const queue = [...layers];
  // The first failure ends the others.
  const failed = new AbortController();
  const signal = AbortSignal.any([run.signal, failed.signal]);
  const worker = async () => {
    for (let layer = queue.shift(); layer; layer = queue.shift()) {
      signal.throwIfAborted();
      await pushLayer({ ...run, report, signal }, reference, layer);
    }
  };
  const workers = Array.from({ length: Math.min(parallel, layers.length) }, worker).map((each) =>
    each.catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  const results = await Promise.allSettled(workers);
  run.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function pushLayer(
  { parts, repository, report, signal }: PushRun,
  reference: Reference,
  { id, blob }: PushedLayer,
): Promise<void> {
  if (isForeign(blob)) return report({ kind: "layer", id, step: "foreign" });
  const total = blob.size;
  const mountFrom = parts.content
    .sourcesOf(blob.digest)
    .filter((source) => source.startsWith(`${reference.domain}/`))
    .map((source) => source.slice(reference.domain.length + 1))
    .filter((path) => path !== reference.path);
  const result = await repository.putBlob(blob, blobSource(parts, blob), {
    mountFrom,
    onProgress: (current) => report({ kind: "layer", id, step: "pushing", current, total }),
    signal,
  });
  if (result === "existed") return report({ kind: "layer", id, step: "exists" });
  if (result === "uploaded") return report({ kind: "layer", id, step: "pushed" });
  const [from = ""] = mountFrom;
  report({ kind: "layer", id, step: "mounted", from });
}

/** Layers that may not be given on ("foreign", non-distributable) stay where their URLs are. */
function isForeign({ mediaType }: Descriptor): boolean {
  return /\.(foreign|nondistributable)\./.test(mediaType);
}
