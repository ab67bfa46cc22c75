import { convert, unify } from "../convert.ts";
import { ArgumentFault, type Parameter, type PlainFunction } from "../scope.ts";
import { boolType, dynamicType, isCollection, type Type } from "../type.ts";
import { boolValue, elementsOf, sameValue, setValue, type Value } from "../value.ts";
import { argument, type Functions } from "./define.ts";

const anySet: Type = { kind: "set", element: dynamicType };
const first: Parameter = { name: "first_set", type: anySet };
const others: Parameter = { name: "other_sets", type: anySet };

function elementType({ type }: Value): Type {
  return isCollection(type) ? type.element : dynamicType;
}

/** An operation on sets, whose elements become of one type. */
function operation(
  action: (a: readonly Value[], b: readonly Value[]) => readonly Value[],
  { params, rest }: { readonly params: readonly Parameter[]; readonly rest?: Parameter },
): PlainFunction {
  const call = (args: readonly Value[]): Value => {
    const filled = args.filter((each) => elementsOf(each).length > 0);
    const element = unify((filled.length > 0 ? filled : args).map(elementType));
    if (!element) throw new ArgumentFault(1, "given sets must all have compatible element types");
    const [start = [], ...more] = args.map((each) =>
      elementsOf(each).map((item) => convert(item, element)),
    );
    return setValue(more.reduce(action, start), element);
  };
  return { params, ...(rest && { rest }), returns: dynamicType, call };
}

function without(a: readonly Value[], b: readonly Value[]): Value[] {
  return a.filter((each) => !b.some((other) => sameValue(each, other)));
}

const several = { params: [first], rest: others };

/** Sets, which lists become on the way in. */
export const setFunctions: Functions = {
  sethaselement: {
    params: [
      { name: "set", type: anySet },
      { name: "elem", type: dynamicType },
    ],
    returns: boolType,
    call: (args) =>
      boolValue(elementsOf(argument(args, 0)).some((each) => sameValue(each, argument(args, 1)))),
  },
  setintersection: operation(
    (a, b) => a.filter((each) => b.some((other) => sameValue(each, other))),
    several,
  ),
  setsubtract: operation(without, {
    params: [
      { name: "a", type: anySet },
      { name: "b", type: anySet },
    ],
  }),
  setsymmetricdifference: operation((a, b) => [...without(a, b), ...without(b, a)], several),
  setunion: operation((a, b) => [...a, ...b], several),
};
