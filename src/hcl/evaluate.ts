import { isFault } from "#base";
import { type Diagnostic, didYouMean, HclFault } from "./diagnostic.ts";
import { evaluateCall } from "./evaluate-call.ts";
import { evaluateConditional } from "./evaluate-conditional.ts";
import { evaluateFor } from "./evaluate-for.ts";
import { convertInto } from "./evaluation.ts";
import { type Expression, keywordOf } from "./expression.ts";
import { operate } from "./operate.ts";
import { parseTemplateText } from "./parse-body.ts";
import { lookUp, type Scope } from "./scope.ts";
import type { Range } from "./source.ts";
import { elementAt, takeSteps } from "./step-into.ts";
import { boolType, isSequence, numberType, stringType, type Type } from "./type.ts";
import {
  boolValue,
  dynamicValue,
  elementsOf,
  isKnown,
  listValue,
  objectValue,
  textOf,
  textValue,
  tupleValue,
  unknownOf,
  type Value,
} from "./value.ts";

/** The value of an expression; an HclFault with all that is wrong where it has none. */
export function evaluate(expression: Expression, scope: Scope | undefined): Value {
  const diagnostics: Diagnostic[] = [];
  const value = evaluateInto(expression, scope, diagnostics);
  if (diagnostics.length > 0) throw new HclFault(diagnostics);
  return value;
}

/**
 * The same, with what is wrong added to `diagnostics`: the rest is evaluated to find more, with
 * values of which nothing is known. Without a scope, no variable and no function may be used.
 */
export function evaluateInto(
  expression: Expression,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  scope?.budget.take();
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "variable":
      return evaluateVariable(expression, scope, diagnostics);
    case "relative":
      return takeSteps(
        evaluateInto(expression.source, scope, diagnostics),
        expression.steps,
        diagnostics,
      );
    case "index": {
      const collection = evaluateInto(expression.collection, scope, diagnostics);
      const key = evaluateInto(expression.key, scope, diagnostics);
      return elementAt(collection, key, expression.bracketRange, diagnostics);
    }
    case "splat":
      return evaluateSplat(expression, scope, diagnostics);
    case "item":
      return scope?.items.get(expression.item) ?? dynamicValue;
    case "call":
      return evaluateCall(expression, { scope, diagnostics, evaluate: evaluateInto });
    case "conditional":
      return evaluateConditional(expression, { scope, diagnostics, evaluate: evaluateInto });
    case "binary":
      return evaluateBinary(expression, scope, diagnostics);
    case "unary":
      return evaluateUnary(expression, scope, diagnostics);
    case "parentheses":
    case "wrap":
      return evaluateInto(expression.inner, scope, diagnostics);
    case "tuple":
    case "json array":
      return tupleValue(expression.items.map((item) => evaluateInto(item, scope, diagnostics)));
    case "object":
      return evaluateObject(expression, scope, diagnostics);
    case "for":
      return evaluateFor(expression, { scope, diagnostics, evaluate: evaluateInto });
    case "template":
      return evaluateTemplate(expression, scope, diagnostics);
    case "join":
      return evaluateJoin(expression, scope, diagnostics);
    case "json text":
      return evaluateJsonText(expression.text, expression.range, scope, diagnostics);
    case "json object":
      return evaluateJsonObject(expression, scope, diagnostics);
  }
}

type Of<K extends Expression["kind"]> = Extract<Expression, { readonly kind: K }>;

function evaluateVariable(
  { name, steps, nameRange }: Of<"variable">,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  const value = scope && lookUp(scope, name);
  if (value) return takeSteps(value, steps, diagnostics);
  if (!scope) {
    diagnostics.push({
      summary: "Variables not allowed",
      detail: "Variables may not be used here.",
      subject: nameRange,
    });
    return dynamicValue;
  }
  const names: string[] = [];
  for (let each: Scope | undefined = scope; each; each = each.parent)
    names.push(...each.variables.keys());
  diagnostics.push({
    summary: "Unknown variable",
    detail: `There is no variable named ${JSON.stringify(name)}.${didYouMean(name, names)}`,
    subject: nameRange,
  });
  return dynamicValue;
}

