import { escapeHtml, escapeJs, escapeQuery } from "./escape.ts";
import { GoText } from "./go-value.ts";
import { printf } from "./printf.ts";
import { TemplateError } from "./template-parse.ts";

/** An argument, evaluated when it is wanted: `and` and `or` stop at the first that decides. */
type Lazy = () => unknown;

const functions: Readonly<Record<string, (...args: readonly unknown[]) => unknown>> = {
  json: (value) => JSON.stringify(value) ?? "null",
  join: (items, separator) => asList(items).map(printed).join(String(separator)),
  split: (text, separator) => String(text).split(String(separator)),
  lower: (text) => String(text).toLowerCase(),
  upper: (text) => String(text).toUpperCase(),
  title: (text) => String(text).replace(/\b[a-z]/g, (letter) => letter.toUpperCase()),
  pad: (text, before, after) => (text === "" ? "" : spaces(before) + text + spaces(after)),
  truncate: (text, length) => [...String(text)].slice(0, Number(length)).join(""),
  print,
  println: (...values) => `${values.map(printed).join(" ")}\n`,
  printf: (format, ...values) => printf(String(format), values, printed),
  html: (...values) => escapeHtml(print(...values)),
  js: (...values) => escapeJs(print(...values)),
  urlquery: (...values) => escapeQuery(print(...values)),
  len: (value) => lengthOf(value),
  index: (value, ...keys) => keys.reduce(itemOf, value),
  slice: (value, from, to) => {
    const sliceable = typeof value === "string" ? value : asList(value);
    return sliceable.slice(Number(from ?? 0), to === undefined ? undefined : Number(to));
  },
  not: (value) => !truth(value),
  eq: (value, ...others) => others.some((other) => equal(value, other)),
  ne: (a, b) => !equal(a, b),
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
};

/** Bounded: an engine evaluates tags as well. */
function spaces(count: unknown): string {
  return " ".repeat(Math.min(Math.max(Number(count), 0) || 0, 1000));
}

/** Whether templates know a function of this name (Go's text/template, and Docker's own). */
export function isFunction(name: string): boolean {
  return name === "and" || name === "or" || Object.hasOwn(functions, name);
}

/**
 * Calls a function of a template. `and` and `or` evaluate their arguments only as far as needed.
 */
export function applyFunction(name: string, args: readonly Lazy[]): unknown {
  if (name === "and" || name === "or") {
    let value: unknown;
    for (const arg of args) {
      value = arg();
      if (truth(value) === (name === "or")) break;
    }
    return value;
  }
  return functions[name]?.(...args.map((arg) => arg()));
}

/** The truth of a value for `if`: false, 0, nothing and empty values are false. */
export function truth(value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object") return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A value as Go's `fmt` prints it with %v. */
export function printed(value: unknown): string {
  if (value === undefined) return "<no value>";
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(printed).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  if (value instanceof GoText) return value.text;
  if (Object.getPrototypeOf(value) !== null) return structText(value);
  const entries = Object.entries(value).filter(([, item]) => typeof item !== "function");
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `map[${sorted.map(([key, item]) => `${key}:${printed(item)}`).join(" ")}]`;
}

/** The fields of a struct, those that JSON left out among them, without its methods. */
function structText(value: object): string {
  const names = Object.getOwnPropertyNames(value);
  const fields = names.map((name) => (value as Readonly<Record<string, unknown>>)[name]);
  return `{${fields
    .filter((field) => typeof field !== "function")
    .map(printed)
    .join(" ")}}`;
}

function asList(value: unknown): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new TemplateError(`${JSON.stringify(value)} is not a list`);
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (value !== null && typeof value === "object") return Object.keys(value).length;
  throw new TemplateError(`len of ${printed(value)}`);
}

function itemOf(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    const at = Number(key);
    if (!(at >= 0 && at < value.length))
      throw new TemplateError(`index out of range: ${printed(key)}`);
    return value[at];
  }
  if (value !== null && typeof value === "object") {
    const name = String(key);
    // The zero value of a map: all that docker shows as maps hold texts.
    return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : "";
  }
  throw new TemplateError(`can't index ${printed(value)}`);
}

/** Texts, numbers and truth values are not compared with each other. */
function equal(a: unknown, b: unknown): boolean {
  const isBasic = (value: unknown) => /^(string|number|boolean)$/.test(typeof value);
  if (isBasic(a) && isBasic(b) && typeof a !== typeof b)
    throw new TemplateError("incompatible types for comparison");
  return a === b;
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw new TemplateError(`cannot compare ${printed(a)} with ${printed(b)}`);
}

/** Go's Print: a space between two values of which neither is a text. */
function print(...values: readonly unknown[]): string {
  let out = "";
  for (const [index, value] of values.entries()) {
    const apart = index > 0 && typeof value !== "string" && typeof values[index - 1] !== "string";
    out += (apart ? " " : "") + printed(value);
  }
  return out;
}
