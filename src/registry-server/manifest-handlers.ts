import { isFault } from "#base";
import {
  type Digest,
  digestLike,
  isDigest,
  isIndexType,
  isManifestType,
  maxDocumentBytes,
  mediaTypes,
  sha256,
} from "#image";
import { documentOf, type Exchange, type RegistryParts, requireDigestText } from "./exchange.ts";
import { matchesTag } from "./http-range.ts";
import { isTag, type RepositoryName, type Tag } from "./layout.ts";
import { parseManifestDocument, readStoredDocument } from "./manifest-document.ts";
import { RegistryError } from "./registry-error.ts";
import type { StoredManifest } from "./repositories.ts";

interface ManifestTarget {
  readonly name: RepositoryName;
  /** A tag or a digest, as the path has it. */
  readonly reference: string;
}

/** GET and HEAD (distribution-spec 1.1, "Pulling manifests"). */
export async function getManifest(
  parts: RegistryParts,
  exchange: Exchange,
  { name, reference }: ManifestTarget,
): Promise<Response> {
  const accepts = acceptedTypes(exchange.request.headers.get("accept"));
  const found = await findManifest(parts, name, reference);
  const manifest = await negotiated(parts, name, { found, accepts, byTag: !isDigest(reference) });
  const etag = `"${manifest.digest}"`;
  const headers = {
    "Content-Type": manifest.mediaType,
    "Content-Length": String(manifest.bytes.length),
    "Docker-Content-Digest": manifest.digest,
    ETag: etag,
  };
  if (matchesTag(exchange.request.headers.get("if-none-match"), etag)) {
    return new Response(null, {
      status: 304,
      headers: { ETag: etag, "Docker-Content-Digest": manifest.digest },
    });
  }
  if (exchange.isHead) return new Response(null, { headers });
  exchange.sent = manifest.bytes.length;
  return new Response(new Uint8Array(manifest.bytes), { headers });
}

/** The manifest of a tag or digest; MANIFEST_UNKNOWN when it is missing. */
async function findManifest(
  parts: RegistryParts,
  name: RepositoryName,
  reference: string,
): Promise<StoredManifest> {
  if (!isTag(reference)) requireDigestTextOrUnknown(reference);
  if (parts.pullThrough) {
    const fetched = await parts.pullThrough.manifest(name, reference as Tag | Digest);
    if (fetched) return fetched;
    throw unknownManifest(reference);
  }
  const digest = isDigest(reference)
    ? reference
    : await parts.repositories.resolveTag(name, reference as Tag);
  const found = digest && (await parts.repositories.manifest(name, digest));
  if (!found) throw unknownManifest(reference);
  return found;
}

/**
 * PUT (distribution-spec 1.1, "Pushing Manifests"). A tag stands for the sha256, unless
 * `?digest=` gives another digest of the same bytes.
 */
export async function putManifest(
  parts: RegistryParts,
  exchange: Exchange,
  { name, reference }: ManifestTarget,
): Promise<Response> {
  const isByDigest = reference.includes(":");
  const told = isByDigest ? reference : exchange.url.searchParams.get("digest");
  const wanted = told === null ? undefined : requireDigestText(told);
  if (!isByDigest && !isTag(reference)) {
    throw new RegistryError(
      "TAG_INVALID",
      "a tag is at most 128 letters, digits, and after the first _ . -",
      { detail: { tag: reference.slice(0, 300) } },
    );
  }
  const bytes = await documentOf(exchange, maxDocumentBytes);
  const digest = wanted ? digestLike(wanted, bytes) : sha256(bytes);
  if (wanted && wanted !== digest) {
    throw new RegistryError("DIGEST_INVALID", `the manifest has the digest ${digest}`, {
      detail: { expected: wanted, actual: digest },
    });
  }
  const document = parsed(bytes, exchange.request.headers.get("content-type") ?? "");
  const tag = isByDigest ? undefined : (reference as Tag);
  await parts.repositories.putManifest(name, { bytes, document, digest, tag });
  return new Response(null, {
    status: 201,
    headers: {
      Location: `/v2/${name}/manifests/${digest}`,
      "Docker-Content-Digest": digest,
      ...(document.subject === undefined ? {} : { "OCI-Subject": document.subject }),
    },
  });
}

/** DELETE of a manifest by digest, with the tags that point at it, or of a tag alone. */
export async function deleteManifest(
  parts: RegistryParts,
  { name, reference }: ManifestTarget,
): Promise<Response> {
  const gone = isTag(reference)
    ? await parts.repositories.deleteTag(name, reference)
    : await parts.repositories.deleteManifest(name, requireDigestText(reference));
  if (!gone) throw unknownManifest(reference);
  return new Response(null, { status: 202 });
}

function parsed(bytes: Buffer, contentType: string) {
  try {
    return parseManifestDocument(bytes, contentType);
  } catch (error) {
    if (isFault(error, "invalid") || isFault(error, "unsupported")) {
      throw new RegistryError("MANIFEST_INVALID", error.message);
    }
    throw error;
  }
}

/**
 * The types that an Accept header lists; undefined for any type, as when the header is missing,
 * where docker-registry would refuse OCI's.
 */
function acceptedTypes(header: string | null): ReadonlySet<string> | undefined {
  if (header === null || header.trim() === "") return undefined;
  const types = header.split(",").map((each) => each.split(";")[0]?.trim().toLowerCase() ?? "");
  return types.includes("*/*") || types.includes("application/*") ? undefined : new Set(types);
}

/**
 * As docker-registry negotiates: an OCI document goes only to clients that name its type, and a
 * tag's manifest list turns into the image for linux/amd64 for clients that do not know lists.
 */
async function negotiated(
  parts: RegistryParts,
  name: RepositoryName,
  asked: {
    readonly found: StoredManifest;
    readonly accepts: ReadonlySet<string> | undefined;
    readonly byTag: boolean;
  },
): Promise<StoredManifest> {
  const { found, accepts, byTag } = asked;
  if (!accepts || accepts.has(found.mediaType)) return found;
  if (found.mediaType === mediaTypes.dockerIndex && byTag) {
    const entry = readStoredDocument(found.bytes).references.find(
      ({ platform }) => platform?.os === "linux" && platform.architecture === "amd64",
    );
    if (entry) return await findManifest(parts, name, entry.digest);
  }
  const isOci = /\.oci\./.test(found.mediaType);
  if (isOci && (isManifestType(found.mediaType) || isIndexType(found.mediaType))) {
    throw new RegistryError(
      "MANIFEST_UNKNOWN",
      `there is a document of the type ${found.mediaType}, which the Accept header does not list`,
    );
  }
  return found;
}

function requireDigestTextOrUnknown(reference: string): void {
  if (!isDigest(reference)) throw unknownManifest(reference);
}

function unknownManifest(reference: string): RegistryError {
  return new RegistryError("MANIFEST_UNKNOWN", "this repository has no such manifest", {
    detail: { reference: reference.slice(0, 300) },
  });
}
