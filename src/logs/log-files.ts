import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";

export const blockSize = 64 * 1024;

/** One file of a log, open: rotation renames it underneath without harm. */
export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
}

/** Where to begin reading: `offset` in `files[index]`, then every later file from its begin. */
export interface LogPosition {
  readonly index: number;
  readonly offset: number;
}

async function openFile(path: string): Promise<LogFile | undefined> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: a FIFO in its place must not block.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const { ino } = await handle.stat({ bigint: true });
  return { handle, inode: ino };
}

/**
 * The files of the log at `path`, oldest first. They are opened from the newest on:
 * a rotation meanwhile moves files the same way, so that one may be met twice (and
 * is taken once) but none is missed.
 */
export async function openLogFiles(path: string, maxFiles: number): Promise<LogFile[]> {
  const files: LogFile[] = [];
  try {
    for (let i = 0; i <= maxFiles; i++) {
      const file = await openFile(i === 0 ? path : `${path}.${i}`);
      if (!file && i > 0) break;
      if (!file) continue;
      if (files.some((other) => other.inode === file.inode)) await file.handle.close();
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

/** Opens what has come after `last`: none while `path` is still that file, several after quick rotations. */
export async function openNewerLogFiles(
  path: string,
  maxFiles: number,
  last: LogFile | undefined,
): Promise<LogFile[]> {
  if (last && (await inodeOf(path)) === last.inode) return [];
  const files = await openLogFiles(path, maxFiles);
  const at = files.findIndex((file) => file.inode === last?.inode);
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

/**
 * The begin of the last `count` lines, found from the end block by block. A last line
 * without its newline is still being written and does not count.
 */
export async function findTail(files: readonly LogFile[], count: number): Promise<LogPosition> {
  const block = Buffer.allocUnsafe(blockSize);
  let newlines = 0;
  for (let index = files.length - 1; index >= 0; index--) {
    const file = files[index] as LogFile;
    let end = (await file.handle.stat()).size;
    while (end > 0) {
      const begin = Math.max(0, end - blockSize);
      const { bytesRead } = await file.handle.read(block, 0, end - begin, begin);
      for (let i = bytesRead - 1; i >= 0; i--) {
        if (block[i] !== 0x0a) continue;
        if (newlines === count) return { index, offset: begin + i + 1 };
        newlines++;
      }
      end = begin;
    }
    // The newline that ends an older file's last line is met as the first byte from its end.
    if (newlines === count && index > 0) return { index, offset: 0 };
  }
  return { index: 0, offset: 0 };
}
