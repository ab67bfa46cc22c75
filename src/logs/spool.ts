import { LineSplitter } from "./line-splitter.ts";
import { LogChange } from "./log-change.ts";
import {
  blocks,
  closeLogFiles,
  isShorter,
  type LogFile,
  type LogPlace,
  openLogFiles,
  openNewerLogFiles,
} from "./log-files.ts";
import { type LogRecord, parseLogRecord } from "./record.ts";
import type { ShipMark } from "./ship-mark.ts";

/** Records in order, and the place behind the last of them. */
export interface SpoolBatch {
  readonly records: readonly LogRecord[];
  readonly mark: Pick<ShipMark, "inode" | "firstTime" | "offset">;
}

/** See `readLog`: the end of the file is read once more this many milliseconds after a change. */
const settleTime = 25;
const newline = 0x0a;

/**
 * The files of a log as a queue for one reader. They are open while they wait, and are looked
 * after while the reader waits for its receiver: a file that the monitor has rotated away is counted and
 * let go, so that the disk holds no more than the log may have.
 */
export class Spool implements AsyncDisposable {
  readonly #place: LogPlace;
  readonly #splitter = new LineSplitter();
  #files: LogFile[] = [];
  /** The newest file that was seen, which may have been let go. */
  #newest: LogFile | undefined;
  #offset = 0;
  #firstTime = 0n;
  #dropped = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #news = Promise.withResolvers<void>();
  #change: LogChange | undefined;
  #isOver = true;
  #over = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(place: LogPlace) {
    this.#place = place;
  }

  /** Lines that were let go since the spool was opened. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Settles once the log is over, and all files that it has are open. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /**
   * Opens the files, and begins behind the mark if its file is still there, else with the oldest:
   * then false, and lines may be gone that no one has counted.
   */
  async open(mark: ShipMark): Promise<boolean> {
    return await this.#alone(async () => {
      this.#files = await openLogFiles(this.#place);
      this.#newest = this.#files.at(-1);
      const at = this.#files.findIndex(({ inode }) => inode === mark.inode);
      const file = this.#files[at];
      if (!file) return mark.inode === undefined;
      const isSame = mark.offset === 0 || (await firstTimeOf(file)) === mark.firstTime;
      if (!isSame || (await isShorter(file, mark.offset))) return false;
      await closeLogFiles(this.#files.splice(0, at));
      this.#offset = mark.offset;
      this.#firstTime = mark.firstTime;
      return true;
    });
  }

  /** Watches the log until `ended`: then no more will be written. May be called anew after that. */
  follow(ended: Promise<unknown>): void {
    this.#change?.[Symbol.dispose]();
    const change = new LogChange(this.#place.path, ended, undefined);
    this.#change = change;
    if (this.#isOver) this.#over = Promise.withResolvers();
    this.#isOver = false;
    void this.#attend(change);
  }

  /** The next records; undefined once the log is over and all is read, and after the spool was disposed of. */
  async next(): Promise<SpoolBatch | undefined> {
    for (;;) {
      const { promise } = this.#news;
      const isOver = this.#isOver;
      const batch = await this.#alone(() => this.#read());
      if (batch) return batch;
      if (isOver || this.#isClosed) return undefined;
      await promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#change?.[Symbol.dispose]();
    this.#over.resolve();
    this.#tell();
    await this.#alone(() => closeLogFiles(this.#files.splice(0)));
  }

  async #attend(change: LogChange): Promise<void> {
    let wasBusy = false;
    for (let ended = false; !ended && change === this.#change && !this.#isClosed; ) {
      ended = change.ended;
      // What cannot be opened now, for want of descriptors, is taken up after the next change.
      await this.#alone(() => this.#refresh()).catch(() => undefined);
      this.#tell();
      if (!ended) wasBusy = await change.wait(wasBusy ? settleTime : undefined);
    }
    if (change !== this.#change) return;
    change[Symbol.dispose]();
    this.#isOver = true;
    this.#over.resolve();
    this.#tell();
  }

  /** Takes up what was rotated in, and lets go of what was rotated away. */
  async #refresh(): Promise<void> {
    if (this.#isClosed) return;
    const newer = await openNewerLogFiles(this.#place, this.#newest);
    if (newer.length === 0) return;
    this.#files.push(...newer);
    this.#newest = newer.at(-1);
    const links = await Promise.all(this.#files.map(({ handle }) => handle.stat()));
    const gone = this.#files.filter((_, index) => links[index]?.nlink === 0);
    for (const file of gone) await this.#letGo(file);
  }

  async #letGo(file: LogFile): Promise<void> {
    const isHead = file === this.#files[0];
    const from = isHead ? this.#offset : 0;
    for await (const block of blocks(file, from)) {
      for (let at = block.indexOf(newline); at >= 0; at = block.indexOf(newline, at + 1))
        this.#dropped++;
    }
    this.#files = this.#files.filter((each) => each !== file);
    if (file === this.#newest) this.#newest = undefined;
    if (isHead) this.#begin();
    await file.handle.close();
  }

  /** One block with whole lines, if there is one. */
  async #read(): Promise<SpoolBatch | undefined> {
    for (;;) {
      const file = this.#files[0];
      if (!file || this.#isClosed) return undefined;
      let position = this.#offset + this.#splitter.pending;
      for await (const block of blocks(file, position)) {
        const lines = this.#splitter.push(block);
        position += block.byteLength;
        this.#offset = position - this.#splitter.pending;
        const records = lines.map(parseLogRecord).filter((record) => record !== undefined);
        if (this.#firstTime === 0n) this.#firstTime = records[0]?.time ?? 0n;
        if (records.length > 0) return { records, mark: this.#markOf(file) };
      }
      if (this.#files.length > 1) {
        await file.handle.close();
        this.#files.shift();
      } else if (!(await isShorter(file, this.#offset))) return undefined;
      this.#begin();
    }
  }

  #markOf({ inode }: LogFile): SpoolBatch["mark"] {
    return { inode, firstTime: this.#firstTime, offset: this.#offset };
  }

  /** The next file is read from its begin. */
  #begin(): void {
    this.#splitter.reset();
    this.#offset = 0;
    this.#firstTime = 0n;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** One after another: the queue is changed by its reader and by changes of the log. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

async function firstTimeOf(file: LogFile): Promise<bigint | undefined> {
  const splitter = new LineSplitter();
  for await (const block of blocks(file, 0)) {
    for (const line of splitter.push(block)) {
      const record = parseLogRecord(line);
      if (record) return record.time;
    }
  }
  return undefined;
}
