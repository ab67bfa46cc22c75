import { createHash } from "node:crypto";
import { constants, realpathSync } from "node:fs";
import { open } from "node:fs/promises";
import { hostname } from "node:os";
import { faultOf } from "#base";
import type { Client } from "#client";
import { IgnoreMatcher, parseIgnoreFile } from "#dockerfile";
import { type TarHeader, TarWriter, textToName } from "#tar";
import type { ContextEntry } from "#wire";
import { reasonOf } from "../local-file.ts";
import { entryOf, refusal, walkContext } from "./context-walk.ts";
import { trackedModes } from "./git-tree.ts";

const chunkSize = 256 << 10;

/** A directory of this machine, to be a context. */
export interface SentDirectory {
  readonly directory: string;
  /** The text of the .dockerignore. */
  readonly ignored: string | undefined;
  /** What tells it from another context of the same directory. */
  readonly purpose: string;
}

interface SendOptions {
  readonly client: Client;
  readonly signal: AbortSignal;
  /** Bytes that have left so far. */
  readonly onSent: (bytes: number) => void;
  readonly warn: (message: string) => Promise<void>;
}

/** Brings the engine's copy of a directory to its present state; gives the context's id. */
export async function sendDirectory(
  { directory, ignored, purpose }: SentDirectory,
  { client, signal, onSent, warn }: SendOptions,
): Promise<string> {
  const entries = await entriesOf({ directory, ignored }, warn);
  const whole = realpathSync(directory);
  const key = createHash("sha256").update(JSON.stringify([hostname(), whole, purpose]));
  let sent = 0;
  const counted = async function* (source: AsyncIterable<Uint8Array>) {
    for await (const bytes of source) {
      yield bytes;
      sent += bytes.byteLength;
      onSent(sent);
    }
  };
  const list = counted(listed(entries));
  const { id, wanted } = await client.builds.listContext(key.digest("hex"), list, signal);
  if (wanted.length === 0) return id;
  const files = wanted.flatMap((line) => entries[line] ?? []);
  await client.builds.sendFiles(id, counted(archived(directory, files)), signal);
  return id;
}

/** What is sent of a directory; files that git tracks with the modes that git has. */
async function entriesOf(
  { directory, ignored }: Pick<SentDirectory, "directory" | "ignored">,
  warn: SendOptions["warn"],
): Promise<readonly ContextEntry[]> {
  const patterns = ignored === undefined ? [] : parseIgnoreFile(ignored);
  const matcher = patterns.length === 0 ? undefined : new IgnoreMatcher(patterns);
  let failure: unknown;
  // Git looks while this process walks.
  const asking = trackedModes(directory).catch((error: unknown) => {
    failure = error;
    return undefined;
  });
  const { entries, sockets } = walkContext(directory, matcher);
  for (const path of sockets) await warn(`the socket ${path} is left out of the context`);
  const tracked = await asking;
  if (failure !== undefined) {
    const why = faultOf(failure).message;
    await warn(`git cannot tell the files that it tracks, which keep the modes they have: ${why}`);
  }
  return tracked ? entries.map((each) => tracked.shared(each)) : entries;
}

async function* listed(entries: readonly ContextEntry[]): AsyncGenerator<Uint8Array> {
  const lines = 2000;
  for (let at = 0; at < entries.length; at += lines) {
    const some = entries.slice(at, at + lines).map((entry) => `${JSON.stringify(entry)}\n`);
    yield Buffer.from(some.join(""));
  }
}

async function* archived(
  directory: string,
  files: readonly ContextEntry[],
): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let size = 0;
  const writer = new TarWriter((bytes) => {
    pending.push(bytes);
    size += bytes.byteLength;
  });
  const flush = () => {
    const all = Buffer.concat(pending);
    pending = [];
    size = 0;
    return all;
  };
  for (const entry of files) {
    for await (const bytes of contentOf(directory, entry)) {
      if (bytes === undefined) writer.entry(headerOf(entry));
      else writer.data(bytes);
      if (size >= chunkSize) yield flush();
    }
  }
  writer.finish();
  yield flush();
}

/** First undefined, when the file has been opened and is what was listed; then its bytes. */
async function* contentOf(
  directory: string,
  entry: ContextEntry,
): AsyncGenerator<Uint8Array | undefined> {
  // A pipe that has taken the file's place is not waited for.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await using file = await open(`${directory}/${entry.path}`, flags).catch((error: unknown) => {
    throw refusal(entry.path, `cannot read ${entry.path}: ${reasonOf(error)}`);
  });
  const check = async () => {
    const now = entryOf(entry.path, await file.stat({ bigint: true }));
    if (now.size === entry.size && now.mtime === entry.mtime) return;
    throw changed(entry);
  };
  await check();
  yield undefined;
  for (let left = entry.size; left > 0; ) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkSize, left));
    const { bytesRead } = await file.read(chunk, 0, chunk.length);
    if (bytesRead === 0) throw changed(entry);
    left -= bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
  await check();
}

function changed({ path }: ContextEntry): Error {
  return refusal(path, `${path} changed while it was sent; build again when nothing writes to it`);
}

function headerOf({ path, mode, size, mtime }: ContextEntry): TarHeader {
  const owner = { uid: 0, gid: 0 };
  const name = textToName(path);
  const times = { mtime: BigInt(mtime) };
  return { ...owner, ...times, name, type: "file", mode: mode & 0o7777, size, linkName: "" };
}
