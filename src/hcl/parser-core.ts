import { Fault } from "#base";
import type { Diagnostic } from "./diagnostic.ts";
import type { Expression } from "./expression.ts";
import type { Range } from "./source.ts";
import type { TokenReader } from "./token-reader.ts";
import { dynamicValue } from "./value.ts";

/** How deep expressions and blocks may be within one another. */
const maxDepth = 200;

/** What the parts of a parser share: the tokens, and what was found wrong. */
export class ParserState {
  readonly reader: TokenReader;
  readonly diagnostics: Diagnostic[] = [];
  readonly #parse: (state: ParserState) => Expression;
  #depth = 0;

  /** `parse` reads one expression: the parts that an expression consists of need it, too. */
  constructor(reader: TokenReader, parse: (state: ParserState) => Expression) {
    this.reader = reader;
    this.#parse = parse;
  }

  /** Reads an expression; what is wrong with it is reported, and a placeholder stands for it. */
  expression(): Expression {
    return this.nested(() => this.#parse(this));
  }

  report(summary: string, detail: string, subject: Range): void {
    this.diagnostics.push({ summary, detail, subject });
  }

  /** The same, unless the parser lost its way before. */
  reportUnlessLost(summary: string, detail: string, subject: Range): void {
    if (!this.reader.isRecovering) this.report(summary, detail, subject);
  }

  /** Runs an action, and tells whether it found something wrong. */
  attempt<T>(action: () => T): { readonly result: T; readonly isBroken: boolean } {
    const before = this.diagnostics.length;
    const result = action();
    return { result, isBroken: this.reader.isRecovering && this.diagnostics.length > before };
  }

  /** Runs an action one level deeper; `exhausted` when that is too deep. */
  nested<T>(action: () => T): T {
    if (++this.#depth > maxDepth) {
      const { file, start } = this.reader.peek().range;
      throw new Fault(
        "exhausted",
        `${file}:${start.line}: expressions or blocks within one another ${maxDepth} times are too many`,
      );
    }
    try {
      return action();
    } finally {
      this.#depth--;
    }
  }
}

/** Stands where an expression could not be read. */
export function placeholder(range: Range): Expression {
  return { kind: "literal", value: dynamicValue, range };
}
