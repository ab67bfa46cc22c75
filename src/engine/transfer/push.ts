import { Fault, inParallel, isFault } from "#base";
import { type Content, changed, type StoredImage, type StoredLayer } from "#content";
import {
  canonicalName,
  canonicalString,
  type Descriptor,
  familiarName,
  familiarString,
  formatPlatform,
  type Manifest,
  mediaTypes,
  parsePlatform,
  parseReference,
  platformDistance,
  type Reference,
} from "#image";
import { type Compression, type CompressionChoice, parseCompression } from "#layer";
import type { Repository } from "#registry-client";
import type { Parts } from "../parts.ts";
import { publishTransfer } from "./pull.ts";
import { credentialSource } from "./registries.ts";
import type { PushRequest, TransferReport } from "./registry-contract.ts";
import { layerId, throttled } from "./transfer-layers.ts";

/**
 * Sends images to the registries in their names: layers first, side by side; blobs that the
 * registry has are not sent, and those that it has elsewhere are mounted; then the configuration,
 * and the manifest last, so that no name at the registry ever leads to something that is missing.
 */
export async function pushImage(
  parts: Parts<"content" | "registry" | "events" | "settings">,
  request: PushRequest,
  report: TransferReport,
  signal: AbortSignal,
): Promise<void> {
  const written = parseReference(request.reference);
  if (written.digest !== undefined) {
    throw new Fault("invalid", "cannot push a digest reference", { about: request.reference });
  }
  const { compression: asked } = request;
  const compression = asked === undefined ? undefined : parseCompression(asked);
  report({ kind: "pushing", repository: canonicalName(written) });
  const images = request.all ? taggedImages(parts, written) : [imageOf(parts, written)];
  const client = await parts.registry(credentialSource(written.domain, request.credentials));
  const repository = client.repository(written);
  for (const { reference, image } of images) {
    checkPlatform(image, reference, request.platform);
    await pushOne({ parts, repository, report, signal, compression }, reference, image);
  }
}

interface PushRun {
  readonly parts: Parts<"content" | "events" | "settings">;
  readonly repository: Repository;
  readonly report: TransferReport;
  readonly signal: AbortSignal;
  readonly compression: CompressionChoice | undefined;
}

interface NamedImage {
  readonly reference: Reference;
  readonly image: StoredImage;
}

/** All that has a tag of this repository, by the alphabet. */
function taggedImages(parts: Parts<"content">, written: Reference): readonly NamedImage[] {
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

function imageOf(parts: Parts<"content">, written: Reference): NamedImage {
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
  await using lease = parts.content.lease();
  // Another push may put compressed layers in their place, or the image be removed.
  for (const each of [image.digest, image.id, image.manifest.config.digest]) lease.holdBlob(each);
  for (const { blob } of image.layers) lease.holdBlob(blob.digest);
  const made = await parts.content.recompress(image, {
    choose: choiceFor(run, image),
    lease,
    onProgress: throttledProgress(report),
    signal,
  });
  const { manifest, digest } = made ?? image;
  await pushLayers(run, reference, layersOf(image, manifest));
  await repository.putBlob(manifest.config, blobSource(parts, manifest.config), { signal });
  const bytes = parts.content.readManifest(digest);
  const tag = reference.tag ?? "latest";
  await repository.putManifest(tag, bytes, manifest.mediaType, { signal });
  for (const layer of manifest.layers) {
    parts.content.noteSource(layer.digest, canonicalName(reference));
  }
  const { domain, path } = reference;
  const byDigest = { domain, path, digest };
  if (made) await parts.content.replaceManifest(image, made, { lease });
  parts.content.images.nameByDigest(byDigest);
  report({ kind: "pushed", tag, digest, size: bytes.length });
  publishTransfer(parts, "push", image, reference);
}

/**
 * Users pay for the bytes that a registry keeps, so plain layers (of `import`, `load`) do not stay
 * plain. An image that a registry had before keeps its digest, unless the user asks for another
 * form.
 */
function choiceFor({ parts, compression }: PushRun, { digests, manifest }: StoredImage) {
  const isDocker = manifest.mediaType === mediaTypes.dockerManifest;
  const usual: CompressionChoice = isDocker ? { format: "gzip" } : parts.content.compression;
  return (_: Descriptor, before: Compression): CompressionChoice | undefined => {
    if (compression) return changed(before, compression);
    return before === "none" && digests.length === 0 ? usual : undefined;
  };
}

function throttledProgress(report: TransferReport) {
  const limited = throttled(report);
  return ({ diffId, blob }: StoredLayer, current: number) =>
    limited({
      ...{ kind: "layer", id: layerId(diffId), step: "compressing" },
      ...{ current, total: blob.size },
    });
}

function blobSource(parts: Parts<"content">, { digest }: Pick<Descriptor, "digest">) {
  return (offset: number) => parts.content.read(digest, { offset });
}

interface PushedLayer {
  readonly id: string;
  readonly blob: Descriptor;
}

/** The uppermost first, as Docker shows them; one that stands there twice is sent once. */
function layersOf({ layers }: StoredImage, manifest: Manifest): readonly PushedLayer[] {
  const pushed = layers.map(({ diffId, blob }, index) => ({
    id: layerId(diffId),
    blob: manifest.layers[index] ?? blob,
  }));
  const byDigest = new Map(pushed.toReversed().map((layer) => [layer.blob.digest, layer]));
  return [...byDigest.values()];
}

async function pushLayers(
  run: PushRun,
  reference: Reference,
  layers: readonly PushedLayer[],
): Promise<void> {
  const report = throttled(run.report);
  const { maxUploads: parallel } = run.parts.settings.current;
  for (const { id } of layers) report({ kind: "layer", id, step: "preparing" });
  for (const { id } of layers.slice(parallel)) report({ kind: "layer", id, step: "waiting" });
  try {
    await inParallel(layers, parallel, async (layer, failed) => {
      const signal = AbortSignal.any([run.signal, failed]);
      signal.throwIfAborted();
      await pushLayer({ ...run, report, signal }, reference, layer);
    });
  } finally {
    run.signal.throwIfAborted();
  }
}

async function pushLayer(
  { parts, repository, report, signal }: PushRun,
  reference: Reference,
  { id, blob }: PushedLayer,
): Promise<void> {
  if (isForeign(blob)) return report({ kind: "layer", id, step: "foreign" });
  const total = blob.size;
  const mountFrom = mountSources(parts.content, blob, reference);
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

/** Repositories of the same registry that are known to have the blob. */
export function mountSources(
  content: Content,
  { digest }: Descriptor,
  { domain, path }: Reference,
): string[] {
  return content
    .sourcesOf(digest)
    .filter((source) => source.startsWith(`${domain}/`))
    .map((source) => source.slice(domain.length + 1))
    .filter((other) => other !== path);
}

/** Layers that may not be given on ("foreign", non-distributable) stay where their URLs are. */
function isForeign({ mediaType }: Descriptor): boolean {
  return /\.(foreign|nondistributable)\./.test(mediaType);
}
