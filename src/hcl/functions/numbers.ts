import type { BinaryOperator } from "../expression.ts";
import {
  type BigNumber,
  compare,
  integer,
  isWhole,
  negate,
  parseNumber,
  toDouble,
  truncate,
} from "../number.ts";
import { operate } from "../operate.ts";
import { ArgumentFault } from "../scope.ts";
import { boolType, numberType } from "../type.ts";
import {
  boolValue,
  dynamicValue,
  numberOf,
  numberValue,
  sameValue,
  textOf,
  type Value,
} from "../value.ts";
import { argument, define, type Functions, failure, wholeNumber } from "./define.ts";

function binary(operator: BinaryOperator) {
  const isLogic = operator === "&&" || operator === "||";
  const type = isLogic ? "bool" : "number";
  const returns = isLogic || /[<>]/.test(operator) ? boolType : numberType;
  return define(`a:${type} b:${type}`, returns, ([a, b]) =>
    operate(operator, a ?? dynamicValue, b ?? dynamicValue),
  );
}

function ofNumber(name: string, action: (number: BigNumber) => BigNumber) {
  return define(`${name}:number`, numberType, (args) =>
    numberValue(action(numberOf(argument(args, 0)))),
  );
}

function extreme(sign: number) {
  return define("numbers:number...", numberType, (args) => {
    const numbers = args.map(numberOf);
    if (numbers.length === 0) throw failure("must pass at least one number");
    return numberValue(
      numbers.reduce((best, each) => (compare(each, best) * sign > 0 ? each : best)),
    );
  });
}

/** Of double precision: what has no exact result. */
function double(value: number): Value {
  const number = Number.isFinite(value) ? parseNumber(String(value), 53) : undefined;
  if (!number) throw failure(`the result ${value} is not a number`);
  return numberValue(number);
}

function rounding(direction: -1 | 1) {
  return ofNumber("num", (number) => {
    const whole = truncate(number);
    const isPast = !isWhole(number) && number.mantissa > 0n === direction > 0;
    return integer(isPast ? whole + BigInt(direction) : whole);
  });
}

function parseInteger(args: readonly Value[]): Value {
  const value = argument(args, 0);
  if (value.type.kind !== "string") {
    throw new ArgumentFault(0, `first argument must be a string, not ${value.type.kind}`);
  }
  const base = wholeNumber(args, 1, { about: 1 });
  if (base < 2 || base > 62) {
    throw new ArgumentFault(1, "base must be a whole number between 2 and 62 inclusive");
  }
  const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const text = textOf(value);
  const [, sign = "", body = ""] =
    /^([+-]?)(.*)$/s.exec(base <= 36 ? text.toLowerCase() : text) ?? [];
  let number = 0n;
  for (const letter of body) {
    const digit = digits.indexOf(letter);
    if (digit < 0 || digit >= base) refuseDigits(text, base);
    number = number * BigInt(base) + BigInt(digit);
  }
  if (body === "" || body.length > 1000) refuseDigits(text, base);
  return numberValue(integer(sign === "-" ? -number : number));
}

function refuseDigits(text: string, base: number): never {
  throw new ArgumentFault(0, `cannot parse ${JSON.stringify(text)} as a base ${base} integer`);
}

/** Arithmetic, comparisons and logic. */
export const numberFunctions: Functions = {
  absolute: ofNumber("num", (number) => (number.mantissa < 0n ? negate(number) : number)),
  add: binary("+"),
  and: binary("&&"),
  ceil: rounding(1),
  divide: binary("/"),
  equal: define("a:any? b:any?", boolType, ([a, b]) =>
    boolValue(sameValue(a ?? dynamicValue, b ?? dynamicValue)),
  ),
  floor: rounding(-1),
  greaterthan: binary(">"),
  greaterthanorequalto: binary(">="),
  int: ofNumber("num", (number) => (isWhole(number) ? number : integer(truncate(number)))),
  lessthan: binary("<"),
  lessthanorequalto: binary("<="),
  log: define("num:number base:number", numberType, ([num, base]) =>
    double(
      Math.log(toDouble(numberOf(num ?? dynamicValue))) /
        Math.log(toDouble(numberOf(base ?? dynamicValue))),
    ),
  ),
  max: extreme(1),
  min: extreme(-1),
  modulo: binary("%"),
  multiply: binary("*"),
  negate: ofNumber("num", negate),
  not: define("val:bool", boolType, (args) => boolValue(argument(args, 0).content === false)),
  notequal: define("a:any? b:any?", boolType, ([a, b]) =>
    boolValue(!sameValue(a ?? dynamicValue, b ?? dynamicValue)),
  ),
  or: binary("||"),
  parseint: define("number:any base:number", numberType, parseInteger),
  pow: define("num:number power:number", numberType, ([num, power]) =>
    double(toDouble(numberOf(num ?? dynamicValue)) ** toDouble(numberOf(power ?? dynamicValue))),
  ),
  signum: ofNumber("num", (number) =>
    integer(number.mantissa === 0n ? 0 : number.mantissa < 0n ? -1 : 1),
  ),
  subtract: binary("-"),
};
