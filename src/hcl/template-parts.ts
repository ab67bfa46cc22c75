import type { Expression } from "./expression.ts";
import { type ParserState, placeholder } from "./parser-core.ts";
import { between, type Position, type Range, rangeText } from "./source.ts";
import { textValue } from "./value.ts";

/** A part of a template, before ifs and loops are brought together with what is in them. */
export type TemplatePart =
  | { readonly kind: "literal"; readonly text: string; readonly range: Range }
  | { readonly kind: "interpolation"; readonly expression: Expression; readonly range: Range }
  | { readonly kind: "if"; readonly condition: Expression; readonly range: Range }
  | {
      readonly kind: "for";
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
      readonly range: Range;
    }
  | { readonly kind: "end of"; readonly word: "else" | "endif" | "endfor"; readonly range: Range };

/** The expressions of a template, each if and loop with its parts. */
export function buildTemplate(
  state: ParserState,
  parts: readonly TemplatePart[],
  endRange: Range,
): Expression[] {
  const builder = new Builder(state, parts, endRange);
  const expressions: Expression[] = [];
  while (!builder.isDone) expressions.push(builder.next());
  return expressions;
}

const unbalanced = "The control directives within this template are unbalanced.";
const unexpectedEnd = "Unexpected end of template";

class Builder {
  readonly #state: ParserState;
  readonly #parts: readonly TemplatePart[];
  readonly #end: Range;
  #at = 0;

  constructor(state: ParserState, parts: readonly TemplatePart[], end: Range) {
    this.#state = state;
    this.#parts = parts;
    this.#end = end;
  }

  get isDone(): boolean {
    return this.#at >= this.#parts.length;
  }

  next(): Expression {
    const part = this.#parts[this.#at++];
    if (!part) return placeholder(this.#end);
    switch (part.kind) {
      case "literal":
        return { kind: "literal", value: textValue(part.text), range: part.range };
      case "interpolation":
        return part.expression;
      case "if":
        return this.#state.nested(() => this.#if(part));
      case "for":
        return this.#state.nested(() => this.#for(part));
      default:
        return this.#broken(part.range, `Unexpected ${part.word} directive`, unbalanced);
    }
  }

  #broken(range: Range, summary: string, detail: string): Expression {
    this.#state.report(summary, detail, range);
    return placeholder(range);
  }

  #if(open: Extract<TemplatePart, { kind: "if" }>): Expression {
    const branches: [Expression[], Expression[]] = [[], []];
    let branch: 0 | 1 = 0;
    const place = rangeText(open.range);
    for (;;) {
      const next = this.#parts[this.#at];
      if (!next) {
        const detail = `The if directive at ${place} is missing its corresponding endif directive.`;
        return this.#broken(this.#end, unexpectedEnd, detail);
      }
      if (next.kind !== "end of") {
        branches[branch].push(this.next());
        continue;
      }
      this.#at++;
      if (next.word === "else" && branch === 0) {
        branch = 1;
        continue;
      }
      const unexpected = `Unexpected ${next.word} directive`;
      if (next.word === "else") {
        const detail = `Already in the else clause for the if started at ${place}.`;
        return this.#broken(next.range, unexpected, detail);
      }
      if (next.word === "endfor") {
        const detail = `Expecting an endif directive for the if started at ${place}.`;
        return this.#broken(next.range, unexpected, detail);
      }
      return {
        kind: "conditional",
        condition: open.condition,
        whenTrue: template(branches[0], open.range.file, open.range.end),
        whenFalse: template(branches[1], next.range.file, next.range.start),
        range: between(open.range, next.range),
      };
    }
  }

  #for(open: Extract<TemplatePart, { kind: "for" }>): Expression {
    const content: Expression[] = [];
    const place = rangeText(open.range);
    for (;;) {
      const next = this.#parts[this.#at];
      if (!next) {
        const detail = `The for directive at ${place} is missing its corresponding endfor directive.`;
        return this.#broken(this.#end, unexpectedEnd, detail);
      }
      if (next.kind !== "end of") {
        content.push(this.next());
        continue;
      }
      this.#at++;
      if (next.word !== "endfor") {
        const detail =
          next.word === "else"
            ? "An else clause is not expected for a for directive."
            : `Expecting an endfor directive corresponding to the for directive at ${place}.`;
        return this.#broken(next.range, `Unexpected ${next.word} directive`, detail);
      }
      const range = between(open.range, next.range);
      const { keyName, valueName, collection } = open;
      const value = template(content, open.range.file, open.range.end);
      const loop = {
        kind: "for",
        ...{ keyName, valueName, collection, value, range },
        key: undefined,
        condition: undefined,
        isGrouped: false,
        openRange: open.range,
      } as const;
      return { kind: "join", loop, range };
    }
  }
}

/** Parts as one text; an empty one at a place where there is nothing. */
function template(parts: readonly Expression[], file: string, place: Position): Expression {
  const empty: Range = { file, start: place, end: place };
  const [first = { kind: "literal", value: textValue(""), range: empty } as const] = parts;
  const shown = parts.length === 0 ? [first] : parts;
  const last = shown.at(-1) ?? first;
  return { kind: "template", parts: shown, range: between(first.range, last.range) };
}
