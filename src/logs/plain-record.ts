import type { LogStream } from "./record.ts";

/** A record of json-file as monitors write it, `{"log":"TEXT","stream":"stdout","time":"TIME"}` and a newline. */
const head = Buffer.from('{"log":"');
const stdoutTail = Buffer.from('","stream":"stdout","time":"');
const stderrTail = Buffer.from('","stream":"stderr","time":"');
/** Its length without a fraction, and that of nine digits with their point. */
const [secondsLength, fractionLength] = [19, 10] as const;
const [quote, backslash, space, point, zero, zulu] = [0x22, 0x5c, 0x20, 0x2e, 0x30, 0x5a] as const;
const [closing, newline] = [0x7d, 0x0a] as const;

/** A time with nine digits of fraction and its zone, as `logs --timestamps` shows it. */
export const stampLength = secondsLength + fractionLength + 1;

/**
 * Decodes a record without making values of it: so a log of gigabytes is read as fast as it goes out. After
 * `read` the text is in the target from `from` to `to`, as it was written.
 */
export class PlainRecord {
  /** Where the text ends in the target. */
  to = 0;
  /** Where the next record begins in the source. */
  next = 0;
  stream: LogStream = "stdout";
  #time = 0;
  #timeEnd = 0;

  /**
   * Reads the record at `at`, and its text to `from`; there must be as much room as the record is long. False when
   * it has another form, as one with attributes, or is none.
   */
  read(source: Uint8Array, at: number, target: Uint8Array, from: number): boolean {
    if (!matches(source, at, head)) return false;
    const end = this.#text(source, at + head.byteLength, target, from);
    if (end < 0) return false;
    if (matches(source, end, stdoutTail)) this.stream = "stdout";
    else if (matches(source, end, stderrTail)) this.stream = "stderr";
    else return false;
    return this.#end(source, end + stdoutTail.byteLength);
  }

  /** Writes the time of the record that was read: `stampLength` bytes. */
  stamp(source: Uint8Array, target: Uint8Array, at: number): void {
    let from = this.#time;
    let to = at;
    while (from < this.#timeEnd) target[to++] = source[from++] as number;
    if (to === at + secondsLength) target[to++] = point;
    while (to < at + stampLength - 1) target[to++] = zero;
    target[to] = zulu;
  }

  /** Where the text ends in the source; -1 when it has to be read in another way. */
  #text(source: Uint8Array, at: number, target: Uint8Array, to: number): number {
    const length = source.byteLength;
    for (; at < length; at++) {
      const byte = source[at] as number;
      if (byte === quote) {
        this.to = to;
        return at;
      }
      if (byte < space) return -1;
      if (byte !== backslash) {
        target[to++] = byte;
        continue;
      }
      const letter = source[++at] as number;
      const plain = escapes[letter];
      if (plain !== undefined) {
        target[to++] = plain;
        continue;
      }
      const code = letter === 0x75 ? hex(source, at + 1) : -1;
      if (code < 0 || (code >= 0xd800 && code < 0xe000)) return -1;
      at += 4;
      if (code < 0x80) target[to++] = code;
      else {
        if (code < 0x800) target[to++] = 0xc0 | (code >> 6);
        else {
          target[to++] = 0xe0 | (code >> 12);
          target[to++] = 0x80 | ((code >> 6) & 0x3f);
        }
        target[to++] = 0x80 | (code & 0x3f);
      }
    }
    return -1;
  }

  #end(source: Uint8Array, at: number): boolean {
    let end = at + secondsLength;
    if (source[end] === point) {
      for (end++; isDigit(source[end]); end++);
    }
    const length = end - at;
    const isTime =
      length === secondsLength || (length > 20 && length <= secondsLength + fractionLength);
    if (!isTime || source[end] !== zulu || source[end + 1] !== quote) return false;
    if (source[end + 2] !== closing || source[end + 3] !== newline) return false;
    for (let index = 0; index < secondsLength; index++)
      if (!isOfTime(index, source[at + index])) return false;
    this.#time = at;
    this.#timeEnd = end;
    this.next = end + 4;
    return true;
  }
}

/** JSON's escapes of one letter: the byte that each stands for. */
const escapes: readonly (number | undefined)[] = Object.assign(
  new Array<number | undefined>(256).fill(undefined),
  { 34: quote, 92: backslash, 47: 0x2f, 98: 8, 102: 12, 110: newline, 114: 13, 116: 9 },
);

function matches(source: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.byteLength; index++)
    if (source[at + index] !== wanted[index]) return false;
  return true;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= 0x39;
}

const timeForm = Buffer.from("0000-00-00T00:00:00");

function isOfTime(index: number, byte: number | undefined): boolean {
  return timeForm[index] === zero ? isDigit(byte) : byte === timeForm[index];
}

/** Four hexadecimal digits; negative for anything else. */
function hex(source: Uint8Array, at: number): number {
  let value = 0;
  for (let index = at; index < at + 4; index++) {
    const byte = source[index] ?? 0;
    const digit =
      byte >= 0x30 && byte <= 0x39
        ? byte - 0x30
        : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66
          ? (byte | 0x20) - 0x57
          : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}
