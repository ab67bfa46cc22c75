import { Fault } from "#base";
import { formatNumber, parseNumber } from "./number.ts";
import {
  constraintName,
  dynamicType,
  isCollection,
  isPrimitive,
  listOf,
  mapOf,
  objectOf,
  sameType,
  type Type,
  tupleOf,
} from "./type.ts";
import {
  boolValue,
  elementsOf,
  entriesOf,
  itemsOf,
  listValue,
  mapValue,
  nullOf,
  numberOf,
  numberValue,
  objectValue,
  setValue,
  textOf,
  textValue,
  tupleValue,
  unknownOf,
  type Value,
} from "./value.ts";

/** The value as one of another type; `invalid`, in cty's words, where it is none. */
export function convert(value: Value, type: Type): Value {
  if (type.kind === "dynamic" || sameType(value.type, type)) return value;
  if (value.type.kind === "dynamic") {
    return value.content === null
      ? nullOf(withoutOptional(type))
      : unknownOf(withoutOptional(type));
  }
  if (!isConvertible(value.type, type)) throw refused(mismatch(value.type, type));
  if (value.content === null) return nullOf(withoutOptional(type));
  if (value.content === undefined) return unknownOf(withoutOptional(type));
  if (isPrimitive(type)) return convertPrimitive(value, type);
  if (type.kind === "list" || type.kind === "set")
    return convertSequence(value, type.kind, type.element);
  if (type.kind === "map") return convertMap(value, type.element);
  if (type.kind === "tuple") {
    return tupleValue(
      elementsOf(value).map((item, at) => convert(item, type.elements[at] ?? dynamicType)),
    );
  }
  if (type.kind !== "object") return value;
  const given = entriesOf(value);
  const attributes = [...type.attributes].map(([name, wanted]): [string, Value] => {
    const item = given.get(name);
    return [name, item === undefined ? nullOf(withoutOptional(wanted)) : convert(item, wanted)];
  });
  return objectValue(new Map(attributes));
}

function refused(message: string): Fault {
  return new Fault("invalid", message);
}

function withoutOptional(type: Type): Type {
  return type.kind === "object" ? objectOf(type.attributes) : type;
}

function convertPrimitive(value: Value, type: Type): Value {
  if (type.kind === "string") {
    return textValue(
      value.type.kind === "number" ? formatNumber(numberOf(value)) : String(value.content),
    );
  }
  const text = textOf(value);
  if (type.kind === "number") {
    const number = value.type.kind === "string" ? parseNumber(text) : undefined;
    if (number === undefined) throw refused("a number is required");
    return numberValue(number);
  }
  if (text === "true" || text === "1") return boolValue(true);
  if (text === "false" || text === "0") return boolValue(false);
  throw refused(boolHint(text));
}

function boolHint(text: string): string {
  if (/^(?:True|TRUE)$/.test(text))
    return 'a bool is required; to convert from string, use lowercase "true"';
  if (/^(?:False|FALSE)$/.test(text))
    return 'a bool is required; to convert from string, use lowercase "false"';
  return "a bool is required";
}

function convertSequence(value: Value, kind: "list" | "set", wanted: Type): Value {
  const items = elementsOf(value);
  const element = wanted.kind === "dynamic" ? elementOf(value) : wanted;
  const converted = items.map((item) => convert(item, element));
  const type = wanted.kind === "dynamic" ? element : withoutOptional(wanted);
  return kind === "list" ? listValue(converted, type) : setValue(converted, type);
}

function elementOf(value: Value): Type {
  if (isCollection(value.type)) return value.type.element;
  const types = itemsOf(value).map(([, { type }]) => type);
  return types.length === 0 ? dynamicType : (unify(types) ?? dynamicType);
}

function convertMap(value: Value, wanted: Type): Value {
  const element = wanted.kind === "dynamic" ? elementOf(value) : wanted;
  const items = [...entriesOf(value)].map(([key, item]): [string, Value] => [
    key,
    convert(item, element),
  ]);
  return mapValue(new Map(items), wanted.kind === "dynamic" ? element : withoutOptional(wanted));
}

/** Whether values of the one type may be values of the other one; a text may still be no number. */
function isConvertible(from: Type, to: Type): boolean {
  if (to.kind === "dynamic" || from.kind === "dynamic" || sameType(from, to)) return true;
  if (isPrimitive(from) && isPrimitive(to)) return from.kind === "string" || to.kind === "string";
  if (to.kind === "list" || to.kind === "set") {
    if (from.kind === "tuple") return hasElement(from.elements, to.element);
    return (from.kind === "list" || from.kind === "set") && isConvertible(from.element, to.element);
  }
  if (to.kind === "map") {
    if (from.kind === "object") return hasElement([...from.attributes.values()], to.element);
    return from.kind === "map" && isConvertible(from.element, to.element);
  }
  if (to.kind === "tuple" && from.kind === "tuple") {
    return (
      from.elements.length === to.elements.length &&
      from.elements.every((each, index) => isConvertible(each, to.elements[index] ?? dynamicType))
    );
  }
  if (to.kind !== "object") return false;
  if (from.kind === "map")
    return [...to.attributes.values()].every((each) => isConvertible(from.element, each));
  if (from.kind !== "object") return false;
  return [...to.attributes].every(([name, wanted]) => {
    const given = from.attributes.get(name);
    return given === undefined ? (to.optional?.has(name) ?? false) : isConvertible(given, wanted);
  });
}

