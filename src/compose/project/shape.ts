import { Fault } from "#base";
import {
  byKeyOrder,
  Float,
  isMapping,
  type Mapping,
  type Output,
  OutputMap,
  type Value,
} from "#yaml";
import { toBoolean, toFloat, toInteger } from "../cast.ts";
import { goTypeName } from "../go-type.ts";
import { byBytes, isInteger } from "../value.ts";

/** The two forms in which a project is printed; JSON leaves out other things than YAML. */
export type Form = "yaml" | "json";

/**
 * A type of Compose's model: how a value becomes one of it, when it is left out, and how it is printed.
 * What is not set is undefined.
 */
export interface Shape {
  decode(value: Value, where: string): Value | undefined;
  isEmpty(value: Value | undefined, form: Form): boolean;
  print(value: Value | undefined, form: Form): Output;
}

/** A value that its type does not take; docker compose collects these under one headline. */
export function decodeFault(where: string, problem: string): Fault {
  return new Fault(
    "invalid",
    `decoding failed due to the following error(s):\n\n'${where}' ${problem}`,
  );
}

const unconvertible = (where: string, value: Value, type: string) =>
  decodeFault(where, `expected type '${type}', got unconvertible type '${goTypeName(value)}'`);

/** Text; a number becomes one. */
export const text: Shape = {
  decode(value, where) {
    if (typeof value === "string") return value;
    if (value === null) return undefined;
    if (isInteger(value)) return String(value);
    throw unconvertible(where, value, "string");
  },
  isEmpty: (value) => value === undefined || value === "",
  print: (value) => (value as string | undefined) ?? "",
};

function booleanOf(value: Value, where: string): boolean | undefined {
  if (value === null) return undefined;
  if (typeof value === "boolean") return value;
  if (typeof value === "string") return castOf(where, () => toBoolean(value));
  throw unconvertible(where, value, "bool");
}

function castOf<T>(where: string, cast: () => T): T {
  try {
    return cast();
  } catch (error) {
    throw decodeFault(where, (error as Error).message);
  }
}

/** A boolean; false is the same as nothing. */
export const flag: Shape = {
  decode: booleanOf,
  isEmpty: (value) => value !== true,
  print: (value) => value === true,
};

/** A boolean that may be false for a reason. */
export const maybeFlag: Shape = {
  decode: booleanOf,
  isEmpty: (value) => value === undefined,
  print: (value) => value === true,
};

function integerOf(value: Value, where: string): Value | undefined {
  if (value === null) return undefined;
  if (isInteger(value)) return value;
  if (value instanceof Float) return Math.trunc(value.value);
  if (typeof value === "string") return castOf(where, () => toInteger(value));
  throw unconvertible(where, value, "int");
}

/** An integer; zero is the same as nothing. */
export const integer: Shape = {
  decode: integerOf,
  isEmpty: (value) => value === undefined || value === 0,
  print: (value) => value ?? 0,
} as Shape;

/** An integer that may be zero for a reason. */
export const maybeInteger: Shape = {
  ...integer,
  isEmpty: (value) => value === undefined,
};

/** An unsigned integer into which no text is converted. */
export const unsigned: Shape = {
  ...integer,
  decode(value, where) {
    if (typeof value === "string") throw unconvertible(where, value, "uint32");
    return integerOf(value, where);
  },
};

/** A number of 32 bits, printed in the fewest digits that tell it. */
export const float: Shape = {
  decode(value, where) {
    if (value === null) return undefined;
    if (isInteger(value)) return new Float(Number(value));
    if (value instanceof Float) return value;
    if (typeof value === "string") return castOf(where, () => new Float(toFloat(value)));
    throw unconvertible(where, value, "float32");
  },
  isEmpty: (value) => !(value instanceof Float) || value.value === 0,
  print: (value) => new Float(shortestFloat((value as Float | undefined)?.value ?? 0)),
};

function shortestFloat(value: number): number {
  const wanted = Math.fround(value);
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(wanted.toPrecision(digits));
    if (Math.fround(short) === wanted) return short;
  }
  return wanted;
}

