/** A place in a file: lines and columns are counted from 1, a column for each character that a reader sees. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A part of a file, up to and without `end`. */
export interface Range {
  readonly file: string;
  readonly start: Position;
  readonly end: Position;
}

/** From the start of one range to the end of another one. */
export function between(first: Range, last: Range): Range {
  return { file: first.file, start: first.start, end: last.end };
}

/** "docker-bake.hcl:2,3-9", as HCL's messages begin. */
export function rangeText({ file, start, end }: Range): string {
  const to = start.line === end.line ? `${end.column}` : `${end.line},${end.column}`;
  return `${file}:${start.line},${start.column}-${to}`;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const segments = new Intl.Segmenter("und", { granularity: "grapheme" });

/**
 * The text of a file without its byte order mark. A byte that is no UTF-8 becomes a lone surrogate,
 * which no text has, so that the scanner can tell where it is.
 */
export function decodeSource(bytes: Uint8Array): string {
  const body =
    bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
  try {
    return utf8.decode(body);
  } catch {
    return decodeBroken(body);
  }
}

function decodeBroken(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0;
    const length = byte < 0x80 ? 1 : byte < 0xc2 ? 0 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    try {
      if (length === 0) throw new TypeError("no first byte");
      text += utf8.decode(bytes.subarray(at, at + length));
      at += length;
    } catch {
      text += String.fromCharCode(0xdc00 + byte);
      at++;
    }
  }
  return text;
}

/** The characters that a reader sees, a line break as one. */
export function* characters(text: string): Generator<string, void> {
  for (const { segment } of segments.segment(text)) yield segment;
}

/** Where a text ends that starts at a position. */
export function advance(from: Position, text: string): Position {
  let { line, column } = from;
  if (/^[\x20-\x7e\t]*$/.test(text)) return { line, column: column + text.length };
  for (const character of characters(text)) {
    if (character === "\n" || character === "\r\n") {
      line++;
      column = 1;
    } else column++;
  }
  return { line, column };
}
