import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { gunzipLog, type LogOrigin, readOrigin } from "./gzip-log.ts";

const blockSize = 64 * 1024;
const largeBlockSize = 4 * blockSize;
const newline = 0x0a;

/** One file of a log, open: rotation renames it underneath without harm. */
export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
  readonly isCompressed: boolean;
  /** The origin of a compressed file, if the file names it. */
  readonly origin?: LogOrigin | undefined;
}

/** Where to begin reading: `offset` in the plain bytes of `files[index]`, then every later file from its begin. */
export interface LogPosition {
  readonly index: number;
  readonly offset: number;
}

async function openFile(path: string, isCompressed: boolean): Promise<LogFile | undefined> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: a FIFO in its place must not block.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const { ino: inode } = await handle.stat({ bigint: true });
  return { handle, inode, isCompressed, ...(isCompressed && { origin: await readOrigin(handle) }) };
}

/** Plain first: its compressed form is there before it goes. */
async function openRotated(path: string): Promise<LogFile | undefined> {
  return (await openFile(path, false)) ?? (await openFile(`${path}.gz`, true));
}

/** Whether two open files are the same: one file, or a file and its compressed form. */
async function isSame(a: LogFile, b: LogFile): Promise<boolean> {
  if (a.isCompressed === b.isCompressed) return a.inode === b.inode;
  const [plain, compressed] = a.isCompressed ? [b, a] : [a, b];
  const { origin } = compressed;
  if (origin?.inode !== plain.inode) return false;
  // An inode's number may have had an earlier file.
  const { size, mtimeNs } = await plain.handle.stat({ bigint: true });
  return size === origin.size && mtimeNs === origin.mtime;
}

async function placeOf(file: LogFile, files: readonly LogFile[]): Promise<number> {
  for (const [index, other] of files.entries()) if (await isSame(file, other)) return index;
  return -1;
}

/** Keeps the log from being rotated until it is disposed of; undefined when nothing can. */
export type HoldRotation = () => Promise<Disposable | undefined>;

/** Where a log's files are. */
export interface LogPlace {
  /** The current file; rotated ones are `path.1` or, compressed, `path.1.gz`, and so on. */
  readonly path: string;
  /** How many files the log may have, the current one included. */
  readonly maxFiles: number;
  /** For a log that a monitor writes. */
  readonly hold?: HoldRotation;
}

/**
 * The files of a log, oldest first. They are opened from the newest on: a rotation that is not held
 * back moves files the same way, so that one may be met twice (and is taken once) but no file is
 * missed.
 */
export async function openLogFiles({ path, maxFiles, hold }: LogPlace): Promise<LogFile[]> {
  using _held = maxFiles > 1 ? await hold?.() : undefined;
  const files: LogFile[] = [];
  try {
    // A rotation leaves one place empty for an instant; after two there is nothing more.
    for (let index = 0, empty = 0; index <= maxFiles && empty < 2; index++) {
      const file = await (index === 0 ? openFile(path, false) : openRotated(`${path}.${index}`));
      empty = file ? 0 : empty + 1;
      if (!file) continue;
      if ((await placeOf(file, files)) >= 0) await file.handle.close();
      else files.unshift(file);
    }
  } catch (error) {
    await closeLogFiles(files);
    throw error;
  }
  return files;
}

/** Settles when all are closed. */
export async function closeLogFiles(files: readonly LogFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.handle.close()));
}

/**
 * Opens the files that came after `last`: an empty list while the current file is still that,
 * several after quick rotations.
 */
export async function openNewerLogFiles(
  place: LogPlace,
  last: LogFile | undefined,
): Promise<LogFile[]> {
  if (last && !last.isCompressed && (await inodeOf(place.path)) === last.inode) return [];
  const files = await openLogFiles(place);
  const at = last ? await placeOf(last, files) : -1;
  await closeLogFiles(files.slice(0, at + 1));
  return files.slice(at + 1);
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  try {
    return (await stat(path, { bigint: true })).ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The plain bytes of a file from `offset` to its end, or to `limit`; each block is valid until the next. */
export async function* blocks(
  file: LogFile,
  offset: number,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  if (file.isCompressed) return yield* skipped(gunzipLog(file.handle), offset);
  let block = Buffer.allocUnsafe(blockSize);
  while (offset < limit) {
    const { bytesRead } = await file.handle.read(block, 0, block.byteLength, offset);
    if (bytesRead === 0) return;
    const wanted = Math.min(bytesRead, limit - offset);
    offset += wanted;
    yield block.subarray(0, wanted);
    // Who reads on reads much.
    if (bytesRead === blockSize) block = Buffer.allocUnsafe(largeBlockSize);
  }
}

async function* skipped(
  chunks: AsyncIterable<Uint8Array>,
  offset: number,
): AsyncGenerator<Uint8Array> {
  let left = offset;
  for await (const chunk of chunks) {
    const cut = Math.min(left, chunk.byteLength);
    left -= cut;
    if (cut < chunk.byteLength) yield chunk.subarray(cut);
  }
}

/** Whether a file has been cut to less than the part that was read of it. */
export async function isShorter({ handle, isCompressed }: LogFile, offset: number) {
  return !isCompressed && (await handle.stat()).size < offset;
}

/**
 * The begin of the last `count` lines, found from the end. A last line without its
 * newline is still being written and does not count.
 */
export async function findTail(files: readonly LogFile[], count: number): Promise<LogPosition> {
  // The last line begins behind the newline that is the second from the end.
  let left = count + 1;
  for (let index = files.length - 1; index >= 0; index--) {
    const file = files[index] as LogFile;
    const found = await (file.isCompressed ? newlineOf(file, left) : newlineFromEnd(file, left));
    if (found.offset !== undefined) return { index, offset: found.offset };
    left -= found.newlines;
    // The newline that ends an older file's last line is met as the first byte from its end.
    if (left === 1 && index > 0) return { index, offset: 0 };
  }
  return { index: 0, offset: 0 };
}

/** Where the line behind the `wanted`th newline from the end begins; else how many there are. */
interface FoundNewline {
  readonly offset?: number;
  readonly newlines: number;
}

async function newlineFromEnd({ handle }: LogFile, wanted: number): Promise<FoundNewline> {
  const block = Buffer.allocUnsafe(blockSize);
  let newlines = 0;
  for (let end = (await handle.stat()).size; end > 0; ) {
    const begin = Math.max(0, end - blockSize);
    const { bytesRead } = await handle.read(block, 0, end - begin, begin);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (block[at] === newline && ++newlines === wanted)
        return { offset: begin + at + 1, newlines };
    }
    end = begin;
  }
  return { newlines };
}

/** A compressed file is read from its begin only: once to count, once to find. */
async function newlineOf(file: LogFile, wanted: number): Promise<FoundNewline> {
  const { passed: newlines } = await passNewlines(file, Number.POSITIVE_INFINITY);
  if (newlines < wanted) return { newlines };
  return { offset: (await passNewlines(file, newlines - wanted + 1)).end, newlines };
}

/** Reads until `count` newlines are passed; gives how many were, and where the last one ends. */
async function passNewlines(
  file: LogFile,
  count: number,
): Promise<{ readonly passed: number; readonly end: number }> {
  let [passed, end, before] = [0, 0, 0];
  for await (const block of blocks(file, 0)) {
    for (let at = block.indexOf(newline); at >= 0; at = block.indexOf(newline, at + 1)) {
      end = before + at + 1;
      if (++passed === count) return { passed, end };
    }
    before += block.byteLength;
  }
  return { passed, end };
}
