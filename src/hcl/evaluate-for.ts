import type { Diagnostic } from "./diagnostic.ts";
import { convertInto, type Evaluation, type Evaluator } from "./evaluation.ts";
import type { Expression, ForExpression } from "./expression.ts";
import { childScope, type Scope } from "./scope.ts";
import { boolType, stringType, typeName } from "./type.ts";
import {
  dynamicValue,
  isIterable,
  isKnown,
  itemsOf,
  objectValue,
  textOf,
  tupleValue,
  type Value,
} from "./value.ts";

/** A loop over a collection, into a tuple, or by keys into an object. */
export function evaluateFor(loop: ForExpression, evaluation: Evaluation): Value {
  const { scope, diagnostics, evaluate } = evaluation;
  const { collection } = loop;
  const value = evaluate(collection, scope, diagnostics);
  if (value.content === null) {
    diagnostics.push({
      summary: "Iteration over null value",
      detail: "A null value cannot be used as the collection in a 'for' expression.",
      subject: collection.range,
    });
    return dynamicValue;
  }
  if (!isKnown(value)) return dynamicValue;
  if (!isIterable(value)) {
    diagnostics.push({
      summary: "Iteration over non-iterable value",
      detail: `A value of type ${typeName(value.type)} cannot be used as the collection in a 'for' expression.`,
      subject: collection.range,
    });
    return dynamicValue;
  }
  if (!scope || !hasUsableCondition(loop, scope, evaluation)) return dynamicValue;
  const items = new Loop(loop, evaluation);
  for (const [key, item] of itemsOf(value)) items.add(scopeOf(loop, scope, key, item));
  return items.result();
}

function scopeOf(
  { keyName, valueName }: ForExpression,
  scope: Scope,
  key: Value,
  item: Value,
): Scope {
  const names: [string, Value][] = keyName === undefined ? [] : [[keyName, key]];
  return childScope(scope, new Map([...names, [valueName, item]]));
}

/** The condition is tried once with an element of which nothing is known, so that what is wrong is said once. */
function hasUsableCondition(
  loop: ForExpression,
  scope: Scope,
  { diagnostics, evaluate }: Evaluation,
): boolean {
  const { condition } = loop;
  if (!condition) return true;
  const before = diagnostics.length;
  const tried = scopeOf(loop, scope, dynamicValue, dynamicValue);
  const value = evaluate(condition, tried, diagnostics);
  if (value.content === null) {
    diagnostics.push({
      summary: "Condition is null",
      detail: "The value of the 'if' clause must not be null.",
      subject: condition.range,
    });
    return false;
  }
  convertInto(value, boolType, diagnostics, {
    summary: "Invalid 'for' condition",
    before: "The 'if' clause value is invalid: ",
    subject: condition.range,
  });
  return diagnostics.length === before;
}

class Loop {
  readonly #loop: ForExpression;
  readonly #diagnostics: Diagnostic[];
  readonly #evaluator: Evaluator;
  readonly #items: Value[] = [];
  readonly #attributes = new Map<string, Value>();
  readonly #groups = new Map<string, Value[]>();
  #isWhole = true;

  constructor(loop: ForExpression, { diagnostics, evaluate }: Evaluation) {
    this.#loop = loop;
    this.#diagnostics = diagnostics;
    this.#evaluator = evaluate;
  }

  #evaluate(expression: Expression, scope: Scope): Value {
    return this.#evaluator(expression, scope, this.#diagnostics);
  }

  add(scope: Scope): void {
    const { key: keyExpression, value: valueExpression, isGrouped } = this.#loop;
    if (!this.#isIncluded(scope)) return;
    if (!keyExpression) {
      this.#items.push(this.#evaluate(valueExpression, scope));
      return;
    }
    const key = this.#key(scope);
    if (key === undefined) {
      this.#isWhole = false;
      return;
    }
    const value = this.#evaluate(valueExpression, scope);
    if (isGrouped) {
      const group = this.#groups.get(key) ?? [];
      group.push(value);
      this.#groups.set(key, group);
    } else if (this.#attributes.has(key)) {
      this.#diagnostics.push({
        summary: "Duplicate object key",
        detail: `Two different items produced the key ${JSON.stringify(key)} in this 'for' expression. If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key.`,
        subject: keyExpression.range,
      });
    } else this.#attributes.set(key, value);
  }

  result(): Value {
    if (!this.#isWhole) return dynamicValue;
    if (!this.#loop.key) return tupleValue(this.#items);
    if (!this.#loop.isGrouped) return objectValue(this.#attributes);
    return objectValue(new Map([...this.#groups].map(([key, items]) => [key, tupleValue(items)])));
  }

  #isIncluded(scope: Scope): boolean {
    const { condition } = this.#loop;
    if (!condition) return true;
    const summary = "Invalid 'for' condition";
    const value = this.#evaluate(condition, scope);
    // Said of the first element only.
    const report = this.#isWhole ? this.#diagnostics : [];
    if (value.content === null) {
      const detail = "The value of the 'if' clause must not be null.";
      report.push({ summary, detail, subject: condition.range });
      this.#isWhole = false;
      return false;
    }
    const before = "The 'if' clause value is invalid: ";
    const isTrue = convertInto(value, boolType, report, {
      summary,
      before,
      subject: condition.range,
    });
    if (isTrue === undefined || !isKnown(isTrue)) this.#isWhole = false;
    return isTrue?.content === true;
  }

  #key(scope: Scope): string | undefined {
    const { key } = this.#loop;
    if (!key) return undefined;
    const summary = "Invalid object key";
    const value = this.#evaluate(key, scope);
    const report = this.#isWhole ? this.#diagnostics : [];
    if (value.content === null) {
      const detail = "Key expression in 'for' expression must not produce a null value.";
      report.push({ summary, detail, subject: key.range });
      return undefined;
    }
    if (!isKnown(value)) return undefined;
    const before = "The key expression produced an invalid result: ";
    const text = convertInto(value, stringType, report, { summary, before, subject: key.range });
    return text && textOf(text);
  }
}
