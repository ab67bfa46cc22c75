import type { Diagnostic } from "./diagnostic.ts";
import type { Expression } from "./expression.ts";
import { invalidTokens } from "./invalid-tokens.ts";
import { parseExpression } from "./parse-expression.ts";
import { parseTemplate } from "./parse-template.ts";
import { ParserState } from "./parser-core.ts";
import { scan, type Token, type TokenType } from "./scan.ts";
import { between, type Position, type Range } from "./source.ts";
import { literalText } from "./string-literal.ts";
import { TokenReader } from "./token-reader.ts";

/** `name = expression`. */
export interface Attribute {
  readonly name: string;
  readonly expression: Expression;
  readonly range: Range;
  readonly nameRange: Range;
}

/** `type "label" { ... }`. */
export interface NativeBlock {
  readonly type: string;
  readonly labels: readonly string[];
  readonly body: NativeBody;
  readonly typeRange: Range;
  readonly labelRanges: readonly Range[];
  readonly openRange: Range;
}

/** What stands in a file or between the braces of a block, in its order. */
export interface NativeBody {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly NativeBlock[];
  readonly range: Range;
}

/** A file in the native syntax; what could be read of it, with what is wrong. */
export function parseNative(
  text: string,
  file: string,
): { readonly body: NativeBody; readonly diagnostics: readonly Diagnostic[] } {
  const tokens = scan(text, file);
  const state = new ParserState(new TokenReader(tokens), parseExpression);
  state.diagnostics.push(...invalidTokens(tokens));
  const body = new BodyParser(state).body("end");
  return { body, diagnostics: state.diagnostics };
}

/** A template that stands alone, as texts in JSON are. */
export function parseTemplateText(
  text: string,
  file: string,
  start: Position,
): { readonly expression: Expression; readonly diagnostics: readonly Diagnostic[] } {
  const tokens = scan(text, file, { start, isTemplate: true });
  const state = new ParserState(new TokenReader(tokens), parseExpression);
  state.diagnostics.push(...invalidTokens(tokens));
  const first = tokens[0]?.range ?? { file, start, end: start };
  const { parts, isWrap } = parseTemplate(state, "end", false);
  const range = between(first, tokens.at(-1)?.range ?? first);
  const [only] = parts;
  const expression: Expression =
    isWrap && only ? { kind: "wrap", inner: only, range } : { kind: "template", parts, range };
  return { expression, diagnostics: state.diagnostics };
}

const argumentRequired = [
  "Argument or block definition required",
  "An argument or block definition is required here.",
] as const;
const unclosedBlock = [
  "Unclosed configuration block",
  "There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.",
] as const;
const singleLine = "Invalid single-argument block definition";

class BodyParser {
  readonly #state: ParserState;

  constructor(state: ParserState) {
    this.#state = state;
  }

  body(end: TokenType): NativeBody {
    const { reader } = this.#state;
    const attributes = new Map<string, Attribute>();
    const blocks: NativeBlock[] = [];
    const start = reader.lastRange;
    for (;;) {
      const next = reader.peek();
      if (next.type === end) {
        reader.read();
        return { attributes, blocks, range: between(start, next.range) };
      }
      if (next.type === "newline") reader.read();
      else if (next.type === "identifier") this.#item(attributes, blocks);
      else {
        const bad = reader.read();
        if (!reader.isRecovering) this.#reportBad(bad, end, start);
        const range = between(start, reader.lastRange);
        if (bad.type !== "end") reader.recover(end);
        return { attributes, blocks, range };
      }
    }
  }

