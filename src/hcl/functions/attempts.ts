import { isFault } from "#base";
import { convert } from "../convert.ts";
import { type Diagnostic, HclFault } from "../diagnostic.ts";
import { evaluateInto } from "../evaluate.ts";
import { ArgumentFault, type LazyFunction } from "../scope.ts";
import { rangeText } from "../source.ts";
import { dynamicType } from "../type.ts";
import { parseType } from "../type-expression.ts";
import { boolValue, dynamicValue, type Value } from "../value.ts";
import { failure } from "./define.ts";

const expression = { name: "expression", type: dynamicType };

/** Functions that are called with expressions, since these may fail. */
export const attemptFunctions: Readonly<Record<string, LazyFunction>> = {
  can: {
    params: [expression],
    callLazily: ([only], scope) => {
      const diagnostics: Diagnostic[] = [];
      if (only) evaluateInto(only, scope, diagnostics);
      return boolValue(diagnostics.length === 0);
    },
  },
  convert: {
    params: [
      { name: "value", type: dynamicType },
      { name: "type", type: dynamicType },
    ],
    callLazily: ([given, wanted], scope): Value => {
      if (!given || !wanted) return dynamicValue;
      const diagnostics: Diagnostic[] = [];
      const value = evaluateInto(given, scope, diagnostics);
      if (diagnostics.length > 0) throw new HclFault(diagnostics);
      const type = parseType(wanted);
      try {
        return convert(value, type);
      } catch (error) {
        if (!isFault(error, "invalid")) throw error;
        throw new ArgumentFault(0, error.message);
      }
    },
  },
  try: {
    params: [],
    rest: { name: "expressions", type: dynamicType },
    callLazily: (args, scope) => {
      if (args.length === 0) throw failure("at least one argument is required");
      const found: Diagnostic[] = [];
      for (const each of args) {
        const diagnostics: Diagnostic[] = [];
        const value = evaluateInto(each, scope, diagnostics);
        if (diagnostics.length === 0) return value;
        found.push(...diagnostics);
      }
      const lines = found.map(({ summary, detail, subject }) => {
        const place = subject ? ` (at ${rangeText(subject)})` : "";
        return `- ${summary}${place}\n  ${detail}\n`;
      });
      throw failure(
        `no expression succeeded:\n${lines.join("")}\nAt least one expression must produce a successful result`,
      );
    },
  },
};
