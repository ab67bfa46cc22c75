import { isFault } from "#base";
import {
  type Digest,
  isDigest,
  isIndexType,
  isLayerType,
  isManifestType,
  type JsonCursor,
  mediaTypes,
  parseDigest,
  parseJson,
} from "#image";
import type { ReferrerDescriptor } from "./registry-server.ts";

/** image-spec's artifact manifest, of its 1.1 release candidates; withdrawn, but there are some. */
const artifactManifestType = "application/vnd.oci.artifact.manifest.v1+json";
const signedSchema1Type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const maxReferences = 10_000;
const maxAnnotations = 1_000;

/** The facts of a manifest, an index or an artifact that a registry needs. */
export interface ManifestDocument {
  readonly mediaType: string;
  readonly references: readonly ManifestReference[];
  /**
   * The manifest that it is about; that need not exist (distribution-spec 1.1, "Pushing Manifests
   * with Subject").
   */
  readonly subject: Digest | undefined;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

export interface ManifestReference {
  readonly kind: "blob" | "manifest";
  readonly digest: Digest;
  /** The layer is fetched from elsewhere by its URLs: the registry need not have it. */
  readonly isForeign: boolean;
  readonly platform?: { readonly os: unknown; readonly architecture: unknown };
}

/**
 * Reads a document that a client pushes as `contentType`; anything but a whole document of a known
 * kind is an `invalid` fault that names the place. Schema 1 is refused.
 */
export function parseManifestDocument(bytes: Uint8Array, contentType: string): ManifestDocument {
  const root = parseJson("the manifest", bytes);
  const version = root.at("schemaVersion").optional((c) => c.integer());
  if (version === 1) {
    root
      .at("schemaVersion")
      .fail(
        "is 1: images in Docker's first format are refused; build the image again with a current tool",
      );
  }
  const declared = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  const own = root.at("mediaType").optional((c) => c.string(255));
  if (own !== undefined && declared !== "" && own !== declared) {
    root.at("mediaType").fail(`is "${own}" while the request's Content-Type is "${declared}"`);
  }
  const mediaType = own ?? declared;
  if (!isKnown(mediaType)) {
    root.fail(
      `is of the media type "${mediaType}", which this registry does not keep; it keeps OCI and Docker manifests and indexes`,
    );
  }
  // Only OCI's types may leave out the field (image-spec manifest.md, "mediaType").
  if (own === undefined && mediaType !== mediaTypes.manifest && mediaType !== mediaTypes.index) {
    root.at("mediaType").fail(`is missing; "${mediaType}" is expected`);
  }
  if (mediaType !== artifactManifestType && version !== 2) {
    root.at("schemaVersion").fail("must be 2");
  }
  return readDocument(root, mediaType);
}

/**
 * A document that was stored once, read leniently: only one that cannot be read at all is an
 * `invalid` fault.
 */
export function readStoredDocument(bytes: Uint8Array): ManifestDocument {
  const root = parseJson("the manifest", bytes);
  const own = typeof root.object().mediaType === "string" ? root.at("mediaType").string() : "";
  if (isKnown(own)) return readDocument(root, own);
  if (!root.at("manifests").absent) return readDocument(root, mediaTypes.index);
  if (!root.at("layers").absent) return readDocument(root, mediaTypes.manifest);
  return {
    mediaType: root.at("fsLayers").absent ? harmless(own) : signedSchema1Type,
    references: mentionedDigests(bytes),
    subject: undefined,
    artifactType: undefined,
    annotations: undefined,
  };
}

/** It is sent as the Content-Type: a document must not choose to be a page that a browser runs, or a line of the header. */
function harmless(mediaType: string): string {
  const isJson = /^application\/(?:vnd\.[\w.+-]{1,200}|[\w.-]{1,200}\+json)$/.test(mediaType);
  return isJson ? mediaType : "application/json";
}

/** Everything that a stored manifest needs; when it cannot be read, whatever it mentions, so that nothing is lost. */
export function referencesOfStored(bytes: Uint8Array): readonly ManifestReference[] {
  try {
    return readStoredDocument(bytes).references;
  } catch (error) {
    if (isFault(error, "invalid") || isFault(error, "unsupported")) return mentionedDigests(bytes);
    throw error;
  }
}

/** distribution-spec 1.1, "Listing Referrers": how a referrer is described. */
export function describeReferrer(
  document: ManifestDocument,
  stored: { readonly digest: Digest; readonly size: number },
): ReferrerDescriptor {
  return {
    mediaType: document.mediaType,
    digest: stored.digest,
    size: stored.size,
    ...(document.artifactType === undefined ? {} : { artifactType: document.artifactType }),
    ...(document.annotations === undefined ? {} : { annotations: document.annotations }),
  };
}

function isKnown(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType) || mediaType === artifactManifestType;
}

function readDocument(root: JsonCursor, mediaType: string): ManifestDocument {
  const isIndex = isIndexType(mediaType);
  // Which of the two a document is must not depend on the reader (image-spec GHSA-77vh-xpmg-72qh).
  const strangers = isIndex ? ["layers", "config", "fsLayers"] : ["manifests", "fsLayers"];
  for (const key of strangers) {
    if (!root.at(key).absent) root.at(key).fail(`has no place in a document of "${mediaType}"`);
  }
  const references: ManifestReference[] = [];
  const add = (cursor: JsonCursor, kind: "blob" | "manifest") => {
    references.push(reference(cursor, kind));
  };
  if (isIndex) root.at("manifests").list(maxReferences, (each) => add(each, kindIn(each)));
  else if (mediaType === artifactManifestType) {
    root.at("blobs").optional((c) => c.list(maxReferences, (each) => add(each, "blob")));
  } else {
    add(root.at("config"), "blob");
    root.at("layers").list(maxReferences, (each) => add(each, "blob"));
  }
  const own = root.at("artifactType").optional((c) => c.string(255)) || undefined;
  const configType = root
    .at("config")
    .optional((c) => c.at("mediaType").optional((t) => t.string(255)));
  return {
    mediaType,
    references,
    subject: root.at("subject").optional((c) => c.at("digest").as(parseDigest)),
    artifactType: own ?? (configType || undefined),
    annotations: root
      .at("annotations")
      .optional((c) => c.map(maxAnnotations, (each) => each.string())),
  };
}

/** BuildKit's caches are indexes of layers, and of the document that says which step they belong to. */
function kindIn(entry: JsonCursor): "blob" | "manifest" {
  const mediaType = entry.at("mediaType").optional((each) => each.string(255)) ?? "";
  return isLayerType(mediaType) || mediaType === mediaTypes.cacheConfig ? "blob" : "manifest";
}

function reference(cursor: JsonCursor, kind: "blob" | "manifest"): ManifestReference {
  const mediaType = cursor.at("mediaType").optional((c) => c.string(255)) ?? "";
  cursor.at("size").size();
  const platform = cursor.at("platform").optional((c) => ({
    os: c.object().os,
    architecture: c.object().architecture,
  }));
  return {
    kind,
    digest: cursor.at("digest").as(parseDigest),
    isForeign: /\.foreign\.|\.nondistributable\./.test(mediaType),
    ...(platform === undefined ? {} : { platform }),
  };
}

function mentionedDigests(bytes: Uint8Array): ManifestReference[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const found = new Set(text.match(/sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})/g));
  return [...found].filter(isDigest).map((digest) => ({ kind: "blob", digest, isForeign: false }));
}
