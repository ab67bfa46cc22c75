import { collect, Fault } from "#base";
import {
  type Descriptor,
  type Digest,
  digestLike,
  documentType,
  isDigest,
  isIndexType,
  isManifestType,
  type ManifestDocument,
  maxDocumentBytes,
  mediaTypes,
  parseJson,
  requireDigest,
  sha256,
} from "#image";
import type { Answer, EndpointSession } from "./endpoint-session.ts";
import { attempted, isWebPage, webPageFault } from "./response-fault.ts";

/** A tag or digest in a repository of an endpoint. */
export interface ManifestPlace {
  /** The name for messages: "registry.example/app:1". */
  readonly about: string;
  /** As the endpoint knows it. */
  readonly path: string;
  readonly reference: string;
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

const accept = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerIndex,
  // Last, for other artifacts, and so that a registry with another type sends it and says which.
  "*/*;q=0.1",
].join(", ");
const firstFormat = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;

/**
 * The descriptor of a tag or digest by HEAD; undefined when the answer does not say it and the
 * manifest must be fetched.
 */
export async function headManifest(
  session: EndpointSession,
  place: ManifestPlace,
): Promise<Descriptor | undefined> {
  const answer = await session.call({
    ...request(place),
    method: "HEAD",
    expect: [200, 400, 405, 501],
  });
  await answer.discard();
  if (answer.status !== 200) return undefined;
  const digest = answer.headers.get("docker-content-digest") ?? "";
  const size = Number(answer.headers.get("content-length") ?? 0);
  const mediaType = contentType(answer);
  const isKnown = isManifestType(mediaType) || isIndexType(mediaType);
  if (!isDigest(digest) || !isKnown || !Number.isSafeInteger(size) || size <= 0) return undefined;
  if (isDigest(place.reference)) requireDigest(place.about, place.reference, digest);
  return { mediaType, digest, size };
}

/** The manifest with its verified digest, its size and its media type. */
export async function getManifest(
  session: EndpointSession,
  place: ManifestPlace,
): Promise<ManifestDocument> {
  const call = { ...request(place), method: "GET", expect: [200] };
  const answer = await session.call(call);
  const attempt = { action: call.action, host: answer.url.host };
  if (isWebPage(answer)) {
    await answer.discard();
    throw webPageFault(attempt);
  }
  const about = `the manifest of ${place.about}`;
  if ((answer.length ?? 0) > maxDocumentBytes) {
    await answer.discard();
    throw new Fault(
      "exhausted",
      `${about} has ${answer.length} bytes, more than the limit of ${maxDocumentBytes}`,
      { about: place.about },
    );
  }
  const bytes = await collect(answer.body, maxDocumentBytes, about).catch((error: unknown) => {
    throw attempted(attempt, error);
  });
  if (isWebPage(answer, bytes)) throw webPageFault(attempt);
  const promised = promisedDigest(place.reference, answer);
  const digest = promised ? digestLike(promised, bytes) : sha256(bytes);
  if (promised) requireDigest(about, promised, digest);
  const mediaType = mediaTypeOf(about, answer, bytes);
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes };
}

function request(place: ManifestPlace) {
  return {
    action: `fetch the manifest of ${place.about}`,
    target: `/${place.path}/manifests/${place.reference}`,
    scopes: place.scopes,
    headers: [["Accept", accept]] as const,
    signal: place.signal,
  };
}

/** The digest that was asked for; for a tag, the digest that the registry names. */
function promisedDigest(reference: string, answer: Answer): Digest | undefined {
  if (isDigest(reference)) return reference;
  const header = answer.headers.get("docker-content-digest") ?? "";
  return isDigest(header) ? header : undefined;
}

function contentType(answer: Answer): string {
  const [type = ""] = (answer.headers.get("content-type") ?? "").split(";", 1);
  return type.trim().toLowerCase();
}

/**
 * Header and document must agree where both say something: a document that is one thing
 * to one reader and another to the next is an attack (distribution-spec, "Pulling manifests").
 */
function mediaTypeOf(about: string, answer: Answer, bytes: Buffer): string {
  const told = contentType(answer);
  const root = parseJson(about, bytes);
  if (firstFormat.test(told) || root.at("schemaVersion").value === 1) {
    throw new Fault(
      "unsupported",
      `${about} is in Docker's first format (schema 1), which is no longer supported; push the image anew with a current tool`,
      { about },
    );
  }
  const own = root.at("mediaType").optional((c) => c.string(255)) || undefined;
  const isTelling = told !== "" && !/^(application\/(json|octet-stream)|text\/plain)$/.test(told);
  if (isTelling && own !== undefined && own !== told) {
    throw new Fault(
      "invalid",
      `${about} says that it is "${own}", but the registry says "${told}"`,
      {
        about,
      },
    );
  }
  if (isTelling) return told;
  return documentType(root);
}