function evaluateSplat(
  { source, each, item }: Of<"splat">,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  const before = diagnostics.length;
  const value = evaluateInto(source, scope, diagnostics);
  if (diagnostics.length > before) return dynamicValue;
  const isOne = !isSequence(value.type);
  if (value.content === null) {
    if (isOne) return tupleValue([]);
    diagnostics.push({
      summary: "Splat of null value",
      detail: "Splat expressions (with the * symbol) cannot be applied to null sequences.",
      subject: source.range,
    });
    return dynamicValue;
  }
  if (!isKnown(value) || !scope) return dynamicValue;
  const items = (isOne ? [value] : elementsOf(value)).map((element) => {
    const items = new Map([...scope.items, [item, element]]);
    return evaluateInto(each, { ...scope, items }, diagnostics);
  });
  if (diagnostics.length > before) return dynamicValue;
  const isList = value.type.kind === "list" || value.type.kind === "set";
  return isList ? listValue(items) : tupleValue(items);
}

function evaluateBinary(
  { operator, left, right, range }: Of<"binary">,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  const isLogic = operator === "&&" || operator === "||";
  const isEquality = operator === "==" || operator === "!=";
  const wanted = isLogic ? boolType : numberType;
  const result = isLogic || isEquality || /[<>]/.test(operator) ? boolType : numberType;
  const found: [Diagnostic[], Diagnostic[]] = [[], []];
  const unsuitable: Diagnostic[] = [];
  const operand = (expression: Expression, side: "left" | "right", own: Diagnostic[]) => {
    const value = evaluateInto(expression, scope, own);
    if (isEquality) return value;
    const before = `Unsuitable value for ${side} operand: `;
    return convertInto(value, wanted, unsuitable, {
      summary: "Invalid operand",
      before,
      subject: expression.range,
    });
  };
  const a = operand(left, "left", found[0]);
  const b = operand(right, "right", found[1]);
  if (a === undefined || b === undefined) {
    diagnostics.push(...unsuitable, ...found[0], ...found[1]);
    return unknownOf(result);
  }
  if (isLogic) {
    const decisive = operator === "||";
    for (const [at, value] of [a, b].entries()) {
      if (value.content !== decisive) continue;
      diagnostics.push(...(found[at] ?? []));
      return boolValue(decisive);
    }
  }
  diagnostics.push(...found[0], ...found[1]);
  if (found[0].length + found[1].length > 0) return unknownOf(result);
  try {
    return operate(operator, a, b);
  } catch (error) {
    return operationFailed(error, range, result, diagnostics);
  }
}

function operationFailed(
  error: unknown,
  range: Range,
  type: Type,
  diagnostics: Diagnostic[],
): Value {
  if (!isFault(error, "invalid")) throw error;
  diagnostics.push({
    summary: "Operation failed",
    detail: `Error during operation: ${error.message}.`,
    subject: range,
  });
  return unknownOf(type);
}

function evaluateUnary(
  { operator, operand, range }: Of<"unary">,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  const type = operator === "!" ? boolType : numberType;
  const before = diagnostics.length;
  const given = evaluateInto(operand, scope, diagnostics);
  const value = convertInto(given, type, diagnostics, {
    summary: "Invalid operand",
    before: "Unsuitable value for unary operand: ",
    subject: operand.range,
  });
  if (value === undefined || diagnostics.length > before) return unknownOf(type);
  try {
    return operate(operator === "!" ? "not" : "negate", value, value);
  } catch (error) {
    return operationFailed(error, range, type, diagnostics);
  }
}

function evaluateObject(
  { items }: Of<"object">,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  const attributes = new Map<string, Value>();
  let isWhole = true;
  for (const { key: keyExpression, isComputed, value: valueExpression } of items) {
    const before = diagnostics.length;
    const key = evaluateKey(keyExpression, isComputed, scope, diagnostics);
    const isKeyBroken = diagnostics.length > before;
    const value = evaluateInto(valueExpression, scope, diagnostics);
    if (!isKeyBroken && key.content === null) {
      diagnostics.push({
        summary: "Null value as key",
        detail: "Can't use a null value as a key.",
        subject: valueExpression.range,
      });
    }
    const text =
      isKeyBroken || key.content === null
        ? undefined
        : convertInto(key, stringType, diagnostics, {
            summary: "Incorrect key type",
            before: "Can't use this value as a key: ",
            subject: keyExpression.range,
          });
    if (text === undefined || !isKnown(text)) isWhole = false;
    else attributes.set(textOf(text), value);
  }
  return isWhole ? objectValue(attributes) : dynamicValue;
}

