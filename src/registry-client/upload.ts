import { Fault, isFault, Patience } from "#base";
import { type Descriptor, digestAlgorithm } from "#image";
import type { Answer, Call, EndpointSession } from "./endpoint-session.ts";
import type { RequestBody } from "./http-connection.ts";
import type { PutBlobOptions } from "./registry-client.ts";
import { hasStatus } from "./response-fault.ts";
import { type Backoff, isPassing } from "./retry.ts";

export interface UploadOptions extends PutBlobOptions {
  readonly session: EndpointSession;
  /** The repository as the endpoint knows it. */
  readonly path: string;
  readonly descriptor: Pick<Descriptor, "digest" | "size">;
  readonly source: (offset: number) => AsyncIterable<Uint8Array>;
  readonly backoff: Backoff;
}

/** An upload that the registry has begun (distribution-spec, "Pushing blobs"). */
interface Upload {
  /** Where to go on; each answer names a new place. */
  readonly url: URL;
  /** Bytes that the registry has. */
  readonly offset: number;
  /** The least size of a chunk that is not the last. */
  readonly minChunk: number;
}

const usualChunk = 32 << 20;
const maxMountCandidates = 5;

/**
 * Mounts or uploads a blob: whole in one PUT, or in chunks where that is asked for, where
 * the registry finds the whole too large (413), or to go on after a drop.
 * What fails for good is taken back (DELETE), so that nothing stays behind.
 */
export async function uploadBlob(options: UploadOptions): Promise<"mounted" | "uploaded"> {
  const begun = await mountOrBegin(options);
  if (begun === "mounted") return "mounted";
  const state: State = { upload: begun, chunk: options.chunkBytes };
  try {
    await carryOut(options, state);
    return "uploaded";
  } catch (error) {
    await cancel(options, state.upload);
    throw error;
  }
}

async function carryOut(options: UploadOptions, state: State): Promise<void> {
  const { backoff, signal } = options;
  const patience = new Patience(backoff, signal);
  for (;;) {
    const before = state.upload.offset;
    try {
      return await transfer(options, state);
    } catch (error) {
      if (state.upload.offset > before) patience.renew();
      if (signal?.aborted || !mayGoOn(state, error) || !patience.bears()) throw error;
    }
    await patience.pause();
    const resumed = await resume(options, state.upload);
    if (resumed === "there") return;
    if (resumed.offset > before) patience.renew();
    state.upload = resumed;
    if (resumed.offset > 0) state.chunk ??= usualChunk;
  }
}

interface State {
  upload: Upload;
  /** Undefined: the whole at once. */
  chunk: number | undefined;
}

function mayGoOn(state: State, error: unknown): boolean {
  if (hasStatus(error, 413) && state.chunk === undefined) {
    state.chunk = usualChunk;
    return true;
  }
  // 416: the registry has other bytes than we thought. 404: it has forgotten the upload.
  return isPassing(error) || hasStatus(error, 416, 404);
}

async function mountOrBegin(options: UploadOptions): Promise<Upload | "mounted"> {
  const { session, path, descriptor, mountFrom = [] } = options;
  let upload: Upload | undefined;
  for (const from of mountFrom.slice(0, maxMountCandidates)) {
    if (upload) await cancel(options, upload);
    upload = undefined;
    const neighbour = session.path(from);
    const query = new URLSearchParams({ mount: descriptor.digest, from: neighbour });
    try {
      const answer = await send(options, {
        method: "POST",
        target: `/${path}/blobs/uploads/?${query}`,
        scopes: [...scopesOf(path), `repository:${neighbour}:pull`],
        expect: [201, 202],
      });
      if (answer.status === 201) return "mounted";
      upload = uploadOf(options, answer, 0, 0);
    } catch (error) {
      // A neighbour that may not be read is no reason not to upload.
      if (!isFault(error, "denied") && !isFault(error, "unauthenticated")) {
        if (!hasStatus(error, 404, 405, 400)) throw error;
      }
    }
  }
  return upload ?? begin(options);
}

async function begin(options: UploadOptions): Promise<Upload> {
  const algorithm = digestAlgorithm(options.descriptor.digest);
  // distribution-spec since 1.1.1: a registry that knows it beforehand need not read the blob again.
  const query = algorithm === "sha256" ? "" : `?digest-algorithm=${algorithm}`;
  const target = `/${options.path}/blobs/uploads/${query}`;
  return uploadOf(options, await send(options, { method: "POST", target, expect: [202] }), 0, 0);
}

async function transfer(options: UploadOptions, state: State): Promise<void> {
  const { descriptor } = options;
  if (state.chunk === undefined && state.upload.offset === 0) {
    await finish(options, state.upload, piece(options, 0, descriptor.size));
    return;
  }
  while (state.upload.offset < descriptor.size) {
    state.upload = await sendChunk(options, state.upload, state.chunk ?? usualChunk);
  }
  await finish(options, state.upload);
}

