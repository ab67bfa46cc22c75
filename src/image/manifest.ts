import { Fault } from "#base";
import { type Digest, digestLike, parseDigest, requireDigest } from "./digest.ts";
import { type JsonCursor, parseJson } from "./json.ts";
import { isIndexType, isManifestType, mediaTypes } from "./media-type.ts";
import { formatPlatform, hostPlatform, type Platform, platformDistance } from "./platform.ts";

/**
 * A reference to a blob (image-spec descriptor.md), with the member names of the JSON. Members that
 * the parsers do not know stay in the value; null counts as absent.
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
  /** Other places that have the bytes; foreign layers, which registries do not keep, have them. */
  readonly urls?: readonly string[];
}

/** An image manifest (image-spec manifest.md), or that of an artifact. */
export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  /** The kind of artifact, where its configuration does not say it. */
  readonly artifactType?: string;
  /** The manifest that this one refers to: a signature refers to the one that it signs. */
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A manifest of manifests (image-spec image-index.md): one image for several platforms. */
export interface Index {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Layers of one image: overlayfs takes 500 lower layers. Builders write 127 at most. */
export const maxLayers = 500;
const maxManifests = 1000;
const maxAnnotations = 1000;
const maxUrls = 20;

/** Object members that are null are dropped, the checked ones replaced, all others kept. */
export function merged<T>(cursor: JsonCursor, checked: Record<string, unknown>): T {
  const all = { ...cursor.object(), ...checked };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== null && value !== undefined),
  ) as T;
}

function annotations(cursor: JsonCursor): Readonly<Record<string, string>> | undefined {
  return cursor.at("annotations").optional((c) => c.map(maxAnnotations, (each) => each.string()));
}

function platform(cursor: JsonCursor): Platform {
  return merged(cursor, {
    os: cursor.at("os").optional((c) => c.string(64)) ?? "",
    architecture: cursor.at("architecture").optional((c) => c.string(64)) ?? "",
    variant: cursor.at("variant").optional((c) => c.string(64)) || undefined,
  });
}

/** The descriptor at a place of a document. */
export function readDescriptor(cursor: JsonCursor): Descriptor {
  return merged(cursor, {
    mediaType: cursor.at("mediaType").optional((c) => c.string(255)) ?? "",
    digest: cursor.at("digest").as(parseDigest),
    size: cursor.at("size").size(),
    annotations: annotations(cursor),
    platform: cursor.at("platform").optional(platform),
    artifactType: cursor.at("artifactType").optional((c) => c.string(255)),
    urls: cursor.at("urls").optional((c) => c.list(maxUrls, (each) => each.string(8192))),
  });
}

function reference(root: JsonCursor) {
  return {
    artifactType: root.at("artifactType").optional((c) => c.string(255)),
    subject: root.at("subject").optional(readDescriptor),
  };
}

function version(cursor: JsonCursor): 2 {
  const schema = cursor.at("schemaVersion");
  if (schema.integer() === 1) {
    return schema.fail(
      "is 1: images in Docker's first format are no longer supported; push the image again with a current tool",
    );
  }
  return schema.value === 2 ? 2 : schema.fail("must be 2");
}

/** The media type inside the document must be of its kind; when it is left out the first of `kinds` is meant. */
function ownType(cursor: JsonCursor, usual: string, matches: (type: string) => boolean): string {
  const type = cursor.at("mediaType").optional((c) => c.string(255)) || usual;
  return matches(type) ? type : cursor.at("mediaType").fail(`is "${type}", expected "${usual}"`);
}

/**
 * An image manifest, OCI or Docker schema 2. Reads at most 4 MiB and 500 layers. A
 * document that is an index as well is refused: which of the two it is would depend
 * on the reader (image-spec GHSA-77vh-xpmg-72qh).
 */
export function parseManifest(bytes: Uint8Array, about = "image manifest"): Manifest {
  const root = parseJson(about, bytes);
  const schemaVersion = version(root);
  const mediaType = ownType(root, mediaTypes.manifest, isManifestType);
  if (!root.at("manifests").absent) root.at("manifests").fail("has no place in an image manifest");
  return merged(root, {
    schemaVersion,
    mediaType,
    config: readDescriptor(root.at("config")),
    layers: root.at("layers").list(maxLayers, readDescriptor),
    ...reference(root),
    annotations: annotations(root),
  });
}

/** An image index or Docker manifest list; at most 4 MiB and 1,000 manifests. */
export function parseIndex(bytes: Uint8Array, about = "image index"): Index {
  const root = parseJson(about, bytes);
  const schemaVersion = version(root);
  const mediaType = ownType(root, mediaTypes.index, isIndexType);
  for (const key of ["layers", "config", "fsLayers"]) {
    if (!root.at(key).absent) root.at(key).fail("has no place in an image index");
  }
  return merged(root, {
    schemaVersion,
    mediaType,
    manifests: root.at("manifests").list(maxManifests, readDescriptor),
    ...reference(root),
    annotations: annotations(root),
  });
}

/** A manifest or an index, and its descriptor. */
export interface ManifestDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** A manifest or an index from a store of blobs. `data_loss` when the bytes are not those of the digest. */
export function manifestDocument(digest: Digest, bytes: Buffer): ManifestDocument {
  const about = `the manifest ${digest}`;
  requireDigest(about, digest, digestLike(digest, bytes));
  const mediaType = documentType(parseJson(about, bytes));
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes };
}

/** What a manifest or an index says that it is; OCI's need not say it. */
export function documentType(root: JsonCursor): string {
  const own = root.at("mediaType").optional((c) => c.string(255));
  return own || (root.at("manifests").absent ? mediaTypes.manifest : mediaTypes.index);
}

/** Whether the entry of an index is a build attestation rather than an image. */
export function isAttestation(entry: Descriptor): boolean {
  return (
    entry.annotations?.["vnd.docker.reference.type"] === "attestation-manifest" ||
    (entry.platform?.os === "unknown" && entry.platform.architecture === "unknown")
  );
}

/**
 * The entry of an index that serves a platform best: the nearest variant, the first of equals. An
 * entry without a platform serves any, after all others. `not_found`, with the platforms that the
 * index has, when no entry fits.
 */
export function selectManifest(index: Index, wanted: Platform = hostPlatform()): Descriptor {
  let best: { readonly entry: Descriptor; readonly distance: number } | undefined;
  for (const entry of index.manifests) {
    if (isAttestation(entry)) continue;
    const distance = entry.platform ? platformDistance(wanted, entry.platform) : 100;
    if (distance !== undefined && distance < (best?.distance ?? 101)) best = { entry, distance };
  }
  if (best) return best.entry;
  const offered = index.manifests
    .filter((entry) => entry.platform && !isAttestation(entry))
    .map((entry) => formatPlatform(entry.platform as Platform));
  throw new Fault(
    "not_found",
    `no image for ${formatPlatform(wanted)}; the index has ${offered.join(", ") || "no images"}`,
    { about: formatPlatform(wanted) },
  );
}

/**
 * The bytes of a manifest, index or configuration as thimble writes them; equal values with the
 * same order of members give equal bytes, and so the same digest.
 */
export function encodeDocument(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
