import { type Cursor, isBlank, isBlankOrEnd, isBreak, isBreakOrEnd } from "./cursor.ts";
import { type Mark, scannerError, type Token } from "./token.ts";

/** A plain scalar: until ": ", " #", or the end of its block; lines are folded. */
export function scanPlain(
  cursor: Cursor,
  flow: number,
  parentIndent: number,
): { token: Token; hadBreak: boolean } {
  const mark = cursor.mark();
  const indent = parentIndent + 1;
  let value = "";
  let between = "";
  let hadBreak = false;
  for (;;) {
    if (cursor.isDocumentMark("---") || cursor.isDocumentMark("...")) break;
    if (cursor.code() === 35) break;
    const from = cursor.at;
    let end = from;
    const { text } = cursor;
    for (;;) {
      const code = text.charCodeAt(end);
      if (isBlankOrEnd(code)) break;
      if (code === 58) {
        const next = text.charCodeAt(end + 1);
        if (isBlankOrEnd(next)) break;
        if (
          flow > 0 &&
          (next === 44 || next === 91 || next === 93 || next === 123 || next === 125)
        ) {
          break;
        }
      }
      if (flow > 0) {
        if (code === 44 || code === 91 || code === 93 || code === 123 || code === 125) break;
        if (code === 63 && isBlankOrEnd(text.charCodeAt(end + 1))) break;
      }
      end++;
    }
    if (end > from) {
      value += between + text.slice(from, end);
      between = "";
      cursor.skip(end - from);
      hadBreak = false;
    }
    const code = cursor.code();
    if (!isBlank(code) && !isBreak(code)) break;
    const gap = readGap(cursor, (column) => {
      if (column < indent) {
        throw scannerError("found a tab character that violates indentation", cursor.mark(), mark);
      }
    });
    between = gap.folded;
    if (gap.breaks > 0) hadBreak = true;
    if (flow === 0 && cursor.column < indent) break;
    if (end === from && gap.breaks === 0 && gap.folded === "") break;
  }
  return { token: { kind: "scalar", mark, text: value, style: "plain" }, hadBreak };
}

/** Blanks and breaks between the words of a scalar that is folded: one break is a space, more are breaks. */
function readGap(cursor: Cursor, tabInIndent: (column: number) => void) {
  let blanks = "";
  let breaks = 0;
  let kept = "";
  for (;;) {
    const code = cursor.code();
    if (isBlank(code)) {
      if (breaks > 0 && code === 9) tabInIndent(cursor.column);
      if (breaks === 0) blanks += cursor.text[cursor.at];
      cursor.skip(1);
    } else if (isBreak(code)) {
      const text = cursor.skipBreak();
      if (breaks > 0 || text !== "\n") kept += text;
      breaks++;
    } else break;
  }
  return { breaks, folded: breaks === 0 ? blanks : kept || " " };
}

/** A scalar in single or double quotes. */
export function scanFlowScalar(cursor: Cursor, single: boolean): Token {
  const mark = cursor.mark();
  const quote = single ? 39 : 34;
  cursor.skip(1);
  let value = "";
  for (;;) {
    if (cursor.isDocumentMark("---") || cursor.isDocumentMark("...")) {
      throw scannerError("found unexpected document indicator", cursor.mark(), mark);
    }
    if (Number.isNaN(cursor.code())) {
      cursor.newlineAtEnd();
      throw scannerError("found unexpected end of stream", cursor.mark(), mark);
    }
    let joined = false;
    for (;;) {
      const code = cursor.code();
      if (isBlankOrEnd(code)) break;
      if (single && code === 39 && cursor.code(1) === 39) {
        value += "'";
        cursor.skip(2);
      } else if (code === quote) {
        break;
      } else if (!single && code === 92 && isBreak(cursor.code(1))) {
        cursor.skip(1);
        cursor.skipBreak();
        joined = true;
        break;
      } else if (!single && code === 92) {
        value += scanEscape(cursor, mark);
      } else {
        value += cursor.text[cursor.at];
        cursor.skip(1);
      }
    }
    if (cursor.code() === quote) break;
    const gap = readGap(cursor, () => undefined);
    if (joined) value += gap.breaks > 0 ? "\n".repeat(gap.breaks) : "";
    else value += gap.folded;
  }
  cursor.skip(1);
  return { kind: "scalar", mark, text: value, style: single ? "single" : "double" };
}

