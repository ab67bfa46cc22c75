import { Fault } from "#base";
import type { BinaryOperator } from "./expression.ts";
import { add, compare, divide, multiply, negate, remainder, subtract } from "./number.ts";
import { boolType, numberType } from "./type.ts";
import {
  boolValue,
  isWhollyKnown,
  numberOf,
  numberValue,
  sameValue,
  unknownOf,
  type Value,
} from "./value.ts";

/** The result of an operator; its operands have the types that it takes. */
export function operate(operator: BinaryOperator | "not" | "negate", a: Value, b: Value): Value {
  if (operator === "==" || operator === "!=") return equality(a, b, operator === "==");
  const isNumber = /^(?:[-+*/%]|negate)$/.test(operator);
  if (a.content === null || b.content === null)
    throw new Fault("invalid", "argument must not be null");
  if (a.content === undefined || b.content === undefined)
    return unknownOf(isNumber ? numberType : boolType);
  const [left, right] = [numberOf(a), numberOf(b)];
  switch (operator) {
    case "||":
      return boolValue(a.content === true || b.content === true);
    case "&&":
      return boolValue(a.content === true && b.content === true);
    case "not":
      return boolValue(a.content === false);
    case "negate":
      return numberValue(negate(left));
    case ">":
      return boolValue(compare(left, right) > 0);
    case ">=":
      return boolValue(compare(left, right) >= 0);
    case "<":
      return boolValue(compare(left, right) < 0);
    case "<=":
      return boolValue(compare(left, right) <= 0);
    case "+":
      return numberValue(add(left, right));
    case "-":
      return numberValue(subtract(left, right));
    case "*":
      return numberValue(multiply(left, right));
    case "/":
      return numberValue(divide(left, right));
    case "%":
      return numberValue(remainder(left, right));
  }
}

function equality(a: Value, b: Value, isWanted: boolean): Value {
  if (!isWhollyKnown(a) || !isWhollyKnown(b)) return unknownOf(boolType);
  return boolValue(sameValue(a, b) === isWanted);
}