async function sendChunk(options: UploadOptions, upload: Upload, chunk: number): Promise<Upload> {
  const { size } = options.descriptor;
  const start = upload.offset;
  const end = Math.min(size, start + Math.max(chunk, upload.minChunk, 1));
  const answer = await send(options, {
    method: "PATCH",
    target: upload.url,
    headers: [
      ["Content-Type", "application/octet-stream"],
      ["Content-Range", `${start}-${end - 1}`],
    ],
    body: piece(options, start, end - start),
    retry: false,
    expect: [202],
  });
  const next = uploadOf(options, answer, end, upload.minChunk);
  if (next.offset <= start) {
    throw new Fault("unavailable", `${answer.url.host} does not keep the bytes that it is sent`);
  }
  return next;
}

async function finish(options: UploadOptions, upload: Upload, body?: RequestBody): Promise<void> {
  await send(options, {
    method: "PUT",
    target: withDigest(upload.url, options.descriptor.digest),
    headers: [["Content-Type", "application/octet-stream"]],
    ...(body ? { body } : {}),
    retry: false,
    expect: [201, 204],
  });
}

/** Where the registry stands; a new upload when it has forgotten, "there" when it had it all. */
async function resume(options: UploadOptions, upload: Upload): Promise<Upload | "there"> {
  try {
    const answer = await send(options, { method: "GET", target: upload.url, expect: [204, 202] });
    return uploadOf(options, answer, 0, upload.minChunk);
  } catch (error) {
    if (isPassing(error) || isFault(error, "canceled")) throw error;
  }
  const target = `/${options.path}/blobs/${options.descriptor.digest}`;
  const answer = await send(options, { method: "HEAD", target, expect: [200, 404] });
  if (answer.status === 200) return "there";
  await cancel(options, upload);
  return begin(options);
}

async function cancel(options: UploadOptions, upload: Upload): Promise<void> {
  const patience = AbortSignal.timeout(5000);
  await send(
    { ...options, signal: patience },
    { method: "DELETE", target: upload.url, retry: false, expect: [200, 202, 204] },
  ).catch(() => undefined);
}

/** One request of the upload, its body read away. */
async function send(
  options: UploadOptions,
  call: Omit<Call, "action" | "signal">,
): Promise<Answer> {
  const answer = await options.session.call({
    action: `push blob ${options.descriptor.digest} to ${options.path}`,
    scopes: scopesOf(options.path),
    signal: options.signal,
    ...call,
  });
  await answer.discard();
  return answer;
}

function scopesOf(path: string): readonly string[] {
  return [`repository:${path}:pull,push`];
}

/**
 * `sent`: the number of bytes that the registry has, for an answer that does not say it. "0-0"
 * means that it has none.
 */
function uploadOf(
  { descriptor }: UploadOptions,
  answer: Answer,
  sent: number,
  minChunk: number,
): Upload {
  const refuse = (why: string): never => {
    throw new Fault("invalid", `cannot push blob ${descriptor.digest}: ${answer.url.host} ${why}`, {
      about: answer.url.host,
    });
  };
  const location = answer.headers.get("location") ?? "";
  if (location === "" || !URL.canParse(location, answer.url.href)) {
    return refuse("does not say where to upload to");
  }
  const range = answer.headers.get("range");
  const end = /^(?:bytes=)?0-(\d{1,15})$/.exec(range ?? "")?.[1];
  if (range !== undefined && end === undefined)
    refuse("answers with a Range header that cannot be read");
  const offset = end === undefined ? sent : end === "0" ? Math.min(sent, 1) : Number(end) + 1;
  if (offset > descriptor.size) refuse(`claims to have ${offset} of ${descriptor.size} bytes`);
  const told = answer.headers.get("oci-chunk-min-length") ?? "";
  return {
    url: new URL(location, answer.url.href),
    offset,
    minChunk: /^\d{1,10}$/.test(told) ? Number(told) : minChunk,
  };
}

/** Added as text: what else is in the query may be signed as it stands. */
function withDigest(url: URL, digest: string): URL {
  const whole = new URL(url);
  whole.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`;
  return whole;
}

/** A part of the blob as a request's body, telling progress as it leaves. */
function piece(options: UploadOptions, start: number, length: number): RequestBody {
  const { source, onProgress } = options;
  return {
    length,
    async *open() {
      let sent = 0;
      if (length === 0) return;
      for await (const bytes of source(start)) {
        const part = bytes.subarray(0, length - sent);
        yield part;
        sent += part.byteLength;
        onProgress?.(start + sent);
        if (sent >= length) return;
      }
    },
  };
}
