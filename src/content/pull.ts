import { collect, defined, Fault, unlessAborted } from "#base";
import {
  canonicalName,
  type Descriptor,
  type Digest,
  digestLike,
  type ImageConfig,
  isConfigType,
  isLayerType,
  type Manifest,
  maxDocumentBytes,
  mediaTypes,
  parseImageConfig,
  parseManifest,
  type Reference,
  requireDigest,
  sha256,
} from "#image";
import { crashPoint } from "./crash-point.ts";
import type { BlobSource, LayerProgress } from "./layer-receiver.ts";
import { type ContentParts, keepConfig, requireLinux } from "./load.ts";
import type { StoredImage } from "./stored-image.ts";

/** An image to take in. */
export interface PullOptions {
  /** The manifest of one platform's image; its digest was verified by the caller. */
  readonly manifestBytes: Uint8Array;
  /** The names to give: with a tag, or with the digest of the manifest or of the index. */
  readonly references: readonly Reference[];
  readonly source: BlobSource;
  /** The index that the manifest was chosen from; kept with it. */
  readonly index?: Uint8Array | undefined;
  readonly onLayer?: ((layer: Descriptor, progress: LayerProgress) => void) | undefined;
  /** Also fetches foreign layers, which registries do not hold, from the addresses in their descriptors. */
  readonly allowForeign?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Media types that old registries gave configurations (github.com/docker/distribution/issues/1621). */
const oddConfigTypes = new Set(["", "application/octet-stream", "application/json", "text/html"]);

/**
 * Takes an image in: its configuration, then its layers, then, once all of it is stored, its names.
 * Blobs that are stored are not fetched, and a blob that two pulls need is fetched once. A pull
 * that fails or is cancelled leaves nothing.
 */
export async function pullImage(
  parts: ContentParts,
  options: PullOptions,
): Promise<{ readonly image: StoredImage; readonly isNew: boolean }> {
  const { manifestBytes, index, references, signal } = options;
  const digest = sha256(manifestBytes);
  const manifest = parseManifest(manifestBytes, `manifest ${digest}`);
  requireImage(manifest, digest);
  await using lease = parts.collector.lease();
  const companions = index ? [sha256(index)] : [];
  for (const each of [digest, manifest.config.digest, ...companions]) lease.holdBlob(each);
  const config = await fetchConfig(parts, manifest.config, options);
  const source = options.allowForeign === true ? options.source : ownLayersOnly(options.source);
  const { onLayer } = options;
  const size = await parts.layers.ensure({ manifest, config, lease, source, onLayer, signal });
  for (const bytes of index ? [manifestBytes, index] : [manifestBytes]) {
    await parts.blobs.put(bytes);
  }
  const id = await keepConfig(parts, manifest.config.digest, lease);
  crashPoint("pull:documents-stored");
  await parts.blobs.sync();
  const layers = [manifest.config, ...manifest.layers].map((each) => each.digest);
  for (const repository of new Set(references.map(canonicalName))) {
    parts.sources.note(layers, repository);
  }
  const stored = parts.images.put({ digest, id, manifest, size, companions }, references);
  crashPoint("pull:recorded");
  return stored;
}

/** An artifact (a signature, a chart, a list of parts) travels as a manifest too. */
function requireImage(manifest: Manifest, digest: Digest): void {
  const { artifactType } = manifest as { readonly artifactType?: unknown };
  const type = manifest.config.mediaType;
  const isImage =
    isConfigType(type) ||
    (oddConfigTypes.has(type) && manifest.mediaType === mediaTypes.dockerManifest);
  if (!isImage) {
    const kind = typeof artifactType === "string" && artifactType !== "" ? artifactType : type;
    throw new Fault(
      "unsupported",
      `${digest} is an artifact of type ${kind || "unknown"}, not an image; it cannot be run or stored as one`,
      { about: digest },
    );
  }
  const odd = manifest.layers.find(({ mediaType }) => !isLayerType(mediaType));
  if (odd) {
    throw new Fault(
      "unsupported",
      `layer ${odd.digest} of image ${digest} is of type ${odd.mediaType || "unknown"}, which is not a file system layer`,
      { about: odd.digest },
    );
  }
}

async function fetchConfig(
  { blobs, images }: ContentParts,
  descriptor: Descriptor,
  { source, signal }: PullOptions,
): Promise<ImageConfig> {
  const { digest, size } = descriptor;
  if (blobs.has(digest)) return requireLinux(images.readConfig(digest));
  if (size > maxDocumentBytes) {
    throw new Fault(
      "exhausted",
      `the image configuration ${digest} has ${size} bytes, more than ${maxDocumentBytes}`,
      { about: digest },
    );
  }
  const about = `the image configuration ${digest}`;
  const stream = source.blob(descriptor, defined({ signal }));
  const bytes = await unlessAborted(collect(stream, size, about), signal);
  requireDigest(about, digest, digestLike(digest, bytes));
  const config = requireLinux(parseImageConfig(bytes, about));
  await blobs.put(bytes, digest);
  return config;
}

/**
 * Layers with addresses of their own ("foreign", "nondistributable") are asked of the
 * registry alone: an image must not make the engine fetch from wherever it names.
 */
function ownLayersOnly(source: BlobSource): BlobSource {
  return {
    ...defined({ givesChunks: source.givesChunks }),
    blob: (descriptor, options) => {
      const { urls, ...own } = descriptor as Descriptor & { readonly urls?: readonly string[] };
      if (!urls || urls.length === 0) return source.blob(descriptor, options);
      return explained(source.blob(own, options), descriptor.digest, urls);
    },
  };
}

async function* explained(
  stream: AsyncIterable<Uint8Array>,
  digest: Digest,
  urls: readonly string[],
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* stream;
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "not_found") throw error;
    throw new Fault(
      "denied",
      `the registry does not hold layer ${digest}, which is to be fetched from ${urls[0]}; addresses of other servers are not followed unless that is allowed`,
      { about: digest, cause: error },
    );
  }
}
