import { Fault, faultOf } from "#base";
import { wireLimits } from "#wire";
import { contentAfterJson, jsonSyntaxError } from "./json-syntax.ts";

/** The part of a zod schema that checks. */
export interface CheckingSchema<T> {
  safeParse(value: unknown):
    | { readonly success: true; readonly data: T }
    | {
        readonly success: false;
        readonly error: {
          readonly issues: readonly {
            readonly path: readonly PropertyKey[];
            readonly message: string;
          }[];
        };
      };
}

/** The part of a zod schema that tells its form. */
interface SchemaNode {
  readonly def: {
    readonly type: string;
    /** The schema inside "optional" and "nullable". */
    readonly innerType?: SchemaNode;
    /** The schema of an "array"'s items. */
    readonly element?: SchemaNode;
    /** The schema of a "record"'s values. */
    readonly valueType?: SchemaNode;
    /** The schemas of an "object"'s fields. */
    readonly shape?: Readonly<Record<string, SchemaNode>>;
  };
}

export interface BodySchema<T> extends CheckingSchema<T> {
  readonly def: { readonly type: string };
}

/** For a body whose fields do not matter. */
export const anyObject: BodySchema<Record<string, unknown>> = {
  def: { type: "record" },
  safeParse: (value) => ({ success: true, data: value as Record<string, unknown> }),
};

/** A JSON body by its schema; `invalid` faults say which field is wrong and how. */
export function parseJsonBody<T>(bytes: Uint8Array, schema: BodySchema<T>): T {
  const value = matchCase(parseJson(bytes), schema as SchemaNode);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.map(String).join(".") || "the body";
  throw new Fault("invalid", `invalid JSON: ${field}: ${issue?.message ?? "not as expected"}`);
}

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.byteLength === 0)
    throw new Fault("invalid", "invalid JSON: got EOF while reading request body");
  const value = parseText(textOf(bytes));
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value))
    throw new Fault("invalid", "invalid JSON: the body must be an object");
  return value as Record<string, unknown>;
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Fault("invalid", "invalid JSON: the body is not UTF-8", { cause });
  }
}

/** A mistake in a longer text is told in the words of the runtime: to find it takes too long. */
const maxExplained = 64 << 10;

function parseText(text: string): unknown {
  checkDepth(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = text.length > maxExplained ? faultOf(cause).message : jsonSyntaxError(text);
    const isBehind = reason === contentAfterJson;
    throw new Fault("invalid", isBehind ? reason : `invalid JSON: ${reason}`, { cause });
  }
}

/** JSON.parse would recurse. What has no more brackets than levels are allowed needs no scan. */
function checkDepth(text: string): void {
  if ((text.match(/[[{]/g)?.length ?? 0) <= wireLimits.jsonDepth) return;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') i = endOfString(text, i);
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    if (depth > wireLimits.jsonDepth)
      throw new Fault(
        "invalid",
        `invalid JSON: nested deeper than the limit of ${wireLimits.jsonDepth} levels`,
      );
  }
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i;
}

/**
 * Go matches field names whatever their case, at every level, and there are clients that
 * count on it. Of several spellings of one field the last one counts, as in Go.
 */
function matchCase(value: unknown, { def }: SchemaNode): unknown {
  if (def.innerType) return matchCase(value, def.innerType);
  if (Array.isArray(value)) {
    const { element } = def;
    return element ? value.map((item) => matchCase(item, element)) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  const { shape, valueType } = def;
  if (valueType) return mapEntries(value, (key, item) => [key, matchCase(item, valueType)]);
  if (!shape) return value;
  return mapEntries(value, (key, item) => {
    const name = Object.hasOwn(shape, key) ? key : (spelling(shape, key) ?? key);
    const node = Object.hasOwn(shape, name) ? shape[name] : undefined;
    return [name, node ? matchCase(item, node) : item];
  });
}

const folded = new WeakMap<object, ReadonlyMap<string, string>>();

/** The name of a field that is written in another case. */
function spelling(shape: object, key: string): string | undefined {
  const names =
    folded.get(shape) ?? new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  folded.set(shape, names);
  return names.get(key.toLowerCase());
}

function mapEntries(
  value: object,
  change: (key: string, item: unknown) => [string, unknown],
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => change(key, item)));
}
