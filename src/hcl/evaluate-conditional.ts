import { isFault } from "#base";
import { convert, unify } from "./convert.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { convertInto, type Evaluation } from "./evaluation.ts";
import type { Expression } from "./expression.ts";
import { between } from "./source.ts";
import { boolType, dynamicType, isCollection, type Type, typeName } from "./type.ts";
import { dynamicValue, isKnown, unknownOf, type Value } from "./value.ts";

/** `condition ? a : b`: of the branch that is not taken, only the type counts. */
export function evaluateConditional(
  expression: Extract<Expression, { readonly kind: "conditional" }>,
  { scope, diagnostics, evaluate }: Evaluation,
): Value {
  const { whenTrue, whenFalse, condition } = expression;
  const found: [Diagnostic[], Diagnostic[]] = [[], []];
  const results = [
    evaluate(whenTrue, scope, found[0]),
    evaluate(whenFalse, scope, found[1]),
  ] as const;
  const type = commonType(results[0], results[1]);
  if (type === undefined) {
    const how = describeMismatch(results[0].type, results[1].type);
    diagnostics.push({
      summary: "Inconsistent conditional result types",
      detail: `The true and false result expressions must have consistent types. ${how}.`,
      subject: between(whenTrue.range, whenFalse.range),
    });
    return dynamicValue;
  }
  const value = evaluate(condition, scope, diagnostics);
  if (value.content === null) {
    diagnostics.push({
      summary: "Null condition",
      detail: "The condition value is null. Conditions must either be true or false.",
      subject: condition.range,
    });
    return unknownOf(type);
  }
  if (!isKnown(value)) return unknownOf(type);
  const decided = decide(value, condition, diagnostics);
  if (decided === undefined) return unknownOf(type);
  const at = decided ? 0 : 1;
  diagnostics.push(...found[at]);
  return (
    convertInto(results[at], type, diagnostics, {
      summary: "Inconsistent conditional result types",
      before: `The ${decided} result value has the wrong type: `,
      subject: (decided ? whenTrue : whenFalse).range,
    }) ?? unknownOf(type)
  );
}

function decide(
  value: Value,
  condition: Expression,
  diagnostics: Diagnostic[],
): boolean | undefined {
  try {
    return convert(value, boolType).content === true;
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    diagnostics.push({
      summary: "Incorrect condition type",
      detail: "The condition expression must be of type bool.",
      subject: condition.range,
    });
    return undefined;
  }
}

function commonType(a: Value, b: Value): Type | undefined {
  if (a.content === null && a.type.kind === "dynamic") return b.type;
  if (b.content === null && b.type.kind === "dynamic") return a.type;
  if (a.type.kind === "dynamic" || b.type.kind === "dynamic") return dynamicType;
  return unify([a.type, b.type]);
}

function describeMismatch(a: Type, b: Type): string {
  if (a.kind === "object" && b.kind === "object") {
    const [left, right] = [a.attributes, b.attributes];
    for (const name of [...left.keys()].sort()) {
      const [one, other] = [left.get(name), right.get(name)];
      const shown = JSON.stringify(name);
      if (!other)
        return `The 'true' value includes object attribute ${shown}, which is absent in the 'false' value`;
      if (one && unify([one, other]) === undefined) {
        return `Type mismatch for object attribute ${shown}: ${describeMismatch(one, other)}`;
      }
    }
    const extra = [...right.keys()].sort().find((name) => !left.has(name));
    if (extra !== undefined) {
      return `The 'false' value includes object attribute ${JSON.stringify(extra)}, which is absent in the 'true' value`;
    }
  }
  if (a.kind === "tuple" && b.kind === "tuple") {
    const [left, right] = [a.elements, b.elements];
    if (left.length !== right.length) {
      return `The 'true' tuple has length ${left.length}, but the 'false' tuple has length ${right.length}`;
    }
    for (const [at, one] of left.entries()) {
      const other = right[at];
      if (other && unify([one, other]) === undefined) {
        return `Type mismatch for tuple element ${at}: ${describeMismatch(one, other)}`;
      }
    }
  }
  if (isCollection(a) && isCollection(b) && a.kind === b.kind) {
    const kinds = [a.element.kind, b.element.kind].join();
    if (kinds === "object,object" || kinds === "tuple,tuple") {
      return `Mismatched ${a.kind} element types: ${describeMismatch(a.element, b.element)}`;
    }
  }
  const [left, right] = [typeName(a), typeName(b)];
  return left === right
    ? "At least one deeply-nested attribute or element is not compatible across both the 'true' and the 'false' value"
    : `The 'true' value is ${left}, but the 'false' value is ${right}`;
}
