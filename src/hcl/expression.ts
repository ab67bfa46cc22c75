import type { Range } from "./source.ts";
import type { Value } from "./value.ts";

/** A step from a value to a part of it. */
export type Step =
  | { readonly kind: "attribute"; readonly name: string; readonly range: Range }
  | { readonly kind: "index"; readonly key: Value; readonly range: Range };

/** An operator of two operands; its words are those of HCL's functions. */
export type BinaryOperator =
  | "||"
  | "&&"
  | "=="
  | "!="
  | ">"
  | ">="
  | "<"
  | "<="
  | "+"
  | "-"
  | "*"
  | "/"
  | "%";

/** An item of an object: `isComputed` when its key stands in parentheses. */
export interface ObjectItem {
  readonly key: Expression;
  readonly isComputed: boolean;
  readonly value: Expression;
}

/** A call of a function; with `isExpanded`, the last argument is a list of arguments. */
export interface CallExpression {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Expression[];
  readonly isExpanded: boolean;
  readonly nameRange: Range;
  readonly openRange: Range;
  readonly closeRange: Range;
  readonly range: Range;
}

/** `[for k, v in c: value if condition]` and its like in braces. */
export interface ForExpression {
  readonly kind: "for";
  readonly keyName: string | undefined;
  readonly valueName: string;
  readonly collection: Expression;
  readonly key: Expression | undefined;
  readonly value: Expression;
  readonly condition: Expression | undefined;
  readonly isGrouped: boolean;
  readonly openRange: Range;
  readonly range: Range;
}

/** An expression of HCL's native syntax, or of its form in JSON, as it was written. */
export type Expression =
  | {
      readonly kind: "literal";
      readonly value: Value;
      readonly word?: string;
      readonly range: Range;
    }
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly steps: readonly Step[];
      readonly range: Range;
      readonly nameRange: Range;
    }
  | {
      readonly kind: "relative";
      readonly source: Expression;
      readonly steps: readonly Step[];
      readonly range: Range;
    }
  | {
      readonly kind: "index";
      readonly collection: Expression;
      readonly key: Expression;
      readonly range: Range;
      readonly openRange: Range;
      readonly bracketRange: Range;
    }
  | {
      readonly kind: "splat";
      readonly source: Expression;
      readonly each: Expression;
      readonly item: symbol;
      readonly range: Range;
      readonly markerRange: Range;
    }
  | { readonly kind: "item"; readonly item: symbol; readonly range: Range }
  | CallExpression
  | {
      readonly kind: "conditional";
      readonly condition: Expression;
      readonly whenTrue: Expression;
      readonly whenFalse: Expression;
      readonly range: Range;
    }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
      readonly range: Range;
    }
  | {
      readonly kind: "unary";
      readonly operator: "!" | "-";
      readonly operand: Expression;
      readonly range: Range;
      readonly symbolRange: Range;
    }
  | { readonly kind: "parentheses"; readonly inner: Expression; readonly range: Range }
  | {
      readonly kind: "tuple";
      readonly items: readonly Expression[];
      readonly range: Range;
      readonly openRange: Range;
    }
  | {
      readonly kind: "object";
      readonly items: readonly ObjectItem[];
      readonly range: Range;
      readonly openRange: Range;
    }
  | ForExpression
  | { readonly kind: "template"; readonly parts: readonly Expression[]; readonly range: Range }
  | { readonly kind: "join"; readonly loop: ForExpression; readonly range: Range }
  | { readonly kind: "wrap"; readonly inner: Expression; readonly range: Range }
  | { readonly kind: "json text"; readonly text: string; readonly range: Range }
  | {
      readonly kind: "json array";
      readonly items: readonly Expression[];
      readonly range: Range;
      readonly openRange: Range;
    }
  | {
      readonly kind: "json object";
      readonly items: readonly {
        readonly name: string;
        readonly nameRange: Range;
        readonly value: Expression;
      }[];
      readonly range: Range;
      readonly openRange: Range;
    };

/** Where messages say that an expression begins: an operator's sign, a bracket, a function's name. */
export function startRange(expression: Expression): Range {
  switch (expression.kind) {
    case "index":
    case "tuple":
    case "object":
    case "for":
    case "json array":
    case "json object":
      return expression.openRange;
    case "call":
      return {
        ...expression.nameRange,
        end: expression.openRange.end,
      };
    case "conditional":
      return startRange(expression.condition);
    case "binary":
      return startRange(expression.left);
    case "unary":
      return expression.symbolRange;
    case "parentheses":
      return startRange(expression.inner);
    case "splat":
      return expression.markerRange;
    case "template":
      return expression.parts[0] ? startRange(expression.parts[0]) : expression.range;
    case "join":
      return startRange(expression.loop);
    default:
      return expression.range;
  }
}

/** The word that an expression is, where it is nothing else: `string`, `null`. */
export function keywordOf(expression: Expression): string | undefined {
  if (expression.kind === "literal") return expression.word;
  if (expression.kind === "variable" && expression.steps.length === 0) return expression.name;
  if (
    expression.kind === "json text" &&
    /^[\p{ID_Start}_][\p{ID_Continue}-]*$/u.test(expression.text)
  ) {
    return expression.text;
  }
  return undefined;
}

/** The expressions that an expression is made of, with the names that a loop gives to them. */
export function* childrenOf(
  expression: Expression,
): Generator<{ readonly child: Expression; readonly names: readonly string[] }, void> {
  const plain = (child: Expression) => ({ child, names: [] });
  switch (expression.kind) {
    case "relative":
      yield plain(expression.source);
      return;
    case "index":
      yield plain(expression.collection);
      yield plain(expression.key);
      return;
    case "splat":
      yield plain(expression.source);
      yield plain(expression.each);
      return;
    case "call":
      yield* expression.args.map(plain);
      return;
    case "conditional":
      yield plain(expression.condition);
      yield plain(expression.whenTrue);
      yield plain(expression.whenFalse);
      return;
    case "binary":
      yield plain(expression.left);
      yield plain(expression.right);
      return;
    case "unary":
      yield plain(expression.operand);
      return;
    case "parentheses":
    case "wrap":
      yield plain(expression.inner);
      return;
    case "tuple":
    case "json array":
      yield* expression.items.map(plain);
      return;
    case "object":
      for (const { key, isComputed, value } of expression.items) {
        if (isComputed || keywordOf(key) === undefined) yield plain(key);
        yield plain(value);
      }
      return;
    case "for":
      yield* loopParts(expression);
      return;
    case "template":
      yield* expression.parts.map(plain);
      return;
    case "join":
      yield plain(expression.loop);
      return;
    case "json object":
      yield* expression.items.map(({ value }) => plain(value));
  }
}

function* loopParts({ keyName, valueName, collection, key, value, condition }: ForExpression) {
  const names = keyName === undefined ? [valueName] : [keyName, valueName];
  yield { child: collection, names: [] };
  for (const child of [key, value, condition]) if (child) yield { child, names };
}
