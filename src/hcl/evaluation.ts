import { isFault } from "#base";
import { convert } from "./convert.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Expression } from "./expression.ts";
import type { Scope } from "./scope.ts";
import type { Range } from "./source.ts";
import type { Type } from "./type.ts";
import type { Value } from "./value.ts";

/** Evaluates an expression; what is wrong is added to `diagnostics`. */
export type Evaluator = (
  expression: Expression,
  scope: Scope | undefined,
  diagnostics: Diagnostic[],
) => Value;

/** Where an expression is evaluated, and by what its parts are. */
export interface Evaluation {
  readonly scope: Scope | undefined;
  readonly diagnostics: Diagnostic[];
  readonly evaluate: Evaluator;
}

/** The value as one of a type; what is wrong is added with the words around the reason. */
export function convertInto(
  value: Value,
  type: Type,
  diagnostics: Diagnostic[],
  {
    summary,
    before,
    subject,
  }: { readonly summary: string; readonly before: string; readonly subject: Range },
): Value | undefined {
  try {
    return convert(value, type);
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    diagnostics.push({ summary, detail: `${before}${error.message}.`, subject });
    return undefined;
  }
}
