import type { Digest } from "#image";
import type { Exchange, RegistryParts } from "./exchange.ts";
import { matchesTag, parseRange } from "./http-range.ts";
import { layout, type RepositoryName } from "./layout.ts";
import { RegistryError } from "./registry-error.ts";

/** GET and HEAD of a blob (distribution-spec 1.1, "Pulling blobs"), in part and on condition (RFC 9110, 13 and 14). */
export async function getBlob(
  parts: RegistryParts,
  exchange: Exchange,
  target: { readonly name: RepositoryName; readonly digest: Digest },
): Promise<Response> {
  const { name, digest } = target;
  const { headers: asked } = exchange.request;
  const size = await parts.repositories.blobSize(name, digest);
  if (size === undefined) {
    const fetched = await parts.pullThrough?.blob(name, digest, exchange.isHead);
    if (!fetched) throw unknownBlob(digest);
    if (fetched.stream) exchange.sent = fetched.size;
    const body = fetched.stream ?? null;
    return new Response(body, { headers: blobHeaders(digest, fetched.size) });
  }
  const etag = `"${digest}"`;
  if (matchesTag(asked.get("if-none-match"), etag)) {
    return new Response(null, {
      status: 304,
      headers: { ETag: etag, "Docker-Content-Digest": digest, ...caching },
    });
  }
  const condition = asked.get("if-range");
  const wanted =
    exchange.isHead || (condition !== null && condition !== etag) ? null : asked.get("range");
  const range = parseRange(wanted, size);
  if (range === "unsatisfiable") {
    throw new RegistryError("RANGE_INVALID", `the blob has ${size} bytes`, {
      headers: { "Content-Range": `bytes */${size}` },
    });
  }
  const key = layout.blob(await parts.repositories.storedAs(name, digest));
  if (range === "whole") {
    const headers = blobHeaders(digest, size);
    if (exchange.isHead) return new Response(null, { headers });
    exchange.sent = size;
    // Bun would answer a range of a whole file by itself, also one that is to be ignored.
    const isStream = asked.has("range");
    return new Response(bodyOfBlob(parts, key, { start: 0, end: size, size, isStream }), {
      headers,
    });
  }
  const { start, end } = range;
  exchange.sent = end - start;
  return new Response(bodyOfBlob(parts, key, { start, end, size, isStream: false }), {
    status: 206,
    headers: {
      ...blobHeaders(digest, end - start),
      "Content-Range": `bytes ${start}-${end - 1}/${size}`,
    },
  });
}

/**
 * DELETE /v2/NAME/blobs/DIGEST: takes the blob out of this repository; its bytes go with a later
 * collection.
 */
export async function deleteBlob(
  parts: RegistryParts,
  target: { readonly name: RepositoryName; readonly digest: Digest },
): Promise<Response> {
  if (!(await parts.repositories.unlinkBlob(target.name, target.digest))) {
    throw unknownBlob(target.digest);
  }
  return new Response(null, { status: 202 });
}

// The bytes of a digest never change.
const caching = { "Cache-Control": "max-age=31536000" };

function blobHeaders(digest: Digest, length: number): Record<string, string> {
  return {
    "Accept-Ranges": "bytes",
    "Content-Disposition": "attachment",
    "Content-Length": String(length),
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    ...caching,
  };
}

/** A file is sent by the kernel; anything else is read as fast as the client takes it. */
function bodyOfBlob(
  parts: RegistryParts,
  key: string,
  part: {
    readonly start: number;
    readonly end: number;
    readonly size: number;
    readonly isStream: boolean;
  },
): Blob | ReadableStream<Uint8Array> | null {
  const { start, end, size } = part;
  if (start === end) return null;
  const { store } = parts;
  if (store.filePath && !part.isStream) {
    const file = Bun.file(store.filePath(key), { type: "application/octet-stream" });
    return start === 0 && end === size ? file : file.slice(start, end);
  }
  return streamOf(store.read(key, { start, end }), (error) =>
    parts.log.error("a blob could not be sent whole", { key, error }),
  );
}

/** A body that is read as fast as the client takes it; a failure cuts the connection and is told to `onFailure`. */
export function streamOf(
  source: AsyncIterable<Uint8Array>,
  onFailure: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          onFailure(error);
          // With a reason Bun would print it, past the log.
          controller.error(undefined);
        }
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function unknownBlob(digest: Digest): RegistryError {
  return new RegistryError("BLOB_UNKNOWN", "this repository has no such blob", {
    detail: { digest },
  });
}
