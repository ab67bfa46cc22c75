/** What follows a value; Docker tells it without saying where. */
export const contentAfterJson = "unexpected content after JSON";

/** Why a text is not JSON, in the words of Go's decoder, which Docker's clients show. */
export function jsonSyntaxError(text: string): string {
  try {
    const scanner = new Scanner(text);
    scanner.value("looking for beginning of value");
    return scanner.isAtEnd ? "unexpected EOF" : contentAfterJson;
  } catch (error) {
    return error instanceof SyntaxError ? error.message : String(error);
  }
}

const escapes = '"\\/bfnrt';

/** Reads values up to the first mistake, which it throws. The text is no deeper than the limit of bodies. */
class Scanner {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#characters = [...text];
  }

  get isAtEnd(): boolean {
    this.#skipSpace();
    return this.#at >= this.#characters.length;
  }

  value(where: string): void {
    this.#skipSpace();
    const first = this.#peek();
    if (first === "{") this.#members("}", () => this.#member());
    else if (first === "[") this.#members("]", () => this.value("looking for beginning of value"));
    else if (first === '"') this.#string();
    else if (/[-\d]/.test(first)) this.#number();
    else {
      const literal = ["true", "false", "null"].find((each) => each.startsWith(first));
      if (literal === undefined) throw this.#unexpected(where);
      this.#literal(literal);
    }
  }

  /** An object or an array. */
  #members(end: "}" | "]", member: () => void): void {
    this.#at++;
    this.#skipSpace();
    if (this.#peek() === end) {
      this.#at++;
      return;
    }
    const kind = end === "}" ? "object key:value pair" : "array element";
    for (;;) {
      member();
      this.#skipSpace();
      const next = this.#peek();
      if (next !== end && next !== ",") throw this.#unexpected(`after ${kind}`);
      this.#at++;
      if (next === end) return;
    }
  }

  #member(): void {
    this.#skipSpace();
    if (this.#peek() !== '"') throw this.#unexpected("looking for beginning of object key string");
    this.#string();
    this.#skipSpace();
    if (this.#peek() !== ":") throw this.#unexpected("after object key");
    this.#at++;
    this.value("looking for beginning of value");
  }

  #string(): void {
    this.#at++;
    for (; this.#peek() !== '"'; this.#at++) {
      const character = this.#peek();
      if (character < " ") throw this.#unexpected("in string");
      if (character === "\\") this.#escape();
    }
    this.#at++;
  }

  #escape(): void {
    const from = this.#at++;
    const length = this.#peek() === "u" ? 4 : 0;
    const digits = () => this.#characters.slice(this.#at + 1, this.#at + 1 + length).join("");
    const isKnown =
      length === 0 ? escapes.includes(this.#peek()) : /^[\da-fA-F]{4}$/.test(digits());
    if (!isKnown) {
      const sequence = this.#characters.slice(from, this.#at + 1 + length).join("");
      throw new SyntaxError(`invalid escape sequence \`${sequence}\` in string`);
    }
    this.#at += length;
  }

  #number(): void {
    if (this.#peek() === "-") this.#at++;
    if (this.#peek() === "0") this.#at++;
    else this.#digits();
    if (this.#characters[this.#at] === ".") {
      this.#at++;
      this.#digits();
    }
    if (!/[eE]/.test(this.#characters[this.#at] ?? "")) return;
    this.#at++;
    if (/[-+]/.test(this.#peek())) this.#at++;
    this.#digits();
  }

  #digits(): void {
    if (!/\d/.test(this.#peek())) throw this.#unexpected("in numeric literal");
    while (/\d/.test(this.#characters[this.#at] ?? "")) this.#at++;
  }

  #literal(word: string): void {
    for (const expected of word) {
      if (this.#peek() !== expected)
        throw this.#unexpected(`in literal ${word} (expecting '${expected}')`);
      this.#at++;
    }
  }

  #skipSpace(): void {
    while (/[ \t\r\n]/.test(this.#characters[this.#at] ?? "")) this.#at++;
  }

  #peek(): string {
    const character = this.#characters[this.#at];
    if (character === undefined) throw new SyntaxError("unexpected EOF");
    return character;
  }

  #unexpected(where: string): SyntaxError {
    const character = this.#peek();
    const quoted = character === '"' ? '"' : JSON.stringify(character).slice(1, -1);
    const shown = character === "'" ? "\\'" : quoted;
    return new SyntaxError(`invalid character '${shown}' ${where}`);
  }
}
