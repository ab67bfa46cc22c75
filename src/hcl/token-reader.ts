import type { Token, TokenType } from "./scan.ts";
import type { Range } from "./source.ts";

const opposites: Partial<Record<TokenType, TokenType>> = {
  "{": "}",
  "}": "{",
  "[": "]",
  "]": "[",
  "(": ")",
  ")": "(",
  "open quote": "close quote",
  "close quote": "open quote",
  "open heredoc": "close heredoc",
  "close heredoc": "open heredoc",
  interpolation: "sequence end",
  control: "sequence end",
  "sequence end": "interpolation",
};

/** The bracket that closes or opens what the given one opens or closes; "end" for the end of a file. */
export function oppositeOf(type: TokenType): TokenType {
  return opposites[type] ?? "end";
}

/** Tokens one after the other, without comments, and without line breaks where these mean nothing. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  readonly #newlines: boolean[] = [true];
  #next = 0;
  /**
   * Set once a parser has skipped tokens after an error: what follows may be misread, so that
   * it says nothing of tokens that it does not expect.
   */
  isRecovering = false;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(): Token {
    return this.#look().token;
  }

  read(): Token {
    const { token, next } = this.#look();
    this.#next = next;
    return token;
  }

  /** Whether the next token is this word. */
  isWord(word: string): boolean {
    const { type, text } = this.peek();
    return type === "identifier" && text === word;
  }

  /** Where the last token that was read is. */
  get lastRange(): Range {
    return this.#tokens[this.#next - 1]?.range ?? this.peek().range;
  }

  /** Runs an action that sees line breaks, or does not. */
  withNewlines<T>(isSeen: boolean, action: () => T): T {
    this.#newlines.push(isSeen);
    try {
      return action();
    } finally {
      this.#newlines.pop();
    }
  }

  /** Reads up to the bracket that closes here, or the end of the file; gives that token. */
  recover(end: TokenType): Token {
    const start = oppositeOf(end);
    this.isRecovering = true;
    let nested = 0;
    for (;;) {
      const token = this.read();
      const isControl = end === "sequence end" && token.type === "control";
      const type = isControl ? "interpolation" : token.type;
      if (type === "end") return token;
      if (type === end) {
        if (nested < 1) return token;
        nested--;
      } else if (type === start) nested++;
    }
  }

  /** Reads up to the end of an argument or a block. */
  recoverAfterItem(): void {
    this.isRecovering = true;
    const open: TokenType[] = [];
    for (;;) {
      const { type } = this.read();
      if (type === "end" || (type === "newline" && open.length === 0)) return;
      if (/^(?:[{[(]|open quote|open heredoc|interpolation|control)$/.test(type)) open.push(type);
      else if (/^(?:[}\])]|close quote|close heredoc|sequence end)$/.test(type)) {
        const isOpener = (each: TokenType | undefined) =>
          each !== undefined && oppositeOf(each) === type;
        while (open.length > 0 && !isOpener(open.at(-1))) open.pop();
        open.pop();
      }
    }
  }

  #look(): { readonly token: Token; readonly next: number } {
    const isSeen = this.#newlines.at(-1) ?? true;
    for (let at = this.#next; at < this.#tokens.length; at++) {
      const token = this.#tokens[at];
      if (token === undefined) break;
      if (token.type === "comment") {
        // A comment of one line has its line break, which still ends an argument.
        if (isSeen && token.text.endsWith("\n"))
          return { token: { ...token, type: "newline" }, next: at + 1 };
        continue;
      }
      if (token.type === "newline" && !isSeen) continue;
      return { token, next: at + 1 };
    }
    const last = this.#tokens.at(-1);
    if (!last) throw new RangeError("no token at all");
    return { token: last, next: this.#tokens.length };
  }
}
