import { convert } from "./convert.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Step } from "./expression.ts";
import { compare, integer, isWhole, toDouble } from "./number.ts";
import type { Range } from "./source.ts";
import { isPrimitive, numberType, stringType, typeName } from "./type.ts";
import {
  dynamicValue,
  elementsOf,
  entriesOf,
  isKnown,
  numberOf,
  textOf,
  unknownOf,
  type Value,
} from "./value.ts";

/** The value at the end of the steps; what is wrong is added, and nothing is known of the result then. */
export function takeSteps(from: Value, steps: readonly Step[], diagnostics: Diagnostic[]): Value {
  let current = from;
  for (const step of steps) {
    const before = diagnostics.length;
    current =
      step.kind === "attribute"
        ? attributeOf(current, step.name, step.range, diagnostics)
        : elementAt(current, step.key, step.range, diagnostics);
    if (diagnostics.length > before) return dynamicValue;
  }
  return current;
}

function attributeOf(value: Value, name: string, range: Range, diagnostics: Diagnostic[]): Value {
  const fail = (summary: string, detail: string) => {
    diagnostics.push({ summary, detail, subject: range });
    return dynamicValue;
  };
  const unsupported = (detail: string) => fail("Unsupported attribute", detail);
  const { type } = value;
  const shown = JSON.stringify(name);
  if (value.content === null) {
    return fail(
      "Attempt to get attribute from null value",
      "This value is null, so it does not have any attributes.",
    );
  }
  if (type.kind === "dynamic") return dynamicValue;
  if (type.kind === "object") {
    const wanted = type.attributes.get(name);
    if (!wanted) return unsupported(`This object does not have an attribute named ${shown}.`);
    return entriesOf(value).get(name) ?? unknownOf(wanted);
  }
  if (type.kind === "map") {
    if (!isKnown(value)) return unknownOf(type.element);
    const found = entriesOf(value).get(name);
    return (
      found ??
      fail("Missing map element", `This map does not have an element with the key ${shown}.`)
    );
  }
  if ((type.kind === "list" || type.kind === "set") && type.element.kind === "object") {
    if (type.kind === "set") {
      return unsupported(
        "Can't access attributes on a set of objects. Did you mean to access an attribute across all elements of the set?",
      );
    }
    const which = type.element.attributes.has(name) ? `attribute ${shown}` : "an attribute";
    return unsupported(
      `Can't access attributes on a list of objects. Did you mean to access ${which} for a specific element of the list, or across all elements of the list?`,
    );
  }
  if (isPrimitive(type)) {
    return unsupported(`Can't access attributes on a primitive-typed value (${typeName(type)}).`);
  }
  return unsupported("This value does not have any attributes.");
}

const noElement = "The given key does not identify an element in this collection value";

/** The element of a collection that a key names. */
export function elementAt(
  value: Value,
  key: Value,
  range: Range,
  diagnostics: Diagnostic[],
): Value {
  const fail = (detail: string, summary = "Invalid index") => {
    diagnostics.push({ summary, detail, subject: range });
    return dynamicValue;
  };
  const { type } = value;
  if (value.content === null) {
    return fail(
      "This value is null, so it does not have any indices.",
      "Attempt to index null value",
    );
  }
  if (key.content === null) return fail("Can't use a null value as an indexing key.");
  if (key.type.kind === "dynamic" || type.kind === "dynamic") return dynamicValue;
  if (type.kind === "set") {
    return fail(
      "Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's only possible to perform operations across all elements of the set.",
    );
  }
  if (isPrimitive(type)) return fail("This value does not have any indices.");
  const isSequence = type.kind === "list" || type.kind === "tuple";
  let converted: Value;
  try {
    converted = convert(key, isSequence ? numberType : stringType);
  } catch (error) {
    return fail(`${noElement}: ${(error as Error).message}.`);
  }
  if (!isKnown(converted) || !isKnown(value)) return dynamicValue;
  if (isSequence) return elementByNumber(value, converted, fail);
  const found = entriesOf(value).get(textOf(converted));
  if (found) return found;
  const isNumber = type.kind === "object" && key.type.kind === "number";
  const hint = isNumber
    ? " An object only supports looking up attributes by name, not by numeric index."
    : "";
  return fail(`${noElement}.${hint}`);
}

function elementByNumber(value: Value, key: Value, fail: (detail: string) => Value): Value {
  const number = numberOf(key);
  const items = elementsOf(value);
  if (!isWhole(number)) {
    return fail(
      `${noElement}: indexing a sequence requires a whole number, but the given index has a fractional part.`,
    );
  }
  if (compare(number, integer(0)) < 0) {
    return fail(`${noElement}: a negative number is not a valid index for a sequence.`);
  }
  const found = compare(number, integer(items.length)) < 0 ? items[toDouble(number)] : undefined;
  if (found) return found;
  if (compare(number, integer(items.length)) > 0) return fail(`${noElement}.`);
  if (items.length === 0) return fail(`${noElement}: the collection has no elements.`);
  return fail(
    `${noElement}: the given index is greater than or equal to the length of the collection.`,
  );
}