function evaluateKey(
  key: Expression,
  isComputed: boolean,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  if (isComputed) return evaluateInto(key, scope, diagnostics);
  if (key.kind === "variable" && key.steps.length > 0) {
    diagnostics.push({
      summary: "Ambiguous attribute key",
      detail:
        "If this expression is intended to be a reference, wrap it in parentheses. If it's instead intended as a literal name containing periods, wrap it in quotes to create a string literal.",
      subject: key.range,
    });
    return dynamicValue;
  }
  const word = keywordOf(key);
  return word === undefined ? evaluateInto(key, scope, diagnostics) : textValue(word);
}

const badPart = "Invalid template interpolation value";

function evaluateTemplate(
  { parts }: Of<"template">,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  let text = "";
  let isWhole = true;
  for (const part of parts) {
    const value = evaluateInto(part, scope, diagnostics);
    if (value.content === null) {
      diagnostics.push({
        summary: badPart,
        detail: "The expression result is null. Cannot include a null value in a string template.",
        subject: part.range,
      });
      continue;
    }
    if (!isKnown(value)) {
      isWhole = false;
      continue;
    }
    const before = "Cannot include the given value in a string template: ";
    const shown = convertInto(value, stringType, diagnostics, {
      summary: badPart,
      before,
      subject: part.range,
    });
    if (shown) text += textOf(shown);
    scope?.budget.takeText(text.length);
  }
  return isWhole ? textValue(text) : unknownOf(stringType);
}

function evaluateJoin(
  { loop, range }: Of<"join">,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  const tuple = evaluateFor(loop, { scope, diagnostics, evaluate: evaluateInto });
  if (!isKnown(tuple)) return unknownOf(stringType);
  let text = "";
  for (const value of elementsOf(tuple)) {
    if (value.content === null) {
      diagnostics.push({
        summary: badPart,
        detail: "An iteration result is null. Cannot include a null value in a string template.",
        subject: range,
      });
      continue;
    }
    if (!isKnown(value)) return unknownOf(stringType);
    const before = "Cannot include one of the interpolation results into the string template: ";
    const shown = convertInto(value, stringType, diagnostics, {
      summary: badPart,
      before,
      subject: range,
    });
    if (shown) text += textOf(shown);
    scope?.budget.takeText(text.length);
  }
  return textValue(text);
}

/** A text in JSON is a template, unless nothing may be computed. */
function evaluateJsonText(
  text: string,
  range: Range,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  if (!scope) return textValue(text);
  const { line, column } = range.start;
  const parsed = parseTemplateText(text, range.file, { line, column: column + 1 });
  if (parsed.diagnostics.length === 0) return evaluateInto(parsed.expression, scope, diagnostics);
  diagnostics.push(...parsed.diagnostics);
  return dynamicValue;
}

function evaluateJsonObject(
  { items }: Of<"json object">,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
): Value {
  const attributes = new Map<string, Value>();
  const ranges = new Map<string, Range>();
  let isWhole = true;
  const invalidKey = "Invalid object key expression";
  for (const { name, nameRange, value } of items) {
    const key = evaluateJsonText(name, nameRange, scope, diagnostics);
    const item = evaluateInto(value, scope, diagnostics);
    const before = "Cannot use this expression as an object key: ";
    const text = convertInto(key, stringType, diagnostics, {
      summary: invalidKey,
      before,
      subject: nameRange,
    });
    if (text === undefined) continue;
    const report = (summary: string, detail: string) =>
      diagnostics.push({ summary, detail, subject: nameRange });
    if (text.content === null) {
      report(invalidKey, "Cannot use null value as an object key.");
      continue;
    }
    if (!isKnown(text)) {
      isWhole = false;
      continue;
    }
    const shown = textOf(text);
    const first = ranges.get(shown);
    if (first) {
      const { file, start, end } = first;
      const place = `${file}:${start.line},${start.column}-${end.column}`;
      report(
        "Duplicate object attribute",
        `An attribute named ${JSON.stringify(shown)} was already defined at ${place}.`,
      );
      continue;
    }
    attributes.set(shown, item);
    ranges.set(shown, nameRange);
  }
  return isWhole ? objectValue(attributes) : dynamicValue;
}