function hasElement(types: readonly Type[], element: Type): boolean {
  if (element.kind === "dynamic") return types.length === 0 || unify(types) !== undefined;
  return types.every((each) => isConvertible(each, element));
}

/** Why the one type is not the other one, in cty's words. */
function mismatch(got: Type, want: Type): string {
  const required = `${constraintName(want)} required`;
  if (got.kind === "object" && want.kind === "object") return objectMismatch(got, want);
  if (isCollection(want) && want.element.kind === "dynamic") {
    const isOwn = want.kind === "map" ? got.kind === "object" : got.kind === "tuple";
    if (isOwn) return `all ${want.kind} elements must have the same type`;
  }
  if (isCollection(want) && (got.kind === "tuple" || got.kind === "object")) {
    if ((want.kind === "map") !== (got.kind === "object")) return required;
    const parts = got.kind === "tuple" ? [...got.elements.entries()] : [...got.attributes];
    for (const [key, type] of parts) {
      if (isConvertible(type, want.element)) continue;
      const name = typeof key === "number" ? key : JSON.stringify(key);
      return `element ${name}: ${mismatch(type, want.element)}`;
    }
    return `all elements must be ${constraintName(want.element)}`;
  }
  if (isCollection(want) && isCollection(got)) {
    if ((want.kind === "map") !== (got.kind === "map")) return required;
    return `incorrect ${want.kind} element type: ${mismatch(got.element, want.element)}`;
  }
  return required;
}

function objectMismatch(
  got: Extract<Type, { kind: "object" }>,
  want: Extract<Type, { kind: "object" }>,
): string {
  const missing = [...want.attributes.keys()]
    .filter((name) => !got.attributes.has(name) && !want.optional?.has(name))
    .sort()
    .map((name) => JSON.stringify(name));
  if (missing.length === 1) return `attribute ${missing[0]} is required`;
  if (missing.length === 2) return `attributes ${missing.join(" and ")} are required`;
  if (missing.length > 2) {
    return `attributes ${missing.slice(0, -1).join(", ")}, and ${missing.at(-1)} are required`;
  }
  for (const [name, wanted] of want.attributes) {
    const given = got.attributes.get(name);
    if (given === undefined || isConvertible(given, wanted)) continue;
    return `attribute ${JSON.stringify(name)}: ${mismatch(given, wanted)}`;
  }
  return "incorrect object attributes";
}

/** The type that values of all these types may have; undefined where there is none. */
export function unify(types: readonly Type[]): Type | undefined {
  const [first] = types;
  if (!first) return undefined;
  const structures = types.filter(({ kind }) => kind === "object" || kind === "tuple");
  const rest = types.filter(({ kind }) => kind === "dynamic");
  const kinds = new Set(structures.map(({ kind }) => kind));
  if (kinds.size > 1) return undefined;
  if (structures.length > 0 && structures.length + rest.length === types.length) {
    return kinds.has("object") ? unifyObjects(structures) : unifyTuples(structures);
  }
  return preferred(types).find((wanted) => types.every((each) => isConvertible(each, wanted)));
}

/** Types that others convert to without loss come first: text before numbers before truth. */
function preferred(types: readonly Type[]): Type[] {
  const safely = (from: Type, to: Type) =>
    isPrimitive(from) && to.kind === "string" && from.kind !== "string";
  return types.toSorted(
    (a, b) =>
      Number(safely(a, b)) - Number(safely(b, a)) ||
      Number(a.kind === "dynamic") - Number(b.kind === "dynamic"),
  );
}

function unifyObjects(types: readonly Type[]): Type | undefined {
  const maps = types.flatMap((each) => (each.kind === "object" ? [each.attributes] : []));
  const names = [...(maps[0]?.keys() ?? [])];
  const isSame = maps.every(
    (each) => each.size === names.length && names.every((name) => each.has(name)),
  );
  if (isSame) {
    const attributes = new Map<string, Type>();
    for (const name of names) {
      const type = unify(maps.map((each) => each.get(name) ?? dynamicType));
      if (!type) return undefined;
      attributes.set(name, type);
    }
    return objectOf(attributes);
  }
  const element = unify(maps.flatMap((each) => [...each.values()]));
  return element && mapOf(element);
}

function unifyTuples(types: readonly Type[]): Type | undefined {
  const tuples = types.flatMap((each) => (each.kind === "tuple" ? [each.elements] : []));
  const length = tuples[0]?.length ?? 0;
  if (tuples.every((each) => each.length === length)) {
    const elements: Type[] = [];
    for (let index = 0; index < length; index++) {
      const type = unify(tuples.map((each) => each[index] ?? dynamicType));
      if (!type) return undefined;
      elements.push(type);
    }
    return tupleOf(elements);
  }
  const element = unify(tuples.flat());
  return element && listOf(element);
}
