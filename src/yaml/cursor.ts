import type { Mark } from "./token.ts";

const space = 32;
const tab = 9;
const newline = 10;
const carriageReturn = 13;

export const isBlank = (code: number) => code === space || code === tab;
/** NEL and the separators of lines and paragraphs are breaks in libyaml, which reads YAML 1.1. */
export const isBreak = (code: number) =>
  code === newline ||
  code === carriageReturn ||
  code === 0x85 ||
  code === 0x2028 ||
  code === 0x2029;
export const isBreakOrEnd = (code: number) => isBreak(code) || Number.isNaN(code);
export const isBlankOrEnd = (code: number) => isBlank(code) || isBreakOrEnd(code);

/** A place in a text that only moves on, and knows its line and column. */
export class Cursor {
  at = 0;
  line = 0;
  column = 0;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
    if (text.charCodeAt(0) === 0xfeff) this.at = 1;
  }

  code(ahead = 0): number {
    return this.text.charCodeAt(this.at + ahead);
  }

  mark(): Mark {
    return { line: this.line, column: this.column };
  }

  /** Passes characters that are no line breaks. */
  skip(count: number): void {
    this.at += count;
    this.column += count;
  }

  /** Passes one line break, and gives what it means: a newline, but for the separators of Unicode. */
  skipBreak(): string {
    const code = this.code();
    this.at += code === carriageReturn && this.code(1) === newline ? 2 : 1;
    this.line++;
    this.column = 0;
    return code === 0x2028 || code === 0x2029 ? String.fromCharCode(code) : "\n";
  }

  newlineAtEnd(): void {
    if (this.column === 0) return;
    this.column = 0;
    this.line++;
  }

  /**
   * Passes blanks, a comment and a line break; says whether there was a break. A tab is no indentation
   * where a key may begin.
   */
  skipBlanks(tabsAllowed: boolean): boolean {
    let code = this.code();
    while (code === space || (code === tab && tabsAllowed)) {
      this.skip(1);
      code = this.code();
    }
    if (code === 35) this.restOfLine();
    if (!isBreak(this.code())) return false;
    this.skipBreak();
    return true;
  }

  isDocumentMark(mark: string): boolean {
    return this.column === 0 && this.text.startsWith(mark, this.at) && isBlankOrEnd(this.code(3));
  }

  restOfLine(): string {
    const from = this.at;
    let end = from;
    while (!isBreakOrEnd(this.text.charCodeAt(end))) end++;
    this.skip(end - from);
    return this.text.slice(from, end);
  }

  take(allowed: RegExp): string {
    const from = this.at;
    while (this.at < this.text.length && allowed.test(this.text[this.at] as string)) this.skip(1);
    return this.text.slice(from, this.at);
  }

  /** A tag as written: "!reset", "!!str", "!<tag:example.com,2000:x>". */
  takeTag(): string {
    return this.take(/[^\s,[\]{}]/);
  }
}

/** A cursor at the begin of a text. */
export const openCursor = (text: string) => new Cursor(text);
