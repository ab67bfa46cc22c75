import { Fault } from "#base";
import { isWhole, toDouble } from "../number.ts";
import { ArgumentFault, type Parameter, type PlainFunction } from "../scope.ts";
import { boolType, dynamicType, listOf, numberType, stringType, type Type } from "../type.ts";
import { numberOf, type Value } from "../value.ts";

/** Functions by their names. */
export type Functions = Readonly<Record<string, PlainFunction>>;

const types: Readonly<Record<string, Type>> = {
  any: dynamicType,
  bool: boolType,
  bytes: { kind: "bytes" },
  list: listOf(dynamicType),
  number: numberType,
  string: stringType,
  strings: listOf(stringType),
};

/** Parameters as "name:type"; "?" after the type lets null through. */
function parameter(text: string): Parameter {
  const [name = "", type = "any"] = text.split(":");
  const allowsNull = type.endsWith("?");
  return { name, type: types[type.replace("?", "")] ?? dynamicType, allowsNull };
}

/** A function of the parameters "name:type", the last of them any number of times when it ends with "...". */
export function define(
  signature: string,
  returns: Type,
  call: (args: readonly Value[]) => Value,
): PlainFunction {
  const texts = signature === "" ? [] : signature.split(" ");
  const last = texts.at(-1)?.endsWith("...") ? texts.pop()?.slice(0, -3) : undefined;
  const params = texts.map(parameter);
  return last === undefined
    ? { params, returns, call }
    : { params, rest: parameter(last), returns, call };
}

/** `invalid`, with these words. */
export function failure(message: string): Fault {
  return new Fault("invalid", message);
}

/** The argument at an index, which a call always has. */
export function argument(args: readonly Value[], index: number): Value {
  const value = args[index];
  if (!value) throw failure("an argument is missing");
  return value;
}

/** The whole number of an argument; without `about`, the fault is about the whole call. */
export function wholeNumber(
  args: readonly Value[],
  index: number,
  { about, before = "" }: { readonly about?: number; readonly before?: string } = {},
): number {
  const number = numberOf(argument(args, index));
  const value = toDouble(number);
  if (isWhole(number) && Number.isSafeInteger(value)) return value;
  const message = `${before}value must be a whole number, between -9223372036854775808 and 9223372036854775807 inclusive`;
  throw about === undefined ? failure(message) : new ArgumentFault(about, message);
}
