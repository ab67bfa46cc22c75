import { type Diagnostic, HclFault, hclFault } from "./diagnostic.ts";
import { type CallExpression, type Expression, keywordOf } from "./expression.ts";
import { parseTemplateText } from "./parse-body.ts";
import { between, type Range } from "./source.ts";
import {
  boolType,
  dynamicType,
  listOf,
  mapOf,
  numberType,
  objectOf,
  stringType,
  type Type,
  tupleOf,
} from "./type.ts";

const summary = "Invalid type specification";
const keywords: Readonly<Record<string, Type>> = {
  bool: boolType,
  string: stringType,
  number: numberType,
  any: dynamicType,
};
/** What each constructor takes. */
const constructors: Readonly<Record<string, string>> = {
  list: "the element type",
  set: "the element type",
  map: "the element type",
  object: "the attribute types and values as a map",
  tuple: "the element types as a list",
};

/** The type that an expression writes, as `list(string)`; an HclFault for any other expression. */
export function parseType(written: Expression): Type {
  const expression = unwrapped(written);
  const word = keywordOf(expression);
  if (word !== undefined) {
    const known = Object.hasOwn(keywords, word) ? keywords[word] : undefined;
    if (known) return known;
    const wanted = Object.hasOwn(constructors, word) ? constructors[word] : undefined;
    throw hclFault(
      summary,
      wanted === undefined
        ? `The keyword ${JSON.stringify(word)} is not a valid type specification.`
        : `The ${word} type constructor requires one argument specifying ${wanted}.`,
      expression.range,
    );
  }
  if (expression.kind !== "call") {
    throw hclFault(
      summary,
      "A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).",
      expression.range,
    );
  }
  return constructed(expression);
}

/** Types in JSON are texts. */
function unwrapped(expression: Expression): Expression {
  if (expression.kind !== "json text") return expression;
  const { range, text } = expression;
  const start = { line: range.start.line, column: range.start.column + 1 };
  const parsed = parseTemplateText(`\${${text}}`, range.file, {
    ...start,
    column: start.column - 2,
  });
  if (parsed.diagnostics.length > 0) throw new HclFault(parsed.diagnostics);
  return parsed.expression.kind === "wrap" ? parsed.expression.inner : expression;
}

function constructed(call: CallExpression): Type {
  const { name, args, openRange, closeRange } = call;
  const argsRange = between(openRange, closeRange);
  const shown = JSON.stringify(name);
  if (Object.hasOwn(keywords, name)) {
    const what = name === "any" ? "Type constraint" : "Primitive type";
    throw hclFault(summary, `${what} keyword ${shown} does not expect arguments.`, argsRange);
  }
  const wanted = Object.hasOwn(constructors, name) ? constructors[name] : undefined;
  const [argument, second] = args;
  if (wanted !== undefined && (!argument || second)) {
    const last = args.at(-1);
    const subject = second && last ? between(second.range, last.range) : argsRange;
    throw hclFault(
      summary,
      `The ${name} type constructor requires one argument specifying ${wanted}.`,
      subject,
    );
  }
  if (argument) {
    if (name === "list") return listOf(parseType(argument));
    if (name === "set") return { kind: "set", element: parseType(argument) };
    if (name === "map") return mapOf(parseType(argument));
    if (name === "object") return objectType(argument);
    if (name === "tuple") return tupleType(argument);
  }
  if (name === "optional") {
    throw hclFault(
      summary,
      `Keyword ${shown} is valid only as a modifier for object type attributes.`,
      call.nameRange,
    );
  }
  throw hclFault(summary, `Keyword ${shown} is not a valid type constructor.`, call.range);
}

function tupleType(argument: Expression): Type {
  if (argument.kind !== "tuple") {
    throw hclFault(
      summary,
      "Tuple type constructor requires a list of element types.",
      argument.range,
    );
  }
  const { values, diagnostics } = collected(argument.items, parseType);
  if (diagnostics.length > 0) throw new HclFault(diagnostics);
  return tupleOf(values);
}

function objectType(argument: Expression): Type {
  if (argument.kind !== "object") {
    throw hclFault(
      summary,
      "Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types.",
      argument.range,
    );
  }
  const optional = new Set<string>();
  const { values, diagnostics } = collected(argument.items, ({ key, value }): [string, Type] => {
    const name = keywordOf(key);
    if (name === undefined) {
      throw hclFault(summary, "Object constructor map keys must be attribute names.", key.range);
    }
    if (value.kind !== "call" || value.name !== "optional") return [name, parseType(value)];
    const [type] = value.args;
    const place: Range = between(value.openRange, value.closeRange);
    if (!type) {
      throw hclFault(
        summary,
        "Optional attribute modifier requires the attribute type as its argument.",
        place,
      );
    }
    if (value.args.length > 1) {
      throw hclFault(
        summary,
        "Optional attribute modifier expects only one argument: the attribute type.",
        place,
      );
    }
    optional.add(name);
    return [name, parseType(type)];
  });
  if (diagnostics.length > 0) throw new HclFault(diagnostics);
  return objectOf(new Map(values), optional);
}

/** What an action gives for each item, with the diagnostics of those for which it fails. */
function collected<T, U>(
  items: readonly T[],
  action: (item: T) => U,
): { readonly values: U[]; readonly diagnostics: Diagnostic[] } {
  const values: U[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const item of items) {
    try {
      values.push(action(item));
    } catch (error) {
      if (!(error instanceof HclFault)) throw error;
      diagnostics.push(...error.diagnostics);
    }
  }
  return { values, diagnostics };
}
