import { Fault } from "#base";
import {
  type Descriptor,
  type DiffId,
  type Digest,
  encodeDocument,
  isAttestation,
  isLayerType,
  type JsonCursor,
  maxDocumentBytes,
  mediaTypes,
  parseDiffId,
  parseJson,
  readDescriptor,
  sha256,
} from "#image";

/** The member of an image's configuration that holds the records of an inline cache, in base64. */
const inlineMember = "moby.buildkit.cache.v0";
/** The annotation of a layer with the digest of its tar. */
const diffIdAnnotation = "containerd.io/uncompressed";

const maxEntries = 20_000;
const maxInputs = 1_000;
const maxImages = 64;

/** A layer as a cache names it. */
export interface CacheLayer {
  readonly diffId: DiffId;
  readonly blob: Descriptor;
}

/** What a step came to, by the key of `KeyMaker`. */
export interface StepResult {
  readonly key: string;
  /** The whole stack, lowest first. */
  readonly layers: readonly CacheLayer[];
  /** Whether the uppermost of them is the step's; otherwise it changed nothing. */
  readonly hasLayer: boolean;
}

/** The layers that steps add, by their keys; undefined for a step that adds none. */
export type CacheRecords = ReadonlyMap<string, CacheLayer | undefined>;

/** How a manifest is written. */
export interface CacheForm {
  /** An image's manifest instead of an index: some registries take nothing else. */
  readonly isImageManifest: boolean;
  /** OCI's media types, or else Docker's. */
  readonly isOci: boolean;
}

/** What stands under the name of a cache. */
export type CacheDocument =
  | { readonly kind: "cache"; readonly config: Descriptor; readonly layers: readonly Descriptor[] }
  /** An image, which may have an inline cache in its configuration. */
  | { readonly kind: "image"; readonly config: Descriptor; readonly layers: readonly Descriptor[] }
  /** The manifests of images for several platforms. */
  | { readonly kind: "images"; readonly manifests: readonly Descriptor[] };

/** Reads a manifest or index of a stranger; `invalid` and `exhausted` as of `parseJson`. */
export function parseCacheDocument(bytes: Uint8Array, about: string): CacheDocument {
  const root = parseJson(about, bytes);
  if (root.at("manifests").absent) {
    const config = readDescriptor(root.at("config"));
    const layers = root.at("layers").optional(readDescriptors) ?? [];
    return {
      kind: config.mediaType === mediaTypes.cacheConfig ? "cache" : "image",
      config,
      layers,
    };
  }
  const listed = readDescriptors(root.at("manifests"));
  const config = listed.find(({ mediaType }) => mediaType === mediaTypes.cacheConfig);
  if (config) return { kind: "cache", config, layers: listed.filter((each) => each !== config) };
  const manifests = listed.filter((each) => !isAttestation(each));
  if (manifests.length <= maxImages) return { kind: "images", manifests };
  return root.at("manifests").fail(`has more than ${maxImages} images`);
}

const readDescriptors = (cursor: JsonCursor) => cursor.list(maxEntries, readDescriptor);

/** The records of a cache, whose layers are those of its manifest. */
export function parseCacheConfig(
  bytes: Uint8Array,
  blobs: readonly Descriptor[],
  about: string,
): CacheRecords {
  const root = parseJson(about, bytes);
  const byDigest = new Map<string, CacheLayer>();
  for (const blob of blobs) {
    const layer = layerOf(blob, blob.annotations?.[diffIdAnnotation]);
    if (layer) byDigest.set(blob.digest, layer);
  }
  const named = root
    .at("layers")
    .optional((cursor) => cursor.list(maxEntries, (each) => each.at("blob").string(256)));
  const layers = (named ?? []).map((digest) => byDigest.get(digest));
  return root.at("records").optional((records) => readRecords(records, layers)) ?? new Map();
}

/** The records of an image with an inline cache; undefined for an image without one. */
export function parseInlineCache(
  config: Uint8Array,
  blobs: readonly Descriptor[],
  about: string,
): CacheRecords | undefined {
  const root = parseJson(about, config);
  const text = root.at(inlineMember).optional((each) => each.string(maxDocumentBytes));
  if (text === undefined) return undefined;
  const diffIds = root.at("rootfs").at("diff_ids");
  const digests = diffIds.list(maxEntries, (each) => each.string(256));
  if (digests.length !== blobs.length) {
    diffIds.fail(`has ${digests.length} layers, the manifest ${blobs.length}`);
  }
  const layers = blobs.map((blob, index) => layerOf(blob, digests[index]));
  const records = parseJson(`the inline cache of ${about}`, Buffer.from(text, "base64"));
  return readRecords(records, layers);
}

/** Undefined for what is not the layer of a file system here. Addresses of other servers are dropped. */
function layerOf(
  { mediaType, digest, size }: Descriptor,
  diffId: string | undefined,
): CacheLayer | undefined {
  if (diffId === undefined || !isLayerType(mediaType)) return undefined;
  try {
    return { diffId: parseDiffId(diffId), blob: { mediaType, digest, size } };
  } catch {
    return undefined;
  }
}

