import { childrenOf, type Expression, type Step } from "./expression.ts";
import { parseTemplateText } from "./parse-body.ts";

/** A use of a variable: its name, and the steps from its value. */
export interface Reference {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** The variables and the functions that an expression uses, in its order; not those that its loops name. */
export function referencesOf(expression: Expression): {
  readonly variables: readonly Reference[];
  readonly functions: readonly string[];
} {
  const variables: Reference[] = [];
  const functions: string[] = [];
  const visit = (each: Expression, own: readonly string[]): void => {
    if (each.kind === "variable" && !own.includes(each.name)) variables.push(each);
    if (each.kind === "call") functions.push(each.name);
    for (const text of textsOf(each)) {
      const parsed = parseTemplateText(text, each.range.file, each.range.start);
      if (parsed.diagnostics.length === 0) visit(parsed.expression, own);
    }
    for (const { child, names } of childrenOf(each))
      visit(child, names.length === 0 ? own : [...own, ...names]);
  };
  visit(expression, []);
  return { variables, functions };
}

/** Texts of JSON are templates, keys as well. */
function textsOf(expression: Expression): readonly string[] {
  if (expression.kind === "json text") return [expression.text];
  return expression.kind === "json object" ? expression.items.map(({ name }) => name) : [];
}
