import { type Cursor, isBlank, isBlankOrEnd, openCursor } from "./cursor.ts";
import { scanBlockScalar, scanFlowScalar, scanPlain } from "./scan-scalar.ts";
import { type Mark, scannerError, type Token, type TokenKind } from "./token.ts";

interface SimpleKey {
  possible: boolean;
  required: boolean;
  number: number;
  at: number;
  mark: Mark;
}

const noKey = (): SimpleKey => ({
  possible: false,
  required: false,
  number: 0,
  at: 0,
  mark: { line: 0, column: 0 },
});

/** A key of a mapping may be this long when no "?" announces it (YAML 1.2, 7.4.3). */
const longestKey = 1024;
const deepestNesting = 1000;

/** Tokens of a text, one at a time. */
export interface Scanner {
  peek(): Token;
  next(): Token;
}

/** Splits a text into the tokens of YAML, as libyaml does: blocks by indentation become tokens of their own. */
export function openScanner(text: string): Scanner {
  const tokens = new TokenQueue(openCursor(text));
  return { peek: () => tokens.peek(), next: () => tokens.next() };
}

class TokenQueue {
  private readonly queue: Token[] = [];
  private head = 0;
  private taken = 0;
  private indent = -1;
  private readonly indents: number[] = [];
  private flow = 0;
  private keyAllowed = true;
  private readonly keys: SimpleKey[] = [noKey()];
  private ended = false;
  private readonly cursor: Cursor;

  constructor(cursor: Cursor) {
    this.cursor = cursor;
  }

  peek(): Token {
    while (this.needsMore()) this.fetch();
    return this.queue[this.head] as Token;
  }

  next(): Token {
    const token = this.peek();
    this.head++;
    this.taken++;
    if (this.head > 256) {
      this.queue.splice(0, this.head);
      this.head = 0;
    }
    return token;
  }

  private needsMore(): boolean {
    if (this.head === this.queue.length) return !this.ended || this.queue.length === 0;
    for (let i = 0; i < this.keys.length; i++) {
      const key = this.keys[i] as SimpleKey;
      if (key.possible && key.number === this.taken && this.isValid(key)) return true;
    }
    return false;
  }

  /** A possible key that can no longer be one is forgotten, or is an error where one must stand. */
  private isValid(key: SimpleKey): boolean {
    if (!key.possible) return false;
    const { line, at } = this.cursor;
    if (key.mark.line < line || at - key.at > longestKey) {
      if (key.required)
        throw scannerError("could not find expected ':'", this.cursor.mark(), key.mark);
      key.possible = false;
    }
    return key.possible;
  }

  private fetch(): void {
    const cursor = this.cursor;
    while (cursor.skipBlanks(this.flow > 0 || !this.keyAllowed)) {
      if (this.flow === 0) this.keyAllowed = true;
    }
    this.unroll(cursor.column);
    const c = cursor.code();
    if (Number.isNaN(c)) this.fetchEnd();
    else if (cursor.column === 0 && c === 37) this.fetchDirective();
    else if (cursor.isDocumentMark("---")) this.fetchDocumentMark("document-start");
    else if (cursor.isDocumentMark("...")) this.fetchDocumentMark("document-end");
    else this.fetchContent(c, cursor.code(1));
  }

  private fetchContent(c: number, next: number): void {
    if (c === 45 && isBlankOrEnd(next)) this.fetchBlockEntry();
    else if (c === 63 && (this.flow > 0 || isBlankOrEnd(next))) this.fetchKey();
    else if (c === 58 && (this.flow > 0 || isBlankOrEnd(next))) this.fetchValue();
    else if ((c === 124 || c === 62) && this.flow === 0) this.fetchBlockScalar(c === 124);
    else if (this.startsPlain(c, next)) this.fetchPlain();
    else this.fetchIndicated(c);
  }

  /** What begins with an indicator. */
  private fetchIndicated(c: number): void {
    switch (c) {
      case 91:
        this.fetchFlowStart("flow-sequence-start");
        break;
      case 123:
        this.fetchFlowStart("flow-mapping-start");
        break;
      case 93:
        this.fetchFlowEnd("flow-sequence-end");
        break;
      case 125:
        this.fetchFlowEnd("flow-mapping-end");
        break;
      case 44:
        this.fetchFlowEntry();
        break;
      case 42:
        this.fetchAnchor("alias");
        break;
      case 38:
        this.fetchAnchor("anchor");
        break;
      case 33:
        this.fetchTag();
        break;
      case 39:
      case 34:
        this.saveKey();
        this.keyAllowed = false;
        this.push(scanFlowScalar(this.cursor, c === 39));
        break;
      default: {
        const mark = this.cursor.mark();
        throw scannerError("found character that cannot start any token", mark, mark);
      }
    }
  }

  private fetchBlockScalar(literal: boolean): void {
    this.removeKey();
    this.keyAllowed = true;
    this.push(scanBlockScalar(this.cursor, literal, this.indent));
  }

  private fetchPlain(): void {
    this.saveKey();
    this.keyAllowed = false;
    const { token, hadBreak } = scanPlain(this.cursor, this.flow, this.indent);
    if (hadBreak) this.keyAllowed = true;
    this.push(token);
  }

  private startsPlain(c: number, next: number): boolean {
    if (!isBlankOrEnd(c) && !"-?:,[]{}#&*!|>'\"%@`".includes(String.fromCharCode(c))) return true;
    if (c === 45 && !isBlank(next)) return true;
    return this.flow === 0 && (c === 63 || c === 58) && !isBlankOrEnd(next);
  }

  private push(token: Token): void {
    this.queue.push(token);
  }