/**
 * A record of ours names no others as its inputs, because its digest is a key that has come from all
 * of them. Those of BuildKit do, and are passed over.
 */
function readRecords(
  cursor: JsonCursor,
  layers: readonly (CacheLayer | undefined)[],
): CacheRecords {
  const records = new Map<string, CacheLayer | undefined>();
  cursor.list(maxEntries, (record) => {
    const key = record.at("digest").string(256);
    const inputs = record.at("inputs").optional((each) => each.list(maxInputs, () => true)) ?? [];
    const results =
      record.at("layers").optional((each) => each.list(maxEntries, (one) => one.at("layer"))) ?? [];
    if (inputs.length > 0) return;
    const [result] = results;
    if (!result) {
      records.set(key, undefined);
      return;
    }
    const index = result.size();
    if (index >= layers.length) result.fail(`is no index of the ${layers.length} layers`);
    const layer = layers[index];
    if (layer) records.set(key, layer);
  });
  return records;
}

/** A cache as documents, and the layers that they name. */
export interface EncodedCache {
  readonly config: Descriptor;
  readonly configBytes: Buffer;
  readonly manifest: Descriptor;
  readonly manifestBytes: Buffer;
  /** Each once. */
  readonly blobs: readonly Descriptor[];
}

/**
 * Writes the results of steps as BuildKit writes its own: a record with a chain of layers for each.
 * The same results give the same bytes; nothing of the steps is in it but digests. `exhausted` when
 * nobody could read it again.
 */
export function encodeCache(steps: readonly StepResult[], form: CacheForm): EncodedCache {
  const chains = new Chains();
  const records = steps.map(({ key, layers, hasLayer }) => {
    const place = hasLayer ? chains.placeOf(layers) : -1;
    return { ...(place >= 0 && { layers: [{ layer: place }] }), digest: key };
  });
  const configBytes = encodeDocument({ layers: chains.layers, records });
  const config = describe(configBytes, mediaTypes.cacheConfig);
  const blobs = [...chains.blobs.values()].map(({ diffId, blob }) => ({
    mediaType: form.isOci ? blob.mediaType : dockerType(blob.mediaType),
    ...{ digest: blob.digest, size: blob.size, annotations: { [diffIdAnnotation]: diffId } },
  }));
  const { mediaType, ...listed } = form.isImageManifest
    ? { mediaType: mediaTypes.manifest, config, layers: blobs }
    : {
        mediaType: form.isOci ? mediaTypes.index : mediaTypes.dockerIndex,
        manifests: [...blobs, config],
      };
  const manifestBytes = encodeDocument({ schemaVersion: 2, mediaType, ...listed });
  for (const { byteLength } of [configBytes, manifestBytes]) {
    if (byteLength <= maxDocumentBytes) continue;
    throw new Fault(
      "exhausted",
      `the cache has ${steps.length} steps, and its manifest ${byteLength} bytes, more than ${maxDocumentBytes}`,
    );
  }
  const manifest = describe(manifestBytes, mediaType);
  return { config, configBytes, manifest, manifestBytes, blobs };
}

/** The member of an image's configuration for a cache whose layers are the image's own. */
export function inlineCache(steps: readonly StepResult[]): Readonly<Record<string, string>> {
  const records = steps.map(({ key, layers, hasLayer }) => ({
    ...(hasLayer && { layers: [{ layer: layers.length - 1 }] }),
    digest: key,
  }));
  return { [inlineMember]: encodeDocument(records).toString("base64") };
}

/** Stacks of layers as a list in which each names the one below it. */
class Chains {
  readonly layers: { readonly blob: Digest; readonly parent: number }[] = [];
  readonly blobs = new Map<Digest, CacheLayer>();
  readonly #places = new Map<string, number>();

  /** The place of the uppermost layer of a stack. */
  placeOf(stack: readonly CacheLayer[]): number {
    let parent = -1;
    for (const layer of stack) {
      const name = `${layer.blob.digest} ${parent}`;
      let place = this.#places.get(name);
      if (place === undefined) {
        place = this.layers.push({ blob: layer.blob.digest, parent }) - 1;
        this.#places.set(name, place);
        this.blobs.set(layer.blob.digest, layer);
      }
      parent = place;
    }
    return parent;
  }
}

function describe(bytes: Buffer, mediaType: string): Descriptor {
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}

function dockerType(mediaType: string): string {
  const types: Readonly<Record<string, string>> = {
    [mediaTypes.layer]: mediaTypes.dockerLayer,
    [mediaTypes.layerGzip]: mediaTypes.dockerLayerGzip,
    [mediaTypes.layerZstd]: mediaTypes.dockerLayerZstd,
  };
  return types[mediaType] ?? mediaType;
}
