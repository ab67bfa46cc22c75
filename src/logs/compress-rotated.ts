import { constants, lstatSync, renameSync, unlinkSync } from "node:fs";
import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { crashPoint } from "./crash-point.ts";
import { gzipLog, type LogOrigin } from "./gzip-log.ts";

/** A log, and how its compressed files get their names. */
export interface CompressRotatedOptions {
  /** The current file. */
  readonly path: string;
  /** How many files the log may have, the current one included. */
  readonly maxFiles: number;
  /**
   * Puts PATH.gz in the place of the rotated file of that inode, wherever it is by then;
   * false when it is gone. While a monitor writes the log only that may do so.
   */
  readonly replace: (inode: bigint) => boolean | Promise<boolean>;
  readonly signal: AbortSignal;
}

/**
 * Compresses the rotated files of a log that are plain, oldest first, until none is left. A
 * compressed file is whole and on the disk before it takes the place of a plain one, which goes
 * after that: killed at any instant, this loses nothing and leaves at most PATH.gz, which
 * the next call overwrites. Faults as node's file functions do; with an AbortError by the signal.
 */
export async function compressRotated(options: CompressRotatedOptions): Promise<void> {
  const { path, replace, signal } = options;
  const packed = `${path}.gz`;
  const seen = new Set<bigint>();
  for (;;) {
    await using source = await oldestPlain(options, seen);
    if (!source) return;
    seen.add(source.origin.inode);
    try {
      await compressFile(source, packed, signal);
      crashPoint("log:compressed");
      signal.throwIfAborted();
      await replace(source.origin.inode);
    } finally {
      await rm(packed, { force: true });
    }
  }
}

async function compressFile(source: PlainFile, packed: string, signal: AbortSignal): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const target = await open(packed, flags, 0o600);
  try {
    await gzipLog(source.handle, target, { origin: source.origin, signal });
  } finally {
    await target.close();
  }
}

interface PlainFile extends AsyncDisposable {
  readonly handle: FileHandle;
  readonly origin: LogOrigin;
}

/** The oldest rotated file that is plain and was not seen yet. */
async function oldestPlain(
  { path, maxFiles }: Pick<CompressRotatedOptions, "path" | "maxFiles">,
  seen: ReadonlySet<bigint>,
): Promise<PlainFile | undefined> {
  const prefix = `${basename(path)}.`;
  const indexes = (await readdir(dirname(path)).catch(unlessMissing))
    ?.filter((name) => name.startsWith(prefix) && /^[1-9]\d*$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .filter((index) => index < maxFiles);
  for (const index of indexes?.toSorted((a, b) => b - a) ?? []) {
    const file = await openPlain(`${path}.${index}`).catch(unlessMissing);
    if (file && !seen.has(file.origin.inode)) return file;
    await file?.handle.close();
  }
  return undefined;
}

async function openPlain(path: string): Promise<PlainFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const { ino: inode, size, mtimeNs: mtime } = await handle.stat({ bigint: true });
  const origin = { inode, size, mtime };
  return { handle, origin, [Symbol.asyncDispose]: () => handle.close() };
}

function unlessMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}

/**
 * `replace` for a log that is no longer written. It is one synchronous step: not even this process
 * does anything in between.
 */
export function replaceRotated(path: string, maxFiles: number, inode: bigint): boolean {
  for (let index = 1; index < maxFiles; index++) {
    const plain = `${path}.${index}`;
    if (lstatSync(plain, { bigint: true, throwIfNoEntry: false })?.ino !== inode) continue;
    renameSync(`${path}.gz`, `${plain}.gz`);
    crashPoint("log:renamed");
    unlinkSync(plain);
    return true;
  }
  return false;
}
