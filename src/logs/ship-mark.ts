import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";

/** How far a log has been shipped. */
export interface ShipMark {
  /** Of the file that is read; undefined before the first. */
  readonly inode: bigint | undefined;
  /** The time of that file's first record, which tells it from a later file of the same inode. */
  readonly firstTime: bigint;
  /** Bytes of the file that need not be shipped again. */
  readonly offset: number;
  /** Lines that were shipped. */
  readonly shipped: number;
  /** Lines that were rotated away before they could be shipped. */
  readonly dropped: number;
}

/** Where nothing has been shipped. */
export const firstMark: ShipMark = {
  ...{ inode: undefined, firstTime: 0n, offset: 0, shipped: 0, dropped: 0 },
};

/** Of the file, always: so that a later write needs no space, which a full disk would refuse. */
const size = 512;

/** A mark that outlives the process. Its file is written in place, in one write within one page. */
export class MarkFile implements Disposable {
  readonly #path: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The first mark where there is none that can be read. */
  read(): ShipMark {
    const bytes = Buffer.alloc(size);
    try {
      const length = readSync(this.#open(constants.O_RDWR), bytes, 0, size, 0);
      return decode(bytes.toString("utf8", 0, length)) ?? firstMark;
    } catch {
      return firstMark;
    }
  }

  /** Faults as node's file functions do; the mark of before stays. */
  write(mark: ShipMark): void {
    const { inode, firstTime, offset, shipped, dropped } = mark;
    const fields = { inode: String(inode), firstTime: String(firstTime), offset, shipped, dropped };
    writeSync(
      this.#open(constants.O_RDWR | constants.O_CREAT),
      `${JSON.stringify(fields).padEnd(size - 1)}\n`,
      0,
    );
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(flags: number): number {
    this.#fd ??= openSync(this.#path, flags | constants.O_NOFOLLOW, 0o600);
    return this.#fd;
  }
}

function decode(text: string): ShipMark | undefined {
  try {
    const { inode, firstTime, offset, shipped, dropped } = JSON.parse(text);
    const counts = [offset, shipped, dropped];
    if (!counts.every((count) => Number.isSafeInteger(count) && count >= 0)) return undefined;
    return { inode: BigInt(inode), firstTime: BigInt(firstTime), offset, shipped, dropped };
  } catch {
    return undefined;
  }
}
