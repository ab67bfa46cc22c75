import { systemClock } from "#base";
import { LineSplitter } from "./line-splitter.ts";
import { LogChange } from "./log-change.ts";
import {
  blocks,
  closeLogFiles,
  findTail,
  isShorter,
  type LogFile,
  type LogPlace,
  type LogPosition,
  openLogFiles,
  openNewerLogFiles,
} from "./log-files.ts";
import { type LogRecord, parseLogRecord } from "./record.ts";

/** A log, and the part of it to read. */
export interface ReadLogOptions extends LogPlace {
  /** The last n records; absent: all. */
  readonly tail?: number;
  /** Nanoseconds since the epoch, inclusive. */
  readonly since?: bigint;
  readonly until?: bigint;
  /**
   * Follows the log until this promise settles (nothing more will be written) and all is
   * read. Absent: ends with the records that exist now.
   */
  readonly ended?: Promise<unknown>;
  readonly signal?: AbortSignal;
}

/**
 * Bun's watch drops an event that is like the last one and within 10 ms of it, which may be
 * the only one of a line. So the end of the file is read again after so many milliseconds, so many times after
 * the last change.
 */
const settleTime = 5;
const settleTimes = 5;
const newline = 0x0a;

/**
 * The records of a log in the order written, in batches (one for each block read).
 * A log that does not exist is empty. Memory: one block and one record, however long
 * the log; the reader's pace is the caller's. Leaving the loop closes everything.
 */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<readonly LogRecord[]> {
  const stop = { done: false };
  for await (const lines of readLines(options)) {
    const batch = select(lines, options, stop);
    if (batch.length > 0) yield batch;
    if (stop.done) return;
  }
}

/** The lines of a log's files, whole and with their newlines, otherwise as `readLog`; each piece is valid until the next. */
export async function* readLines(options: ReadLogOptions): AsyncGenerator<Uint8Array> {
  // Before the files are looked at, so that no change falls in between.
  using change = options.ended
    ? new LogChange(options.path, options.ended, options.signal)
    : undefined;
  let files = await openLogFiles(options);
  try {
    const start = await startPosition(files, options.tail);
    let offset = start.offset;
    files = await dropUpTo(files, start.index);
    const splitter = new LineSplitter();
    let settling = 0;
    for (;;) {
      for (;;) {
        const file = files[0];
        if (!file) break;
        const limit = change ? undefined : (await file.handle.stat()).size;
        for await (const block of blocks(file, offset, limit)) {
          offset += block.byteLength;
          settling = settleTimes;
          const lines = splitter.whole(block);
          if (lines.byteLength > 0) yield lines;
          if (options.signal?.aborted) return;
        }
        if (files.length > 1) files = await dropUpTo(files, 1);
        else if (!change || !(await isShorter(file, offset))) break;
        // From its begin: the next file, or the same one after somebody has cut it short.
        splitter.reset();
        offset = 0;
      }
      if (!change || options.signal?.aborted || isPast(options.until)) return;
      const ended = change.ended;
      const newer = await openNewerLogFiles(options, files[0]);
      files.push(...newer);
      if (newer.length > 0) continue;
      if (ended) return;
      const left = millisecondsTo(options.until);
      const pause = settling > 0 ? Math.min(left ?? settleTime, settleTime) : left;
      settling = (await change.wait(pause)) ? settleTimes : Math.max(0, settling - 1);
    }
  } finally {
    await closeLogFiles(files);
  }
}

async function startPosition(files: readonly LogFile[], tail?: number): Promise<LogPosition> {
  if (tail === undefined || files.length === 0) return { index: 0, offset: 0 };
  return await findTail(files, tail);
}

async function dropUpTo(files: readonly LogFile[], index: number): Promise<LogFile[]> {
  await closeLogFiles(files.slice(0, index));
  return files.slice(index);
}

function select(lines: Uint8Array, options: ReadLogOptions, stop: { done: boolean }): LogRecord[] {
  const batch: LogRecord[] = [];
  for (let at = 0, end = 0; at < lines.byteLength; at = end + 1) {
    end = lines.indexOf(newline, at);
    const record = parseLogRecord(lines.subarray(at, end));
    if (!record) continue;
    if (options.since !== undefined && record.time < options.since) continue;
    if (options.until !== undefined && record.time > options.until) {
      stop.done = true;
      break;
    }
    batch.push(record);
  }
  return batch;
}

function isPast(until: bigint | undefined): boolean {
  return until !== undefined && systemClock.now() > until;
}

function millisecondsTo(until: bigint | undefined): number | undefined {
  if (until === undefined) return undefined;
  return Math.max(0, Number((until - systemClock.now()) / 1_000_000n) + 1);
}
