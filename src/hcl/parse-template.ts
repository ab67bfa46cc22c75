import { didYouMean } from "./diagnostic.ts";
import type { Expression } from "./expression.ts";
import type { ParserState } from "./parser-core.ts";
import type { Token, TokenType } from "./scan.ts";
import { between, characters, type Range } from "./source.ts";
import { literalText } from "./string-literal.ts";
import { buildTemplate, type TemplatePart } from "./template-parts.ts";

/**
 * Reads a template up to its end: literals, "${...}" and "%{...}". `isWrap` when it is one
 * interpolation and nothing else, whose value then keeps its type.
 */
export function parseTemplate(
  state: ParserState,
  end: TokenType,
  isFlush: boolean,
): { readonly parts: readonly Expression[]; readonly isWrap: boolean } {
  const { parts, endRange } = new TemplateReader(state, end).read();
  if (isFlush) removeIndent(parts);
  const joined = joinLiterals(parts);
  const isWrap = joined.length === 1 && joined[0]?.kind === "interpolation";
  return { parts: buildTemplate(state, joined, endRange), isWrap };
}

class TemplateReader {
  readonly #state: ParserState;
  readonly #end: TokenType;
  readonly #parts: TemplatePart[] = [];
  readonly #start: Range;
  /** Whether the sequence before ended with "~}". */
  #isTrimmed = false;

  constructor(state: ParserState, end: TokenType) {
    this.#state = state;
    this.#end = end;
    this.#start = state.reader.peek().range;
  }

