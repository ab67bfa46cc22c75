import {
  type Attribute,
  childScope,
  type Diagnostic,
  dynamicType,
  type Expression,
  evaluate,
  HclFault,
  type HclFunction,
  hclFault,
  keywordOf,
  type Scope,
  tupleValue,
  type Value,
} from "#hcl";

interface Source {
  readonly params: Attribute;
  readonly rest: Attribute | undefined;
  readonly result: Attribute;
}

/** A function that a file defines: its result is evaluated with its parameters as variables. */
export function userFunction(
  { params, rest, result }: Source,
  scope: Scope,
): { readonly names: ReadonlySet<string>; readonly function: HclFunction } {
  const diagnostics: Diagnostic[] = [];
  const named = (expression: Expression, subject = expression.range): string => {
    const word = keywordOf(expression);
    if (word === undefined) {
      const detail = "Each parameter name must be an identifier.";
      diagnostics.push({ summary: "Invalid param element", detail, subject });
    }
    return word ?? "";
  };
  const names = listed(params.expression).map((each) => named(each));
  const restName = rest && named(rest.expression, rest.range);
  if (diagnostics.length > 0) throw new HclFault(diagnostics);
  const parameter = (name: string) => ({ name, type: dynamicType });
  const call = (args: readonly Value[]): Value => {
    const variables = new Map(
      names.map((name, at): [string, Value] => [name, args[at] ?? tupleValue([])]),
    );
    if (restName !== undefined) variables.set(restName, tupleValue(args.slice(names.length)));
    return evaluate(result.expression, childScope(scope, variables));
  };
  return {
    names: new Set(restName === undefined ? names : [...names, restName]),
    function: {
      params: names.map(parameter),
      ...(restName === undefined ? {} : { rest: parameter(restName) }),
      returns: dynamicType,
      call,
    },
  };
}

function listed(expression: Expression): readonly Expression[] {
  if (expression.kind === "tuple" || expression.kind === "json array") return expression.items;
  throw hclFault("Invalid expression", "A static list expression is required.", expression.range);
}
