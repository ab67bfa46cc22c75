import { type Digest, digestAlgorithm, digestAlgorithms } from "#image";
import { bodyOf, type Exchange, type RegistryParts, requireDigestText } from "./exchange.ts";
import { parseChunkRange } from "./http-range.ts";
import { isRepositoryName, isUploadId, type RepositoryName, type UploadId } from "./layout.ts";
import { RegistryError } from "./registry-error.ts";
import type { UploadBody } from "./uploads.ts";

/** POST: a mount, a blob in one request, or the beginning of an upload (distribution-spec 1.1, "Pushing blobs"). */
export async function beginUpload(
  parts: RegistryParts,
  exchange: Exchange,
  name: RepositoryName,
): Promise<Response> {
  const query = exchange.url.searchParams;
  const mount = query.get("mount");
  if (mount !== null) {
    const digest = requireDigestText(mount);
    if (await mountBlob(parts, exchange, { name, digest, from: query.get("from") })) {
      return created(name, digest);
    }
  }
  const whole = query.get("digest");
  if (whole !== null && mount === null) {
    const digest = requireDigestText(whole);
    const id = await parts.uploads.begin(name, digestAlgorithm(digest));
    await parts.uploads.finish(name, id, { digest, body: uploadBody(exchange) });
    return created(name, digest);
  }
  const id = await parts.uploads.begin(name, announcedAlgorithm(query.get("digest-algorithm")));
  const { chunkMinLength } = parts.store;
  const minimum =
    chunkMinLength === undefined ? {} : { "OCI-Chunk-Min-Length": String(chunkMinLength) };
  return new Response(null, { status: 202, headers: { ...progress(name, id, 0), ...minimum } });
}

/** GET, PATCH, PUT and DELETE of an upload. */
export async function continueUpload(
  parts: RegistryParts,
  exchange: Exchange,
  target: { readonly name: RepositoryName; readonly id: string },
): Promise<Response> {
  const { name, id } = target;
  if (!isUploadId(id)) {
    throw new RegistryError("BLOB_UPLOAD_UNKNOWN", "there is no such upload in this repository");
  }
  const { method } = exchange.request;
  try {
    if (method === "PATCH") {
      const body = uploadBody(exchange) ?? { stream: nothing() };
      const size = await parts.uploads.append(name, id, body);
      return new Response(null, { status: 202, headers: progress(name, id, size) });
    }
    if (method === "PUT") {
      const digest = requireDigestText(exchange.url.searchParams.get("digest") ?? "");
      await parts.uploads.finish(name, id, { digest, body: uploadBody(exchange) });
      return created(name, digest);
    }
  } catch (error) {
    throw withProgress(error, name, id);
  }
  if (method === "DELETE") {
    await parts.uploads.cancel(name, id);
    return new Response(null, { status: 204 });
  }
  const size = await parts.uploads.size(name, id);
  return new Response(null, { status: 204, headers: progress(name, id, size) });
}

/** The algorithm of the digest that will end the upload, which newer clients tell, so that it is hashed on its way. */
function announcedAlgorithm(text: string | null) {
  const known = digestAlgorithms.find((each) => each === text);
  if (known || text === null) return known;
  throw new RegistryError(
    "DIGEST_INVALID",
    `digests are made by ${digestAlgorithms.join(" or ")} here`,
    { detail: { algorithm: text.slice(0, 100) } },
  );
}

/** Without `from` any repository would do, which only where nothing is secret is no way to read others' blobs. */
async function mountBlob(
  parts: RegistryParts,
  exchange: Exchange,
  wanted: { readonly name: RepositoryName; readonly digest: Digest; readonly from: string | null },
): Promise<boolean> {
  const { name, digest, from } = wanted;
  if (from === null) return exchange.isOpen && (await parts.repositories.linkBlob(name, digest));
  if (!isRepositoryName(from)) return false;
  if (!exchange.isOpen && !(await exchange.mayUse(from, ["pull"])).ok) return false;
  if ((await parts.repositories.blobSize(from, digest)) === undefined) return false;
  const stored = await parts.repositories.storedAs(from, digest);
  return await parts.repositories.linkBlob(name, digest, stored);
}

function uploadBody(exchange: Exchange): UploadBody | undefined {
  const { headers } = exchange.request;
  const text = headers.get("content-range");
  const range = text === null ? undefined : parseChunkRange(text);
  if (text !== null && !range) {
    throw new RegistryError("RANGE_INVALID", 'Content-Range must be "<first>-<last>"');
  }
  const length = headers.get("content-length");
  if (range && length !== null && Number(length) !== range.length) {
    throw new RegistryError(
      "SIZE_INVALID",
      `Content-Range promises ${range.length} bytes and Content-Length ${length}`,
    );
  }
  const body = bodyOf(exchange);
  if (!body) return range ? { stream: nothing(), range } : undefined;
  return { ...body, range };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An empty body has no chunks.
}

function progress(name: RepositoryName, id: UploadId, size: number): Record<string, string> {
  return {
    Location: `/v2/${name}/blobs/uploads/${id}`,
    // An empty upload too is "0-0" in docker-registry, and clients expect it.
    Range: `0-${Math.max(0, size - 1)}`,
    "Docker-Upload-UUID": id,
  };
}

function created(name: RepositoryName, digest: Digest): Response {
  return new Response(null, {
    status: 201,
    headers: { Location: `/v2/${name}/blobs/${digest}`, "Docker-Content-Digest": digest },
  });
}

/** A chunk out of order is told where the upload stands (distribution-spec 1.1, "Pushing a blob in chunks"). */
function withProgress(error: unknown, name: RepositoryName, id: UploadId): unknown {
  const isOutOfOrder = error instanceof RegistryError && error.code === "RANGE_INVALID";
  const { size } = ((isOutOfOrder ? error.detail : undefined) as { size?: number }) ?? {};
  if (!isOutOfOrder || size === undefined) return error;
  return new RegistryError(error.code, error.message, {
    detail: error.detail,
    headers: progress(name, id, size),
  });
}