/** A list; what is no list becomes one of one entry. */
export function listOf(item: Shape): Shape {
  return {
    decode(value, where) {
      if (value === null) return undefined;
      const items = Array.isArray(value) ? value : [value];
      return items.map((one, i) => item.decode(one, `${where}[${i}]`) ?? null);
    },
    isEmpty: (value) => !Array.isArray(value) || value.length === 0,
    print: (value, form) =>
      ((value as Value[] | undefined) ?? []).map((one) => item.print(one, form)),
  };
}

export const texts = listOf(text);

/** A mapping with keys of the user's; in YAML the keys are in the order in which people count. */
export function mapOf(item: Shape): Shape {
  return {
    decode(value, where) {
      if (value === null) return undefined;
      if (!isMapping(value)) throw unconvertible(where, value, "map");
      const mapping: Mapping = new Map();
      for (const [key, part] of value) {
        mapping.set(key, item.decode(part, `${where}[${key}]`) ?? null);
      }
      return mapping;
    },
    isEmpty: (value) => !isMapping(value) || value.size === 0,
    print(value, form) {
      const mapping = (value as Mapping | undefined) ?? new Map<string, Value>();
      const keys = [...mapping.keys()].sort(form === "yaml" ? byKeyOrder : byBytes);
      return new OutputMap(
        keys.map((key) => [key, item.print(mapping.get(key) ?? null, form)] as const),
      );
    },
  };
}

/** One field of a structure: its name, its type, whether it is printed when empty, and another name in JSON. */
export type Field = readonly [
  name: string,
  shape: Shape,
  keep?: "json" | "always",
  nameInJson?: string,
];

/** Where the keys that begin with "x-" are kept. */
const extensions = "#extensions";

/** A mapping with known keys, printed in the order of its fields, then its extensions (in YAML alone). */
export function structure(fields: readonly Field[]): Shape {
  return {
    decode(value, where) {
      if (value === null) return undefined;
      if (!isMapping(value)) throw unconvertible(where, value, "struct");
      const result: Mapping = new Map();
      for (const [name, shape] of fields) {
        const part = value.get(name);
        const decoded = part === undefined ? undefined : shape.decode(part, `${where}.${name}`);
        if (decoded !== undefined) result.set(name, decoded);
      }
      const extra: Mapping = new Map();
      for (const [key, part] of value) if (key.startsWith("x-")) extra.set(key, part);
      if (extra.size > 0) result.set(extensions, extra);
      return result;
    },
    isEmpty: (value) => value === undefined || value === null,
    print(value, form) {
      if (value === undefined || value === null) return null;
      return printFields(value as Mapping, fields, form);
    },
  };
}

/** A structure that stands in its parent as a value: YAML leaves it out when it is empty, JSON never does. */
export function embedded(fields: readonly Field[]): Shape {
  const shape = structure(fields);
  return {
    decode: shape.decode,
    isEmpty: (value, form) => form === "yaml" && !isMapping(value),
    print: (value, form) => printFields((value as Mapping | undefined) ?? new Map(), fields, form),
  };
}

/** The fields of a structure as they are printed. */
function printFields(value: Mapping, fields: readonly Field[], form: Form): OutputMap {
  const entries: (readonly [string, Output])[] = [];
  for (const [name, shape, keep, nameInJson = name] of fields) {
    const part = value.get(name);
    const isKept = keep === "always" || (keep === "json" && form === "json");
    if (isKept || !shape.isEmpty(part, form)) {
      entries.push([form === "json" ? nameInJson : name, shape.print(part, form)]);
    }
  }
  const extra = value.get(extensions);
  if (form === "yaml" && isMapping(extra)) entries.push(...printMapping(extra, form).entries);
  return new OutputMap(entries);
}

/** A value of which nothing is known, its keys sorted. */
export function printAny(value: Value, form: Form): Output {
  if (Array.isArray(value)) return value.map((one) => printAny(one, form));
  return isMapping(value) ? printMapping(value, form) : (value as Output);
}

/** As `printAny`, of a mapping. */
export function printMapping(value: Mapping, form: Form): OutputMap {
  const keys = [...value.keys()].sort(form === "yaml" ? byKeyOrder : byBytes);
  return new OutputMap(keys.map((key) => [key, printAny(value.get(key) ?? null, form)] as const));
}
