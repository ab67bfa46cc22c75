import { Fault, isFault, type Log, Patience, silentLog } from "#base";
import type { Descriptor } from "#image";
import type { Answer, Call, EndpointSession } from "./endpoint-session.ts";
import { type Attempt, attempted, isWebPage, webPageFault } from "./response-fault.ts";
import { type Backoff, isPassing } from "./retry.ts";

/** One place that may have the blob. */
export interface BlobPlace {
  readonly session: EndpointSession;
  readonly target: string | URL;
  readonly scopes: readonly string[];
  /** The address stands in the image's manifest, which anybody may have written. */
  readonly isForeign?: boolean;
}

export interface DownloadOptions {
  /** In the order to try. */
  readonly places: readonly BlobPlace[];
  readonly descriptor: Pick<Descriptor, "digest" | "size">;
  readonly offset: number;
  readonly backoff: Backoff;
  readonly log?: Log | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that must come before a failure is forgotten; without them a registry that drips could hold us for ever. */
const progressBytes = 64 << 10;
const maxFailures = 1000;

/**
 * The bytes of a blob from `offset` on, exactly as many as its size says. A connection that drops
 * or stalls is followed by another that asks for the rest (Range, RFC 9110 section 14); when a
 * registry sends all of it again, the bytes that were read already are skipped. A place that fails
 * for good, or too often, is followed by the next, from the same offset.
 */
export async function* downloadBlob(options: DownloadOptions): AsyncGenerator<Uint8Array> {
  const { places, descriptor, backoff, log = silentLog, signal } = options;
  const { size } = descriptor;
  let position = options.offset;
  if (position > size) {
    throw new Fault(
      "invalid",
      `blob ${descriptor.digest} has ${size} bytes; ${position} is beyond`,
    );
  }
  let failure: unknown;
  let total = 0;
  for (const place of places) {
    const patience = new Patience(backoff, signal);
    while (position < size) {
      const begun = position;
      // The session has its own tries until an answer begins.
      const part = await open(place, descriptor, position, signal).catch((error: unknown) => {
        if (signal?.aborted) throw error;
        failure = error;
      });
      if (!part) break;
      try {
        for await (const bytes of part) {
          position += bytes.byteLength;
          yield bytes;
        }
      } catch (error) {
        if (signal?.aborted) throw error;
        failure = error;
        log.debug("download failed", { digest: descriptor.digest, position, error });
        if (position - begun >= progressBytes) patience.renew();
        // A stall has cost time already.
        const bears = patience.bears(isFault(error, "timeout") ? 2 : 1);
        if (!bears || ++total > maxFailures || !isPassing(error)) break;
        await patience.pause();
      }
    }
    if (position >= size) return;
  }
  if (position >= size) return;
  const attempt = { action: actionOf(descriptor.digest), host: "" };
  throw (
    attempted(attempt, failure) ??
    new Fault("not_found", `no registry has the blob ${descriptor.digest}`)
  );
}

function actionOf(digest: string): string {
  return `fetch blob ${digest}`;
}

/** Asks for the blob from `position` on; the answer's head is checked, its body is still to come. */
async function open(
  place: BlobPlace,
  descriptor: Pick<Descriptor, "digest" | "size">,
  position: number,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const { digest, size } = descriptor;
  const call: Call = {
    action: actionOf(digest),
    method: "GET",
    target: place.target,
    scopes: place.scopes,
    ...(place.isForeign && { isForeign: true }),
    headers: [
      ["Accept-Encoding", "identity"],
      ...(position > 0 ? [["Range", `bytes=${position}-${size - 1}`] as const] : []),
    ],
    expect: [200, 206],
    signal,
  };
  const answer = await place.session.call(call);
  const attempt = { action: call.action, host: answer.url.host };
  try {
    const skip = checkAnswer(attempt, answer, position, size);
    return exactly(attempt, answer, { skip, length: size - position });
  } catch (error) {
    await answer.discard();
    throw error;
  }
}

async function* exactly(
  attempt: Attempt,
  answer: Answer,
  expected: { skip: number; length: number },
): AsyncGenerator<Uint8Array> {
  let { skip, length: left } = expected;
  for await (const bytes of answer.body) {
    const skipped = Math.min(skip, bytes.byteLength);
    skip -= skipped;
    left -= bytes.byteLength - skipped;
    if (left < 0) throw wrongSize(attempt, expected.length, "more");
    if (skipped < bytes.byteLength) yield bytes.subarray(skipped);
  }
  if (left > 0) throw wrongSize(attempt, expected.length, `only ${expected.length - left}`);
}

/** How many bytes of the answer are known already. Announced lengths that do not fit are refused before a byte is read. */
function checkAnswer(attempt: Attempt, answer: Answer, position: number, size: number): number {
  if (isWebPage(answer)) throw webPageFault(attempt);
  const encoding = answer.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new Fault("unsupported", `cannot ${attempt.action}: ${attempt.host} sends it encoded`);
  }
  const isPart = answer.status === 206;
  const range = answer.headers.get("content-range") ?? "";
  if (isPart && !range.startsWith(`bytes ${position}-${size - 1}/`)) {
    throw new Fault(
      "invalid",
      `cannot ${attempt.action}: ${attempt.host} answers with another range than was asked for`,
      { about: attempt.host },
    );
  }
  const expected = isPart ? size - position : size;
  if (answer.length !== undefined && answer.length !== expected) {
    throw wrongSize(attempt, expected, String(answer.length));
  }
  return isPart ? 0 : position;
}

function wrongSize({ action, host }: Attempt, size: number, found: string): Fault {
  return new Fault(
    "data_loss",
    `cannot ${action}: ${size} bytes are expected, ${host} sends ${found}`,
    {
      about: host,
    },
  );
}
