import type { BigNumber } from "./number.ts";
import { compare as compareNumbers, formatNumber, integer } from "./number.ts";
import {
  boolType,
  dynamicType,
  isCollection,
  listOf,
  mapOf,
  numberType,
  objectOf,
  sameType,
  stringType,
  type Type,
  tupleOf,
} from "./type.ts";

/** What a value holds: null for null, undefined where it is not known. */
type Content =
  | string
  | boolean
  | BigNumber
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | null
  | undefined;

/** A value with its type. Sets and maps are in their order: of text by its bytes, of numbers by size. */
export interface Value {
  readonly type: Type;
  readonly content: Content;
}

/** A value of which nothing is known, as the result of what failed. */
export const dynamicValue: Value = { type: dynamicType, content: undefined };
export const nullValue: Value = { type: dynamicType, content: null };

/** Text, in the composed form of Unicode (NFC). */
export function textValue(text: string): Value {
  return { type: stringType, content: text.normalize("NFC") };
}

/** A number. */
export function numberValue(number: BigNumber | number): Value {
  return { type: numberType, content: typeof number === "number" ? integer(number) : number };
}

/** True or false. */
export function boolValue(content: boolean): Value {
  return { type: boolType, content };
}

/** Null of a type. */
export function nullOf(type: Type): Value {
  return { type, content: null };
}

/** A value of a type of which no more is known. */
export function unknownOf(type: Type): Value {
  return { type, content: undefined };
}

/** A sequence whose type has the type of each element. */
export function tupleValue(items: readonly Value[]): Value {
  return { type: tupleOf(items.map(({ type }) => type)), content: items };
}

/** A list of values that have one type. */
export function listValue(
  items: readonly Value[],
  element: Type = items[0]?.type ?? dynamicType,
): Value {
  return { type: listOf(element), content: items };
}

/** A set of values that have one type, each of them once. */
export function setValue(items: readonly Value[], element: Type): Value {
  const distinct: Value[] = [];
  for (const item of items)
    if (!distinct.some((other) => sameValue(other, item))) distinct.push(item);
  return { type: { kind: "set", element }, content: distinct.sort(compareValues) };
}

/** A structure whose type has the type of each attribute. */
export function objectValue(attributes: ReadonlyMap<string, Value>): Value {
  const content = sortedMap(attributes);
  return { type: objectOf(new Map([...content].map(([name, { type }]) => [name, type]))), content };
}

/** A map to values that have one type. */
export function mapValue(items: ReadonlyMap<string, Value>, element: Type): Value {
  return { type: mapOf(element), content: sortedMap(items) };
}

function sortedMap(items: ReadonlyMap<string, Value>): Map<string, Value> {
  return new Map([...items].sort(([a], [b]) => compareText(a, b)));
}

/** By the bytes of UTF-8, as Go compares texts. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return /^[\x00-\x7f]*$/.test(a + b)
    ? a < b
      ? -1
      : 1
    : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function compareValues(a: Value, b: Value): number {
  if (typeof a.content === "string" && typeof b.content === "string")
    return compareText(a.content, b.content);
  if (a.type.kind === "number" && b.type.kind === "number")
    return compareNumbers(numberOf(a), numberOf(b));
  return Number(a.content === true) - Number(b.content === true);
}

/** Whether a value is known; what it holds may still not be. */
export function isKnown({ content }: Value): boolean {
  return content !== undefined;
}

/** Whether a value and all that it holds are known. */
export function isWhollyKnown(value: Value): boolean {
  if (value.content === undefined) return false;
  return !isIterable(value) || itemsOf(value).every(([, item]) => isWhollyKnown(item));
}

/** Whether a value has elements to go through. */
export function isIterable({ type, content }: Value): boolean {
  if (content === null || content === undefined) return false;
  return isCollection(type) || type.kind === "tuple" || type.kind === "object";
}

/** The elements of a value with their keys; none for what has no elements. */
export function itemsOf({ type, content }: Value): (readonly [key: Value, item: Value])[] {
  if (content instanceof Map) {
    return [...(content as ReadonlyMap<string, Value>)].map(([key, item]) => [
      textValue(key),
      item,
    ]);
  }
  if (!Array.isArray(content)) return [];
  return (content as readonly Value[]).map((item, at) => [
    type.kind === "set" ? item : numberValue(at),
    item,
  ]);
}

/** The elements of a sequence. */
export function elementsOf(value: Value): readonly Value[] {
  return itemsOf(value).map(([, item]) => item);
}

/** The attributes of an object, or the elements of a map. */
export function entriesOf({ content }: Value): ReadonlyMap<string, Value> {
  return content instanceof Map ? (content as ReadonlyMap<string, Value>) : new Map();
}

/** The text of a value that is text. */
export function textOf({ content }: Value): string {
  return typeof content === "string" ? content : "";
}

/** The number of a value that is one. */
export function numberOf({ content }: Value): BigNumber {
  const isNumber = typeof content === "object" && content !== null && "mantissa" in content;
  return isNumber ? content : integer(0);
}

/** Whether two values have the same type and content. */
export function sameValue(a: Value, b: Value): boolean {
  if (a.content === null || b.content === null) return a.content === b.content;
  if (!sameType(a.type, b.type)) return false;
  if (a.type.kind === "number") return compareNumbers(numberOf(a), numberOf(b)) === 0;
  if (!isIterable(a)) return a.content === b.content;
  const [left, right] = [itemsOf(a), itemsOf(b)];
  return (
    left.length === right.length &&
    left.every(([key, item], at) => {
      const [otherKey, otherItem] = right[at] ?? [];
      return (
        otherKey !== undefined &&
        otherItem !== undefined &&
        sameValue(item, otherItem) &&
        (a.type.kind === "set" || sameValue(key, otherKey))
      );
    })
  );
}

/** The JSON text of a value, as Go writes it: with keys in order, and <, > and & escaped. */
export function jsonOf(value: Value): string {
  const { content, type } = value;
  if (content === null || content === undefined) return "null";
  if (typeof content === "string") return jsonText(content);
  if (typeof content === "boolean") return String(content);
  if (type.kind === "number") return formatNumber(numberOf(value));
  if (content instanceof Map) {
    return `{${itemsOf(value)
      .map(([key, item]) => `${jsonText(textOf(key))}:${jsonOf(item)}`)
      .join(",")}}`;
  }
  return `[${elementsOf(value).map(jsonOf).join(",")}]`;
}

/** A text in JSON, as Go writes it. */
export function jsonText(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
