import { readNumber } from "./field.ts";
import { blockSize, paddingOf } from "./header.ts";
import type { PaxRecord } from "./pax.ts";

/** A run of stored bytes and where it stands in the file; all between is zero. */
export interface Fragment {
  readonly offset: number;
  readonly length: number;
}

/** GNU tar's manual, "Storing Sparse Files"; the formats differ in where the map is. */
export type SparseFormat =
  | { readonly kind: "pax"; readonly size: number; readonly map: readonly Fragment[] }
  /** The map comes before the content, as decimal lines filled up to a block. */
  | { readonly kind: "inline"; readonly size: number };

function integer(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

function pairs(numbers: readonly (number | undefined)[]): Fragment[] | undefined {
  if (numbers.length % 2 !== 0) return undefined;
  const map: Fragment[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const [offset, length] = [numbers[i], numbers[i + 1]];
    if (offset === undefined || length === undefined) return undefined;
    map.push({ offset, length });
  }
  return map;
}

/** How a member's PAX records say it is sparse: undefined when they do not, null when they are malformed. */
export function sparseOfPax(records: readonly PaxRecord[]): SparseFormat | undefined | null {
  const value = (key: string) => records.findLast(([each]) => each === key)?.[1];
  const major = value("GNU.sparse.major");
  const size = integer(value("GNU.sparse.realsize") ?? value("GNU.sparse.size"));
  if (major === "1" && value("GNU.sparse.minor") === "0") {
    return size === undefined ? null : { kind: "inline", size };
  }
  if (major !== undefined && major !== "0") return null;
  const numbers = value("GNU.sparse.map")?.split(",") ?? explicitPairs(records);
  if (numbers.length === 0 && size === undefined) return undefined;
  const map = pairs(numbers.filter((each) => each !== "").map(integer));
  return map === undefined || size === undefined ? null : { kind: "pax", size, map };
}

/** Format 0.0 repeats two keys, in turns. */
function explicitPairs(records: readonly PaxRecord[]): string[] {
  const found = records.filter(
    ([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes",
  );
  const inTurns = found.every(
    ([key], index) => key === (index % 2 === 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes"),
  );
  return inTurns ? found.map(([, value]) => value) : ["malformed", "malformed"];
}

/**
 * The map of the old GNU format: up to `count` pairs at `offset` of a block. A pair
 * of nothing ends it. Undefined when a number is malformed.
 */
export function readOldMap(block: Buffer, offset: number, count: number): Fragment[] | undefined {
  const map: Fragment[] = [];
  for (let i = 0; i < count; i++) {
    const at = offset + i * 24;
    if (block[at] === 0) break;
    const start = readNumber(block, at, 12);
    const length = readNumber(block, at + 12, 12);
    if (start === undefined || length === undefined || start < 0n || length < 0n) return undefined;
    map.push({ offset: Number(start), length: Number(length) });
  }
  return map;
}

/** Reads the map at the head of a member's content, block by block; it takes up whole blocks. */
export class InlineMapReader {
  readonly #blocks: Buffer[] = [];
  #newlines = 0;
  #wanted = 1;

  /** Takes one block: the map once it is complete, undefined before, null when it is malformed. */
  add(block: Buffer): readonly Fragment[] | undefined | null {
    this.#blocks.push(Buffer.from(block));
    for (const byte of block) if (byte === 0x0a) this.#newlines++;
    if (this.#blocks.length === 1) {
      const end = block.indexOf(0x0a);
      const count = integer(block.toString("latin1", 0, Math.max(end, 0)));
      if (count === undefined) return null;
      this.#wanted = 1 + 2 * count;
    }
    if (this.#newlines < this.#wanted) return undefined;
    const lines = Buffer.concat(this.#blocks).toString("latin1").split("\n", this.#wanted);
    return pairs(lines.slice(1).map(integer)) ?? null;
  }

  get bytes(): number {
    return this.#blocks.length * blockSize;
  }
}

/**
 * The map of format 1.0, filled up to a block: the number of runs, then of each its offset and
 * length, and one of nothing at the end of a file that ends in a hole.
 */
export function encodeInlineMap(map: readonly Fragment[], size: number): Buffer {
  const last = map.at(-1);
  const endsInData = last !== undefined && last.offset + last.length === size;
  const runs = endsInData ? map : [...map, { offset: size, length: 0 }];
  const numbers = runs.flatMap(({ offset, length }) => [offset, length]);
  const text = Buffer.from([runs.length, ...numbers].map((each) => `${each}\n`).join(""));
  return Buffer.concat([text, Buffer.alloc(paddingOf(text.length))]);
}

/** Whether the runs ascend without overlap, lie within the file and are `stored` bytes together. */
export function isSoundMap(map: readonly Fragment[], size: number, stored: number): boolean {
  let end = 0;
  let total = 0;
  for (const { offset, length } of map) {
    if (offset < end || !Number.isSafeInteger(offset + length)) return false;
    end = offset + length;
    total += length;
  }
  return end <= size && total === stored;
}
