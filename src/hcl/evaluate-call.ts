import { isFault } from "#base";
import { didYouMean } from "./diagnostic.ts";
import { convertInto, type Evaluation } from "./evaluation.ts";
import { type CallExpression, type Expression, startRange } from "./expression.ts";
import {
  ArgumentFault,
  type HclFunction,
  type Parameter,
  type PlainFunction,
  type Scope,
} from "./scope.ts";
import type { Range } from "./source.ts";
import { isSequence } from "./type.ts";
import {
  dynamicValue,
  elementsOf,
  isKnown,
  isWhollyKnown,
  unknownOf,
  type Value,
} from "./value.ts";

/** The result of a function. */
export function evaluateCall(call: CallExpression, evaluation: Evaluation): Value {
  const { scope, diagnostics } = evaluation;
  const report = (summary: string, detail: string, subject: Range) => {
    diagnostics.push({ summary, detail, subject });
    return dynamicValue;
  };
  if (!scope)
    return report("Function calls not allowed", "Functions may not be called here.", call.range);
  const shown = JSON.stringify(call.name);
  const found = scope.functions.get(call.name);
  if (!found) {
    const advice = didYouMean(call.name, scope.functions.keys());
    return report(
      "Call to unknown function",
      `There is no function named ${shown}.${advice}`,
      call.nameRange,
    );
  }
  const args = expandedArguments(call, evaluation);
  if (!args) return dynamicValue;
  const { params, rest } = found;
  const missing = params[args.length];
  if (missing) {
    const detail = `Function ${shown} expects${rest ? " at least" : ""} ${params.length} argument(s). Missing value for "${missing.name}".`;
    return report("Not enough function arguments", detail, call.closeRange);
  }
  const extra = args[params.length];
  if (!rest && extra) {
    const detail = `Function ${shown} expects only ${params.length} argument(s).`;
    return report("Too many function arguments", detail, startRange(extra));
  }
  try {
    if ("callLazily" in found) return found.callLazily(args, scope);
    const values = argumentValues(found, args, evaluation);
    return values ? callPlain(found, values, scope) : dynamicValue;
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    if (error instanceof ArgumentFault) {
      const name = parameterOf(found, error.index)?.name ?? "";
      const at = args[error.index];
      const detail = `Invalid value for "${name}" parameter: ${error.message}.`;
      return report("Invalid function argument", detail, at ? startRange(at) : call.range);
    }
    const detail = `Call to function ${shown} failed: ${error.message}.`;
    return report("Error in function call", detail, startRange(call));
  }
}

function parameterOf({ params, rest }: HclFunction, index: number): Parameter | undefined {
  return params[index] ?? rest;
}

function expandedArguments(
  { args, isExpanded }: CallExpression,
  { scope, diagnostics, evaluate }: Evaluation,
): readonly Expression[] | undefined {
  const last = isExpanded ? args.at(-1) : undefined;
  if (!last) return args;
  const before = diagnostics.length;
  const value = evaluate(last, scope, diagnostics);
  if (diagnostics.length > before) return undefined;
  const report = (rule: string) => {
    diagnostics.push({
      summary: "Invalid expanding argument value",
      detail: `The expanding argument (indicated by ...) must ${rule}.`,
      subject: last.range,
    });
    return undefined;
  };
  if (value.type.kind !== "dynamic" && !isSequence(value.type)) {
    return report("be of a tuple, list, or set type");
  }
  if (value.content === null) return report("not be null");
  if (!isKnown(value)) return undefined;
  const { range } = last;
  return [
    ...args.slice(0, -1),
    ...elementsOf(value).map((item): Expression => ({ kind: "literal", value: item, range })),
  ];
}

function argumentValues(
  found: PlainFunction,
  args: readonly Expression[],
  { scope, diagnostics, evaluate }: Evaluation,
): readonly Value[] | undefined {
  const before = diagnostics.length;
  const values: Value[] = [];
  for (const [index, expression] of args.entries()) {
    const parameter = parameterOf(found, index);
    const value = evaluate(expression, scope, diagnostics);
    if (!parameter) continue;
    const converted = convertInto(value, parameter.type, diagnostics, {
      summary: "Invalid function argument",
      before: `Invalid value for "${parameter.name}" parameter: `,
      subject: startRange(expression),
    });
    values.push(converted ?? dynamicValue);
  }
  return diagnostics.length > before ? undefined : values;
}

function callPlain(found: PlainFunction, values: readonly Value[], scope: Scope): Value {
  for (const [index, value] of values.entries()) {
    if (value.content === null && !parameterOf(found, index)?.allowsNull) {
      throw new ArgumentFault(index, "argument must not be null");
    }
  }
  if (!values.every(isWhollyKnown)) return unknownOf(found.returns);
  scope.budget.take(values.length);
  const result = found.call(values);
  if (typeof result.content === "string") scope.budget.takeText(result.content.length);
  else scope.budget.take(elementsOf(result).length);
  return result;
}
