import { Float, isMapping, type Mapping, type Value } from "#yaml";
import { goText, isInteger, isSame } from "../value.ts";
import type { Schema, TypeName } from "./schema.ts";

/** A value that its schema does not accept. */
export interface Problem {
  readonly path: readonly string[];
  /** Worded as docker compose does, without the path. */
  readonly message: string;
  /** An unknown key and the keys that are known where it stands. */
  readonly unknown?: { readonly key: string; readonly known: readonly string[] };
}

/** Checks a value; gives all problems, one for each place, in the order of the text. */
export function validate(value: Value, schema: Schema): Problem[] {
  const problems: Problem[] = [];
  check(value, schema, [], problems);
  return problems;
}

/** The problem that docker compose tells: the one that is deepest, the first of those. */
export function mostSpecific(problems: readonly Problem[]): Problem | undefined {
  let best: Problem | undefined;
  for (const problem of problems) if (depth(problem) > depth(best)) best = problem;
  return best;
}

function depth(problem: Problem | undefined): number {
  if (problem === undefined) return -1;
  return problem.path.length + (problem.unknown === undefined ? 0 : 1);
}

function check(value: Value, schema: Schema, path: string[], problems: Problem[]): void {
  if (schema.oneOf !== undefined) checkOneOf(value, schema.oneOf, path, problems);
  else if (schema.types !== undefined && !schema.types.some((name) => isOfType(value, name))) {
    problems.push({ path: [...path], message: `must be a ${typeNames(schema.types)}` });
  } else if (typeof value === "string") checkText(value, schema, path, problems);
  else if (isInteger(value)) checkRange(value, schema, path, problems);
  else if (Array.isArray(value)) checkItems(value, schema, path, problems);
  else if (isMapping(value)) checkKeys(value, schema, path, problems);
}

function checkOneOf(
  value: Value,
  schemas: readonly Schema[],
  path: string[],
  problems: Problem[],
): void {
  const found: Problem[] = [];
  for (const schema of schemas) {
    const before = found.length;
    check(value, schema, path, found);
    if (found.length === before) return;
  }
  const best = mostSpecific(found);
  if (best !== undefined) problems.push(best);
}

function checkText(text: string, schema: Schema, path: string[], problems: Problem[]): void {
  const { values, pattern } = schema;
  if (values !== undefined && !values.includes(text)) {
    const known = values.map((one) => `'${one}'`).join(", ");
    const message = `value must be ${values.length > 1 ? "one of " : ""}${known}`;
    problems.push({ path: [...path], message });
  } else if (pattern !== undefined && !new RegExp(pattern).test(text)) {
    problems.push({ path: [...path], message: `'${text}' does not match pattern '${pattern}'` });
  }
}

function checkRange(value: number | bigint, schema: Schema, path: string[], problems: Problem[]) {
  const { least, most } = schema;
  if (least !== undefined && value < least) {
    problems.push({ path: [...path], message: `must be greater than or equal to ${least}` });
  } else if (most !== undefined && value > most) {
    problems.push({ path: [...path], message: `must be less than or equal to ${most}` });
  }
}

function checkItems(items: Value[], schema: Schema, path: string[], problems: Problem[]): void {
  if (schema.unique === true) {
    const doubled = firstDouble(items);
    if (doubled !== undefined) {
      const message = `items at ${doubled[0]} and ${doubled[1]} are equal`;
      problems.push({ path: [...path], message });
    }
  }
  if (schema.items === undefined) return;
  for (const [i, item] of items.entries())
    check(item, schema.items, [...path, String(i)], problems);
}

function firstDouble(items: Value[]): [number, number] | undefined {
  const texts = new Map<string, number>();
  for (const [j, item] of items.entries()) {
    const key = typeof item === "string" ? `"${item}` : goText(item);
    const i = texts.get(key);
    if (i !== undefined && isSame(items[i], item)) return [i, j];
    texts.set(key, j);
  }
  return undefined;
}

function checkKeys(mapping: Mapping, schema: Schema, path: string[], problems: Problem[]): void {
  const { keys = {}, others, closed, extensible } = schema;
  const missing = (schema.required ?? []).filter((key) => !mapping.has(key));
  if (missing.length > 0) {
    const names = missing.map((key) => `'${key}'`).join(", ");
    const message = `missing ${missing.length > 1 ? "properties" : "property"} ${names}`;
    problems.push({ path: [...path], message });
  }
  for (const [key, value] of mapping) {
    const known = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (known !== undefined) check(value, known, [...path, key], problems);
    else if (others?.[0].test(key)) check(value, others[1], [...path, key], problems);
    else if (closed === true && !(extensible === true && key.startsWith("x-"))) {
      problems.push({
        path: [...path],
        message: `additional properties '${key}' not allowed`,
        unknown: { key, known: Object.keys(keys) },
      });
    }
  }
}

function isOfType(value: Value, name: TypeName): boolean {
  switch (name) {
    case "string":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "null":
      return value === null;
    case "object":
      return isMapping(value);
    case "array":
      return Array.isArray(value);
    case "number":
      return isInteger(value) || value instanceof Float;
    case "integer":
      return isInteger(value) || (value instanceof Float && Number.isInteger(value.value));
  }
}

function typeNames(types: readonly TypeName[]): string {
  const names = types.map((name) => (name === "object" ? "mapping" : name)).sort();
  const last = names.pop() ?? "";
  return names.length === 0 ? last : `${names.join(", ")} or ${last}`;
}