  read(): { readonly parts: TemplatePart[]; readonly endRange: Range } {
    const { reader } = this.#state;
    const ended = (endRange: Range) => {
      if (this.#parts.length === 0) {
        const empty = { ...this.#start, start: this.#start.end };
        this.#parts.push({ kind: "literal", text: "", range: empty });
      }
      return { parts: this.#parts, endRange };
    };
    for (;;) {
      const token = reader.read();
      if (token.type === this.#end) return ended(token.range);
      if (token.type === "string literal" || token.type === "quoted literal") this.#literal(token);
      else if (token.type === "interpolation" || token.type === "control") {
        this.#isTrimmed = false;
        this.#trimBefore(token);
        reader.withNewlines(false, () =>
          token.type === "control" ? this.#control(token) : this.#interpolation(token),
        );
      } else {
        this.#state.reportUnlessLost(
          "Unterminated template string",
          "No closing marker was found for the string.",
          token.range,
        );
        if (token.type !== "end") return ended(reader.recover(this.#end).range);
        reader.isRecovering = true;
        return ended(token.range);
      }
    }
  }

  #literal(token: Token): void {
    const text = literalText(token, this.#state.diagnostics);
    const shown = this.#isTrimmed ? text.trimStart() : text;
    this.#isTrimmed = false;
    this.#parts.push({ kind: "literal", text: shown, range: token.range });
  }

  #trimBefore(token: Token): void {
    const last = this.#parts.at(-1);
    if (token.text.endsWith("~") && last?.kind === "literal") {
      this.#parts.splice(-1, 1, { ...last, text: last.text.trimEnd() });
    }
  }

  /** Whether the sequence closes here; what is wrong is reported by the caller before it recovers. */
  #close(): boolean {
    const { reader } = this.#state;
    const close = reader.peek();
    if (close.type !== "sequence end") {
      reader.recover("sequence end");
      return false;
    }
    reader.read();
    this.#isTrimmed = close.text === "~}";
    return true;
  }

  #interpolation(open: Token): void {
    const state = this.#state;
    const expression = state.expression();
    const close = state.reader.peek();
    if (close.type !== "sequence end" && !state.reader.isRecovering) this.#reportUnclosed(close);
    this.#close();
    const range = between(open.range, close.range);
    this.#parts.push({ kind: "interpolation", expression, range });
  }

  #reportUnclosed(close: Token): void {
    const unclosed = (where: string) =>
      this.#state.report(
        "Unclosed template interpolation sequence",
        `There is no closing brace for this interpolation sequence before the end of the ${where}. This might be caused by incorrect nesting inside the given expression.`,
        this.#start,
      );
    const extra = (detail: string) =>
      this.#state.report("Extra characters after interpolation expression", detail, close.range);
    if (close.type === "end") unclosed("file");
    else if (/^(?:open|close) quote$/.test(close.type) && this.#end === "close quote") {
      unclosed("quoted template");
    } else if (close.type === ":") {
      extra(
        'Template interpolation doesn\'t expect a colon at this location. Did you intend this to be a literal sequence to be processed as part of another language? If so, you can escape it by starting with "$${" instead of just "${".',
      );
    } else {
      extra(
        'Expected a closing brace to end the interpolation expression, but found extra characters.\n\nThis can happen when you include interpolation syntax for another language, such as shell scripting, but forget to escape the interpolation start token. If this is an embedded sequence for another language, escape it by starting with "$${" instead of just "${".',
      );
    }
  }

  #control(open: Token): void {
    const state = this.#state;
    const { reader } = state;
    const word = reader.peek();
    if (word.type !== "identifier") {
      state.reportUnlessLost(
        "Invalid template directive",
        'A template directive keyword ("if", "for", etc) is expected at the beginning of a %{ sequence.',
        word.range,
      );
      reader.recover("sequence end");
      return;
    }
    reader.read();
    const range = () => between(open.range, reader.peek().range);
    switch (word.text) {
      case "if": {
        const condition = state.expression();
        this.#parts.push({ kind: "if", condition, range: range() });
        break;
      }
      case "else":
      case "endif":
      case "endfor":
        this.#parts.push({ kind: "end of", word: word.text, range: range() });
        break;
      case "for":
        if (!this.#for(range)) return;
        break;
      default: {
        const advice = didYouMean(word.text, ["if", "for", "else", "endif", "endfor"]);
        state.reportUnlessLost(
          "Invalid template control keyword",
          `${JSON.stringify(word.text)} is not a valid template control keyword.${advice}`,
          word.range,
        );
        reader.recover("sequence end");
        return;
      }
    }
    const close = reader.peek();
    if (close.type !== "sequence end") {
      state.reportUnlessLost(
        `Extra characters in ${word.text} marker`,
        "Expected a closing brace to end the sequence, but found extra characters.",
        close.range,
      );
    }
    this.#close();
  }

  #for(range: () => Range): boolean {
    const { reader } = this.#state;
    const giveUp = (detail: string) => {
      this.#state.reportUnlessLost("Invalid 'for' directive", detail, reader.peek().range);
      reader.recover("sequence end");
      return false;
    };
    if (reader.peek().type !== "identifier")
      return giveUp("For directive requires variable name after 'for'.");
    let keyName: string | undefined;
    let valueName = reader.read().text;
    if (reader.peek().type === ",") {
      keyName = valueName;
      reader.read();
      if (reader.peek().type !== "identifier") {
        return giveUp("For directive requires value variable name after comma.");
      }
      valueName = reader.read().text;
    }
    if (!reader.isWord("in")) return giveUp("For directive requires 'in' keyword after names.");
    reader.read();
    const collection = this.#state.expression();
    this.#parts.push({ kind: "for", keyName, valueName, collection, range: range() });
    return true;
  }
}

/** "<<-": takes from each line as many blanks as the line has that has the fewest. */
function removeIndent(parts: TemplatePart[]): void {
  let least = Number.POSITIVE_INFINITY;
  let isLineStart = true;
  const indented: number[] = [];
  for (const [at, part] of parts.entries()) {
    if (isLineStart) {
      isLineStart = false;
      if (part.kind !== "literal") least = 0;
      else if (part.text.trimStart() !== "" || !part.text.endsWith("\n")) {
        const blanks = part.text.slice(0, part.text.length - part.text.trimStart().length);
        least = Math.min(least, [...characters(blanks)].length);
        indented.push(at);
      }
    }
    if (part.kind === "literal" && part.text.endsWith("\n")) isLineStart = true;
  }
  for (const at of indented) {
    const part = parts[at];
    if (part?.kind !== "literal") continue;
    const text = [...characters(part.text)].slice(least).join("");
    parts[at] = { ...part, text };
  }
}

function joinLiterals(parts: readonly TemplatePart[]): TemplatePart[] {
  const joined: TemplatePart[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (part.kind === "literal" && last?.kind === "literal") {
      const range = between(last.range, part.range);
      joined.splice(-1, 1, { kind: "literal", text: last.text + part.text, range });
    } else joined.push(part);
  }
  return joined;
}
