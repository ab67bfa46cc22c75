import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { defined, Fault, limitStalls } from "#base";
import type { RemoteSource } from "./operation.ts";

/** What a server says of a file, so that it need not be sent again. */
export interface RemoteVersion {
  readonly tag: string;
  /** "sha256:..." */
  readonly digest: string;
}

/** A longer silence than this ends a download. */
const stallMs = 60_000;

/**
 * Downloads a file of the web into a directory, as root's with the mode 0600, and the time that the
 * server says or else 1970; gives its digest. With a known version that is still the server's nothing
 * is downloaded, and the version comes back. `invalid` when the bytes do not have their checksum.
 */
export async function download(
  source: RemoteSource,
  into: { readonly directory: string; readonly known?: RemoteVersion | undefined },
  signal: AbortSignal,
): Promise<RemoteVersion> {
  const { url, fileName, checksum } = source;
  const { directory, known } = into;
  const response = await request(url, known, signal);
  if (response.status === 304 && known) return known;
  if (!response.ok || !response.body) {
    const what = `invalid response status ${response.status}`;
    throw new Fault("unavailable", `failed to fetch ${url}: ${what}`, { about: url });
  }
  const path = join(directory, fileName);
  const algorithm = checksum?.slice(0, checksum.indexOf(":")) ?? "sha256";
  const hash = createHash("sha256");
  const checked = algorithm === "sha256" ? hash : createHash(algorithm);
  const body = limitStalls(response.body, stallMs, `the download of ${url}`);
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk);
      if (checked !== hash) checked.update(chunk);
      yield chunk;
    }
  };
  try {
    await pipeline(Readable.from(counted()), createWriteStream(path, { mode: 0o600 }), { signal });
  } catch (error) {
    if (signal.aborted) throw new Fault("canceled", `fetching ${url} was canceled`);
    throw unreachable(url, error);
  }
  const digest = `sha256:${hash.digest("hex")}`;
  const found = checked === hash ? digest : `${algorithm}:${checked.digest("hex")}`;
  if (checksum !== undefined && found !== checksum) {
    throw new Fault("invalid", `digest mismatch ${found}: ${checksum}`, { about: url });
  }
  const changed = Date.parse(response.headers.get("last-modified") ?? "");
  const time = Number.isNaN(changed) ? 0 : changed / 1000;
  await utimes(path, time, time);
  return { digest, tag: response.headers.get("etag") ?? "" };
}

async function request(
  url: string,
  known: RemoteVersion | undefined,
  signal: AbortSignal,
): Promise<Response> {
  const headers = defined({ "if-none-match": known?.tag || undefined });
  try {
    // A file is stored as the server has it: what is compressed stays so.
    return await fetch(url, { headers: { ...headers, "accept-encoding": "identity" }, signal });
  } catch (error) {
    if (signal.aborted) throw new Fault("canceled", `fetching ${url} was canceled`);
    throw unreachable(url, error);
  }
}

function unreachable(url: string, error: unknown): Fault {
  const why = error instanceof Error ? error.message : String(error);
  return new Fault("unavailable", `failed to fetch ${url}: ${why}`, { about: url, cause: error });
}
