import type { OutputPart } from "#client";

/** A record of one of several logs. */
export interface MergedRecord {
  /** Its place among the logs. */
  readonly index: number;
  readonly stream: OutputPart["stream"];
  /** RFC 3339 in UTC with nine digits of fraction, so that texts compare as times do. */
  readonly time: string;
  /** With its newline, if it has one: a part of a long line has none. */
  readonly text: Uint8Array;
}

const [space, newline] = [0x20, 0x0a] as const;
/** Milliseconds that a record waits for earlier ones of logs that are silent. */
const grace = 100;

/** One of the logs: what has come of it, and whether more is asked for. */
class Source {
  readonly records: MergedRecord[] = [];
  isOver = false;
  /** It has let the others wait for an instant already. */
  isQuiet = false;
  readonly #parts: AsyncIterator<readonly MergedRecord[]>;
  #asked: Promise<void> | undefined;

  constructor(parts: AsyncIterable<readonly MergedRecord[]>) {
    this.#parts = parts[Symbol.asyncIterator]();
  }

  /** Settles when there is a record or the end: asks only while there is none. */
  more(): Promise<void> {
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = undefined;
    });
    return this.#asked;
  }

  async #ask(): Promise<void> {
    while (this.records.length === 0 && !this.isOver) {
      const { value, done } = await this.#parts.next();
      if (done) this.isOver = true;
      else this.records.push(...value);
    }
    this.isQuiet = false;
  }
}

/**
 * The records of several logs by their times; each log comes in order, with timestamps, and a part of
 * `framed` ones is a record. Those that follow do not wait for silent ones for longer than an instant. Memory: what the
 * latest part of each log holds.
 */
export async function* mergeLogs(
  logs: readonly { readonly parts: AsyncIterable<OutputPart>; readonly framed: boolean }[],
  { follow }: { readonly follow: boolean },
): AsyncGenerator<MergedRecord> {
  const sources = logs.map(
    ({ parts, framed }, index) => new Source(framed ? frames(parts, index) : lines(parts, index)),
  );
  for (;;) {
    const silent = sources.filter(({ records, isOver }) => records.length === 0 && !isOver);
    const first = earliest(sources);
    const waits = silent.map((source) => source.more());
    if (!first && silent.length === 0) return;
    if (!first) await Promise.race(waits);
    else if (!follow && silent.length > 0) await Promise.all(waits);
    else if (silent.some(({ isQuiet }) => !isQuiet)) {
      const inTime = await isInTime(waits);
      if (!inTime) for (const source of silent) source.isQuiet = true;
    } else yield first.records.shift() as MergedRecord;
  }
}

function earliest(sources: readonly Source[]): Source | undefined {
  let found: Source | undefined;
  for (const source of sources) {
    const [record] = source.records;
    const best = found?.records[0];
    if (record && (!best || record.time < best.time)) found = source;
  }
  return found;
}

/** Whether one of them settles within the grace. */
async function isInTime(waits: readonly Promise<void>[]): Promise<boolean> {
  let timer: Timer | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, grace, false);
  });
  const inTime = Promise.race(waits).then(() => true);
  try {
    return await Promise.race([inTime, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function* frames(
  parts: AsyncIterable<OutputPart>,
  index: number,
): AsyncGenerator<readonly MergedRecord[]> {
  let begun: Uint8Array[] = [];
  for await (const { stream, bytes, isCut } of parts) {
    if (isCut) begun.push(bytes.slice());
    else
      yield [recordOf(index, stream, begun.length > 0 ? Buffer.concat([...begun, bytes]) : bytes)];
    if (!isCut) begun = [];
  }
}

/** The log of a terminal has no frames: its records are lines. */
async function* lines(
  parts: AsyncIterable<OutputPart>,
  index: number,
): AsyncGenerator<readonly MergedRecord[]> {
  let rest: Uint8Array = new Uint8Array();
  for await (const { bytes } of parts) {
    const all = rest.byteLength > 0 ? Buffer.concat([rest, bytes]) : bytes;
    const records: MergedRecord[] = [];
    let start = 0;
    for (let end = all.indexOf(newline); end >= 0; end = all.indexOf(newline, start)) {
      records.push(recordOf(index, "stdout", all.subarray(start, end + 1)));
      start = end + 1;
    }
    rest = all.slice(start);
    yield records;
  }
  if (rest.byteLength > 0) yield [recordOf(index, "stdout", rest)];
}

function recordOf(index: number, stream: OutputPart["stream"], bytes: Uint8Array): MergedRecord {
  const end = bytes.indexOf(space);
  const time = Buffer.from(bytes.buffer, bytes.byteOffset, Math.max(0, end)).toString("latin1");
  return { index, stream, time, text: bytes.subarray(end + 1) };
}
