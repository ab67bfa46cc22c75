import { advance, type Position, type Range } from "./source.ts";

/** What a token is; those of one character are named by it. */
export type TokenType =
  | "{"
  | "}"
  | "["
  | "]"
  | "("
  | ")"
  | "*"
  | "/"
  | "+"
  | "-"
  | "%"
  | "="
  | "<"
  | ">"
  | "!"
  | "."
  | ","
  | "?"
  | ":"
  | "&"
  | "|"
  | "~"
  | "^"
  | ";"
  | "`"
  | "'"
  | "=="
  | "!="
  | "<="
  | ">="
  | "&&"
  | "||"
  | "..."
  | "=>"
  | "open quote"
  | "close quote"
  | "open heredoc"
  | "close heredoc"
  | "interpolation"
  | "control"
  | "sequence end"
  | "quoted literal"
  | "string literal"
  | "number"
  | "identifier"
  | "comment"
  | "newline"
  | "quoted newline"
  | "invalid"
  | "bad utf8"
  | "end";

/** A part of a file that has a meaning of its own. */
export interface Token {
  readonly type: TokenType;
  readonly text: string;
  readonly range: Range;
}

type Mode = "main" | "string" | "heredoc" | "bare";

const number = /[0-9](?:(?:[0-9.]|[eE][+-]?[0-9])*(?:[0-9]|[eE][+-]?[0-9]))?/y;
const identifier = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const comment = /(?:#|\/\/)[^\n]*\n?|\/\*[\s\S]*?\*\//y;
const heredocOpen = /<<-?([\p{ID_Start}_][\p{ID_Continue}-]*)\r?\n/uy;
const operator = /\.\.\.|==|!=|<=|>=|&&|\|\||=>|~\}|[[\]().,*/%+\-=<>!?:&|~^;`'{}]/y;
const templateOpen = /([$%])\{~?/y;
/** "$${" stands for itself, and a "$" that no brace follows. */
const notOpen = /([$%])(?:\1\{~?|(?!\{))/y;
const quotedRun = /(?:\\[^\r\n]|[^$%"\\\r\n])+/uy;
const plainRun = /[^$%\r\n]+/uy;
const lineEnd = /\r?\n/y;

/** The tokens of a file, or of a template that stands alone, with one for its end. */
export function scan(
  text: string,
  file: string,
  {
    start = { line: 1, column: 1 },
    isTemplate = false,
  }: { start?: Position; isTemplate?: boolean } = {},
): Token[] {
  return new Scanner(text, file, start).run(isTemplate ? "bare" : "main");
}

class Scanner {
  readonly #text: string;
  readonly #file: string;
  readonly #tokens: Token[] = [];
  readonly #modes: Mode[] = [];
  readonly #heredocs: { readonly marker: string; isLineStart: boolean }[] = [];
  /** The depths of braces at which a template's sequence ends. */
  readonly #returns: number[] = [];
  #braces = 0;
  #at = 0;
  #position: Position;

  constructor(text: string, file: string, start: Position) {
    this.#text = text;
    this.#file = file;
    this.#position = start;
  }

  run(mode: Mode): Token[] {
    this.#modes.push(mode);
    while (this.#at < this.#text.length) {
      const current = this.#modes.at(-1) ?? "main";
      if (current === "main") this.#main();
      else if (current === "string") this.#string();
      else this.#lines(current);
    }
    this.#emit("end", 0);
    return this.#tokens;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text) ?? undefined;
  }

  #emit(type: TokenType, length: number): void {
    const text = this.#text.slice(this.#at, this.#at + length);
    const start = this.#position;
    const end = advance(start, text);
    this.#tokens.push({ type, text, range: { file: this.#file, start, end } });
    this.#position = end;
    this.#at += length;
  }

  #take(type: TokenType, pattern: RegExp): boolean {
    const found = this.#match(pattern);
    if (found) this.#emit(type, found[0].length);
    return found !== undefined;
  }

  #main(): void {
    const blanks = this.#match(/[ \t]+/y);
    if (blanks) {
      this.#position = advance(this.#position, blanks[0]);
      this.#at += blanks[0].length;
      return;
    }
    if (this.#take("number", number) || this.#take("identifier", identifier)) return;
    if (this.#take("comment", comment)) return;
    if (this.#take("newline", lineEnd)) return;
    if (this.#text[this.#at] === '"') {
      this.#emit("open quote", 1);
      this.#modes.push("string");
      return;
    }
    const heredoc = this.#match(heredocOpen);
    if (heredoc) {
      this.#emit("open heredoc", heredoc[0].length);
      this.#heredocs.push({ marker: heredoc[1] ?? "", isLineStart: true });
      this.#modes.push("heredoc");
      return;
    }
    const found = this.#match(operator);
    if (found) this.#operator(found[0]);
    else this.#unknown();
  }

  #operator(text: string): void {
    if (text === "{") this.#braces++;
    if (text !== "}" && text !== "~}") {
      this.#emit(text as TokenType, text.length);
      return;
    }
    const isEnd = this.#returns.length > 0 && this.#returns.at(-1) === this.#braces;
    this.#emit(isEnd || text === "~}" ? "sequence end" : "}", text.length);
    this.#braces--;
    if (!isEnd) return;
    this.#returns.pop();
    this.#modes.pop();
  }

  #unknown(): void {
    const point = this.#text.codePointAt(this.#at) ?? 0;
    const isBroken = point >= 0xdc00 && point <= 0xdfff;
    this.#emit(isBroken ? "bad utf8" : "invalid", point > 0xffff ? 2 : 1);
  }

  /** Whether a sequence of a template began here. */
  #sequence(): boolean {
    const open = this.#match(templateOpen);
    if (!open) return false;
    this.#emit(open[1] === "$" ? "interpolation" : "control", open[0].length);
    this.#braces++;
    this.#returns.push(this.#braces);
    const heredoc = this.#heredocs.at(-1);
    if (heredoc) heredoc.isLineStart = false;
    this.#modes.push("main");
    return true;
  }

  #string(): void {
    if (this.#sequence()) return;
    if (this.#text[this.#at] === '"') {
      this.#emit("close quote", 1);
      this.#modes.pop();
      return;
    }
    if (this.#take("quoted newline", /[\r\n]+/y)) return;
    if (this.#take("quoted literal", notOpen) || this.#literal("quoted literal", quotedRun)) return;
    this.#unknown();
  }

  /** A run of a literal, up to a byte that is no UTF-8. */
  #literal(type: TokenType, pattern: RegExp): boolean {
    const found = this.#match(pattern)?.[0];
    if (found === undefined) return false;
    const broken = found.search(/[\udc00-\udfff](?<![\ud800-\udbff][\udc00-\udfff])/);
    if (broken === 0) return false;
    this.#emit(type, broken < 0 ? found.length : broken);
    return true;
  }

  /** A heredoc, and a template that stands alone: literals end with their line. */
  #lines(mode: Mode): void {
    if (this.#sequence()) return;
    const literal = this.#match(notOpen)?.[0] ?? this.#match(plainRun)?.[0] ?? "";
    const broken = literal.search(/[\udc00-\udfff](?<![\ud800-\udbff][\udc00-\udfff])/);
    if (broken === 0) {
      this.#unknown();
      return;
    }
    if (broken > 0) {
      this.#emit("string literal", broken);
      return;
    }
    lineEnd.lastIndex = this.#at + literal.length;
    const newline = lineEnd.exec(this.#text)?.[0] ?? "";
    const heredoc = mode === "heredoc" ? this.#heredocs.at(-1) : undefined;
    if (heredoc && newline !== "" && heredoc.isLineStart && literal.trim() === heredoc.marker) {
      this.#emit("close heredoc", literal.length);
      this.#emit("newline", newline.length);
      this.#heredocs.pop();
      this.#modes.pop();
      return;
    }
    if (literal === "" && newline === "") {
      this.#unknown();
      return;
    }
    if (heredoc) heredoc.isLineStart = newline !== "";
    this.#emit("string literal", literal.length + newline.length);
  }
}