  #reportBad(bad: Token, end: TokenType, start: Range): void {
    if (bad.type === "open quote") {
      this.#state.report("Invalid argument name", "Argument names must not be quoted.", bad.range);
    } else if (bad.type === "end" && end === "}") this.#state.report(...unclosedBlock, start);
    else this.#state.report(...argumentRequired, bad.range);
  }

  #item(attributes: Map<string, Attribute>, blocks: NativeBlock[]): void {
    const { reader } = this.#state;
    const name = reader.read();
    const next = reader.peek().type;
    if (next === "open quote" || next === "{" || next === "identifier") {
      blocks.push(this.#state.nested(() => this.#block(name)));
      return;
    }
    if (next !== "=") {
      this.#reportNoEquals(name);
      reader.recoverAfterItem();
      return;
    }
    const attribute = this.#attribute(name, false);
    const existing = attributes.get(attribute.name);
    if (!existing) {
      attributes.set(attribute.name, attribute);
      return;
    }
    const { file, start, end } = existing.nameRange;
    this.#state.report(
      "Attribute redefined",
      `The argument ${JSON.stringify(attribute.name)} was already set at ${file}:${start.line},${start.column}-${end.column}. Each argument may be set only once.`,
      attribute.nameRange,
    );
  }

  #reportNoEquals(name: Token): void {
    const [summary, detail] = argumentRequired;
    const advice = 'To set an argument, use the equals sign "=" to introduce the argument value.';
    this.#state.report(summary, `${detail} ${advice}`, name.range);
  }

  #attribute(name: Token, isSingleLine: boolean): Attribute {
    const { reader } = this.#state;
    reader.read();
    const { result, isBroken } = this.#state.attempt(() => this.#state.expression());
    const made = (last: Range): Attribute => ({
      name: name.text,
      expression: result,
      range: between(name.range, last),
      nameRange: name.range,
    });
    const last = reader.lastRange;
    if (isBroken) reader.recoverAfterItem();
    else if (!isSingleLine) {
      const end = reader.peek();
      if (end.type === "newline" || end.type === "end") reader.read();
      else {
        const rule = "An argument definition must end with a newline.";
        if (end.type === ",") {
          this.#state.reportUnlessLost(
            "Unexpected comma after argument",
            `Argument definitions must be separated by newlines, not commas. ${rule}`,
            end.range,
          );
        } else this.#state.reportUnlessLost("Missing newline after argument", rule, end.range);
        reader.recoverAfterItem();
      }
    }
    return made(last);
  }

  #block(type: Token): NativeBlock {
    const { reader } = this.#state;
    const labels: string[] = [];
    const labelRanges: Range[] = [];
    for (;;) {
      const token = reader.peek();
      if (token.type === "{") break;
      if (token.type === "identifier") {
        reader.read();
        labels.push(token.text);
        labelRanges.push(token.range);
      } else if (token.type === "open quote") {
        const { text, range } = this.#label();
        labels.push(text);
        labelRanges.push(range);
      } else {
        this.#reportNoBrace(token);
        reader.recoverAfterItem();
        const body = { attributes: new Map(), blocks: [], range: type.range };
        const { text, range } = type;
        return { type: text, labels, body, typeRange: range, labelRanges, openRange: range };
      }
    }
    const open = reader.read();
    const before = this.#state.diagnostics.length;
    const body = this.#blockBody(open);
    // What is wrong with how a block of one line ends is said before what is wrong in it.
    const closing = body.closing ? [body.closing] : [];
    this.#state.diagnostics.splice(before, 0, ...closing);
    this.#endOfBlock();
    const { text, range } = type;
    return {
      type: text,
      labels,
      body: body.body,
      typeRange: range,
      labelRanges,
      openRange: open.range,
    };
  }

  #endOfBlock(): void {
    const { reader } = this.#state;
    const next = reader.peek();
    if (next.type === "newline" || next.type === "end") {
      reader.read();
      return;
    }
    this.#state.reportUnlessLost(
      "Missing newline after block definition",
      "A block definition must end with a newline.",
      next.range,
    );
    reader.recoverAfterItem();
  }

  #reportNoBrace(token: Token): void {
    const summary = "Invalid block definition";
    if (token.type === "=") {
      this.#state.report(
        summary,
        'The equals sign "=" indicates an argument definition, and must not be used when defining a block.',
        token.range,
      );
    } else if (token.type === "newline") {
      this.#state.report(
        summary,
        'A block definition must have block content delimited by "{" and "}", starting on the same line as the block header.',
        token.range,
      );
    } else {
      this.#state.reportUnlessLost(
        summary,
        'Either a quoted string block label or an opening brace ("{") is expected here.',
        token.range,
      );
    }
  }

  #blockBody(open: Token): { readonly body: NativeBody; readonly closing?: Diagnostic } {
    const { reader } = this.#state;
    if (/^(?:newline|end|\})$/.test(reader.peek().type)) return { body: this.body("}") };
    const body = this.#singleAttribute(open);
    const next = reader.peek();
    if (next.type === "}") {
      reader.read();
      return { body };
    }
    const wasLost = reader.isRecovering;
    const closing = this.#unclosedLine(next, open, wasLost);
    reader.recover("}");
    return { body, ...(closing && { closing }) };
  }

  #unclosedLine(next: Token, open: Token, wasLost: boolean): Diagnostic | undefined {
    const at = (detail: string): Diagnostic => ({
      summary: singleLine,
      detail,
      subject: next.range,
    });
    if (next.type === ",") {
      return at(
        "Single-line block syntax can include only one argument definition. To define multiple arguments, use the multi-line block syntax with one argument definition per line.",
      );
    }
    if (next.type === "newline") {
      return at(
        "An argument definition on the same line as its containing block creates a single-line block definition, which must also be closed on the same line. Place the block's closing brace immediately after the argument definition.",
      );
    }
    if (wasLost) return undefined;
    const [summary, detail] = unclosedBlock;
    if (next.type === "end") return { summary, detail, subject: open.range };
    return at(
      "A single-line block definition must end with a closing brace immediately after its single argument definition.",
    );
  }

  #singleAttribute(open: Token): NativeBody {
    const { reader } = this.#state;
    const empty = { attributes: new Map(), blocks: [], range: open.range };
    const name = reader.read();
    if (name.type !== "identifier") {
      reader.recoverAfterItem();
      this.#state.report(...argumentRequired, name.range);
      return empty;
    }
    const next = reader.peek();
    if (next.type === "=") {
      const attribute = this.#attribute(name, true);
      return { attributes: new Map([[name.text, attribute]]), blocks: [], range: attribute.range };
    }
    reader.recoverAfterItem();
    if (/^(?:open quote|\{|identifier)$/.test(next.type)) {
      this.#state.report(
        "Argument definition required",
        `A single-line block definition can contain only a single argument. If you meant to define argument ${JSON.stringify(name.text)}, use an equals sign to assign it a value. To define a nested block, place it on a line of its own within its parent block.`,
        between(name.range, next.range),
      );
    } else this.#reportNoEquals(name);
    return empty;
  }

  /** A text in quotes that may hold no template. */
  #label(): { readonly text: string; readonly range: Range } {
    const { reader } = this.#state;
    const open = reader.read();
    let text = "";
    for (;;) {
      const token = reader.read();
      const ended = () => ({ text, range: between(open.range, token.range) });
      if (token.type === "close quote") return ended();
      if (token.type === "quoted literal") text += literalText(token, this.#state.diagnostics);
      else if (token.type === "control" || token.type === "interpolation") {
        const sign = token.type === "control" ? "%" : "$";
        this.#state.report(
          "Invalid string literal",
          `Template sequences are not allowed in this string. To include a literal "${sign}", double it (as "${sign}${sign}") to escape it.`,
          token.range,
        );
        text += `${sign}{ ... }`;
        reader.recover("sequence end");
      } else if (token.type === "end") {
        this.#state.report(
          "Unterminated string literal",
          "Unable to find the closing quote mark before the end of the file.",
          token.range,
        );
        return ended();
      } else {
        this.#state.report(
          "Invalid string literal",
          "This item is not valid in a string literal.",
          token.range,
        );
        reader.recover("close quote");
        return ended();
      }
    }
  }
}
