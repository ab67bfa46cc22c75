import type { Log } from "#base";
import { type Digest, isDigest } from "#image";
import { isRepositoryName, type RepositoryName } from "./layout.ts";
import type { ObjectStore } from "./object-store.ts";
import type { PullThrough } from "./pull-through.ts";
import { RegistryError } from "./registry-error.ts";
import type { Authorization, RegistryAction } from "./registry-server.ts";
import type { Repositories } from "./repositories.ts";
import type { Uploads } from "./uploads.ts";

/** The parts that handlers work with. */
export interface RegistryParts {
  readonly store: ObjectStore;
  readonly repositories: Repositories;
  readonly uploads: Uploads;
  /** Set in a pull-through cache. */
  readonly pullThrough: PullThrough | undefined;
  readonly log: Log;
}

/** One request on its way through a handler. */
export interface Exchange {
  readonly request: Request;
  readonly url: URL;
  readonly isHead: boolean;
  /** Asks the server's authorizer about another repository on the client's behalf. */
  readonly mayUse: (name: string, actions: readonly RegistryAction[]) => Promise<Authorization>;
  /** Whether there is no authorizer. */
  readonly isOpen: boolean;
  /** Counts bytes of the request's body. */
  received: number;
  /** Bytes of the answer's body, where it is a stream or a file. */
  sent: number;
}

/** The name of a repository; answered with NAME_INVALID when it is malformed. */
export function requireName(text: string): RepositoryName {
  if (isRepositoryName(text)) return text;
  throw new RegistryError(
    "NAME_INVALID",
    "a repository's name is lower-case words, joined by one of . _ __ - within and by / between, of at most 255 characters",
    { detail: { name: text.slice(0, 300) } },
  );
}

/** A digest; answered with DIGEST_INVALID when it is malformed or of another algorithm. */
export function requireDigestText(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryError(
    "DIGEST_INVALID",
    'a digest is "sha256:" and 64 lower-case hexadecimal digits, or "sha512:" and 128; other algorithms are not kept here',
    { detail: { digest: text.slice(0, 300) } },
  );
}

/** The request's body, and how to end it while it waits; `undefined` without a body. */
export function bodyOf(
  exchange: Exchange,
): { readonly stream: AsyncIterable<Uint8Array>; readonly stop: () => void } | undefined {
  const { body } = exchange.request;
  if (!body) return undefined;
  const reader = body.getReader();
  return {
    stream: chunks(exchange, reader),
    stop: () => void reader.cancel().catch(() => undefined),
  };
}

interface ChunkReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
}

async function* chunks(exchange: Exchange, reader: ChunkReader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done || !value) return;
    exchange.received += value.byteLength;
    yield value;
  }
}

/** The body whole; more than `limit` bytes are refused with 413 and `code`. */
export async function documentOf(exchange: Exchange, limit: number): Promise<Buffer> {
  const tooLarge = () =>
    new RegistryError("MANIFEST_INVALID", `the document has more than ${limit} bytes`, {
      status: 413,
    });
  if (Number(exchange.request.headers.get("content-length") ?? 0) > limit) throw tooLarge();
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(exchange)?.stream ?? []) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge();
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