  private make(kind: TokenKind, length = 0): Token {
    const mark = this.cursor.mark();
    this.cursor.skip(length);
    return { kind, mark, text: "" };
  }

  private number(): number {
    return this.taken + (this.queue.length - this.head);
  }

  private saveKey(): void {
    const required = this.flow === 0 && this.indent === this.cursor.column;
    if (!this.keyAllowed) return;
    this.removeKey();
    this.keys[this.keys.length - 1] = {
      possible: true,
      required,
      number: this.number(),
      at: this.cursor.at,
      mark: this.cursor.mark(),
    };
  }

  private removeKey(): void {
    const key = this.keys[this.keys.length - 1] as SimpleKey;
    if (key.possible && key.required) {
      throw scannerError("could not find expected ':'", this.cursor.mark(), key.mark);
    }
    key.possible = false;
  }

  private roll(column: number, number: number | undefined, kind: TokenKind, mark: Mark): void {
    if (this.flow > 0 || this.indent >= column) return;
    this.indents.push(this.indent);
    this.indent = column;
    if (this.indents.length > deepestNesting) {
      throw scannerError("exceeded max depth of 10000", this.cursor.mark());
    }
    const token: Token = { kind, mark, text: "" };
    if (number === undefined) this.push(token);
    else this.queue.splice(this.head + number - this.taken, 0, token);
  }

  private unroll(column: number): void {
    if (this.flow > 0) return;
    while (this.indent > column) {
      this.push(this.make("block-end"));
      this.indent = this.indents.pop() ?? -1;
    }
  }

  private fetchEnd(): void {
    this.cursor.newlineAtEnd();
    this.unroll(-1);
    this.removeKey();
    this.keyAllowed = false;
    this.ended = true;
    this.push(this.make("stream-end"));
  }

  private fetchDirective(): void {
    this.unroll(-1);
    this.removeKey();
    this.keyAllowed = false;
    const mark = this.cursor.mark();
    this.push({ kind: "directive", mark, text: this.cursor.restOfLine() });
  }

  private fetchDocumentMark(kind: TokenKind): void {
    this.unroll(-1);
    this.removeKey();
    this.keyAllowed = false;
    this.push(this.make(kind, 3));
  }

  private fetchFlowStart(kind: TokenKind): void {
    this.saveKey();
    this.keys.push(noKey());
    this.flow++;
    if (this.flow > deepestNesting) {
      throw scannerError("exceeded max depth of 10000", this.cursor.mark());
    }
    this.keyAllowed = true;
    this.push(this.make(kind, 1));
  }

  private fetchFlowEnd(kind: TokenKind): void {
    this.removeKey();
    if (this.flow > 0) {
      this.flow--;
      this.keys.pop();
    }
    this.keyAllowed = false;
    this.push(this.make(kind, 1));
  }

  private fetchFlowEntry(): void {
    this.removeKey();
    this.keyAllowed = true;
    this.push(this.make("flow-entry", 1));
  }

  private fetchBlockEntry(): void {
    const mark = this.cursor.mark();
    if (this.flow === 0) {
      if (!this.keyAllowed) {
        throw scannerError("block sequence entries are not allowed in this context", mark);
      }
      this.roll(mark.column, undefined, "block-sequence-start", mark);
    }
    this.removeKey();
    this.keyAllowed = true;
    this.push(this.make("block-entry", 1));
  }

  private fetchKey(): void {
    const mark = this.cursor.mark();
    if (this.flow === 0) {
      if (!this.keyAllowed) {
        throw scannerError("mapping keys are not allowed in this context", mark);
      }
      this.roll(mark.column, undefined, "block-mapping-start", mark);
    }
    this.removeKey();
    this.keyAllowed = this.flow === 0;
    this.push(this.make("key", 1));
  }

  private fetchValue(): void {
    const key = this.keys[this.keys.length - 1] as SimpleKey;
    const mark = this.cursor.mark();
    if (this.isValid(key)) {
      const place = this.head + key.number - this.taken;
      this.queue.splice(place, 0, { kind: "key", mark: key.mark, text: "" });
      this.roll(key.mark.column, key.number, "block-mapping-start", key.mark);
      key.possible = false;
      this.keyAllowed = false;
    } else {
      if (this.flow === 0) {
        if (!this.keyAllowed) {
          throw scannerError("mapping values are not allowed in this context", mark);
        }
        this.roll(mark.column, undefined, "block-mapping-start", mark);
      }
      this.keyAllowed = this.flow === 0;
    }
    this.push(this.make("value", 1));
  }

  private fetchAnchor(kind: "alias" | "anchor"): void {
    this.saveKey();
    this.keyAllowed = false;
    const mark = this.cursor.mark();
    this.cursor.skip(1);
    const name = this.cursor.take(/[0-9A-Za-z_-]/);
    const after = this.cursor.code();
    if (name === "" || !(isBlankOrEnd(after) || "?:,]}%@`".includes(String.fromCharCode(after)))) {
      const problem = "did not find expected alphabetic or numeric character";
      throw scannerError(problem, this.cursor.mark(), mark);
    }
    this.push({ kind, mark, text: name });
  }

  private fetchTag(): void {
    this.saveKey();
    this.keyAllowed = false;
    const mark = this.cursor.mark();
    const text = this.cursor.takeTag();
    const after = this.cursor.code();
    if (!isBlankOrEnd(after) && !(this.flow > 0 && after === 44)) {
      throw scannerError(
        "did not find expected whitespace or line break",
        this.cursor.mark(),
        mark,
      );
    }
    this.push({ kind: "tag", mark, text });
  }
}