const escapes: Readonly<Record<string, string>> = {
  "0": "\0",
  a: "\x07",
  b: "\b",
  t: "\t",
  "\t": "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  e: "\x1b",
  " ": " ",
  '"': '"',
  "'": "'",
  "/": "/",
  "\\": "\\",
  N: "\x85",
  _: "\xa0",
  L: "\u2028",
  P: "\u2029",
};
const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function scanEscape(cursor: Cursor, start: Mark): string {
  const letter = cursor.text[cursor.at + 1] ?? "";
  const digits = hexDigits[letter];
  if (digits === undefined) {
    const meaning = escapes[letter];
    if (meaning === undefined) {
      throw scannerError("found unknown escape character", cursor.mark(), start);
    }
    cursor.skip(2);
    return meaning;
  }
  const hex = cursor.text.slice(cursor.at + 2, cursor.at + 2 + digits);
  if (hex.length < digits || !/^[0-9A-Fa-f]+$/.test(hex)) {
    throw scannerError("did not find expected hexdecimal number", cursor.mark(), start);
  }
  const code = Number.parseInt(hex, 16);
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    throw scannerError("found invalid Unicode character escape code", cursor.mark(), start);
  }
  cursor.skip(2 + digits);
  return String.fromCodePoint(code);
}

/** A literal (|) or folded (>) block, with its indicators of chomping and indentation. */
export function scanBlockScalar(cursor: Cursor, literal: boolean, parentIndent: number): Token {
  const mark = cursor.mark();
  cursor.skip(1);
  const { chomping, increment } = scanBlockHeader(cursor, mark);
  let indent = increment ? (parentIndent >= 0 ? parentIndent + increment : increment) : 0;
  const first = scanBlockBreaks(cursor, indent, parentIndent, mark);
  indent = first.indent;
  let value = "";
  let leading = "";
  let trailing = first.breaks;
  let leadingBlank = false;
  while (cursor.column === indent && !Number.isNaN(cursor.code())) {
    const blank = isBlank(cursor.code());
    if (!literal && leading.startsWith("\n") && !leadingBlank && !blank) {
      if (trailing === "") value += " ";
    } else value += leading;
    value += trailing;
    leadingBlank = blank;
    value += cursor.restOfLine();
    leading = isBreak(cursor.code()) ? cursor.skipBreak() : "";
    trailing = scanBlockBreaks(cursor, indent, parentIndent, mark).breaks;
  }
  if (chomping !== "-") value += leading;
  if (chomping === "+") value += trailing;
  return { kind: "scalar", mark, text: value, style: literal ? "literal" : "folded" };
}

function scanBlockHeader(cursor: Cursor, mark: Mark) {
  const header = cursor.take(/[-+0-9]/);
  const parsed = /^(?:([-+])([1-9])?|([1-9])([-+])?)?$/.exec(header);
  if (parsed === null) {
    const problem = header.includes("0")
      ? "found an indentation indicator equal to 0"
      : "did not find expected comment or line break";
    throw scannerError(problem, cursor.mark(), mark);
  }
  cursor.take(/[ \t]/);
  if (cursor.code() === 35) cursor.restOfLine();
  if (!isBreakOrEnd(cursor.code())) {
    throw scannerError("did not find expected comment or line break", cursor.mark(), mark);
  }
  if (isBreak(cursor.code())) cursor.skipBreak();
  return { chomping: parsed[1] ?? parsed[4] ?? "", increment: Number(parsed[2] ?? parsed[3] ?? 0) };
}

/** Passes indentation and empty lines; finds the indentation where none is known yet (0). */
function scanBlockBreaks(cursor: Cursor, indent: number, parentIndent: number, start: Mark) {
  let breaks = "";
  let widest = 0;
  for (;;) {
    while ((indent === 0 || cursor.column < indent) && cursor.code() === 32) cursor.skip(1);
    widest = Math.max(widest, cursor.column);
    if ((indent === 0 || cursor.column < indent) && cursor.code() === 9) {
      const problem = "found a tab character where an indentation space is expected";
      throw scannerError(problem, cursor.mark(), start);
    }
    if (!isBreak(cursor.code())) break;
    breaks += cursor.skipBreak();
  }
  return { breaks, indent: indent || Math.max(widest, parentIndent + 1, 1) };
}
