/**
 * Values of JSON as the Go types that docker's CLI decodes them into: a list or map that is null
 * prints as an empty one, a field that JSON left out is there, and a field has its name in Go.
 */

/** A field that JSON may leave out: its zero value. */
type Zero = "" | 0 | false | null | "list" | "map";

/** The type of a field, where it is more than a text, a number or a truth value. */
export type GoKind =
  | "list"
  | "map"
  | "time"
  | "duration"
  | GoStruct
  | { readonly listOf: GoKind }
  | { readonly mapOf: GoKind };

/** A struct: what of it JSON does not tell. */
export interface GoStruct {
  /** Names in JSON to those in Go, where they differ. */
  readonly names?: Readonly<Record<string, string>>;
  readonly fields?: Readonly<Record<string, GoKind>>;
  readonly zeros?: Readonly<Record<string, Zero>>;
  /** The fields as the struct prints itself, where JSON may have them in another order or leave some out. */
  readonly order?: readonly string[];
  /** The fields as `json` prints them, in order and only when they are not empty. */
  readonly omitEmpty?: readonly string[];
}

/** Marks a map of which a missing key is a mistake. */
export const strictKeys = Symbol("strict keys");

/** A value that prints in another form than JSON has it. */
export class GoText {
  readonly text: string;
  readonly #json: unknown;

  constructor(text: string, json: unknown) {
    this.text = text;
    this.#json = json;
  }

  /** As JSON had it. */
  toJSON(): unknown {
    return this.#json;
  }
}

/** The value as docker's CLI has it after decoding into its types. */
export function typedValue(value: unknown, kind: GoKind | undefined): unknown {
  if (kind === undefined) return value;
  if (kind === "time") return typeof value === "string" ? goTime(value) : value;
  if (kind === "duration") return typeof value === "number" ? goDuration(value) : value;
  if (kind === "list" || (typeof kind === "object" && "listOf" in kind))
    return listOf(value, kind === "list" ? undefined : kind.listOf);
  if (kind === "map" || (typeof kind === "object" && "mapOf" in kind))
    return mapOf(value, kind === "map" ? undefined : kind.mapOf);
  return isRecord(value) ? structOf(value, kind) : value;
}

/** The value as docker's CLI has it where its types fail: maps all the way down, numbers as they are written. */
export function rawValue(value: unknown): unknown {
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return value.map(rawValue);
  if (!isRecord(value)) return value;
  const map: Record<string | symbol, unknown> = Object.create(null);
  for (const key of Object.keys(value).sort()) map[key] = rawValue(value[key]) ?? undefined;
  hide(map, strictKeys, true);
  return withJson(map, value);
}

function listOf(value: unknown, kind: GoKind | undefined): unknown {
  if (value === null || value === undefined) return withJson([], null);
  return Array.isArray(value) ? value.map((item) => typedValue(item, kind)) : value;
}

function mapOf(value: unknown, kind: GoKind | undefined): unknown {
  const map: Record<string, unknown> = Object.create(null);
  if (value === null || value === undefined) return withJson(map, null);
  if (!isRecord(value)) return value;
  for (const key of Object.keys(value).sort()) map[key] = typedValue(value[key], kind);
  return map;
}

function structOf(value: Readonly<Record<string, unknown>>, kind: GoStruct): unknown {
  const { names = {}, fields = {}, zeros = {}, order = [], omitEmpty } = kind;
  const struct: Record<string, unknown> = {};
  for (const key of new Set([...order, ...Object.keys(value), ...Object.keys(zeros)])) {
    const name = names[key] ?? key;
    if (key in value) struct[name] = typedValue(value[key], fields[key]);
    else if (key in zeros) hide(struct, name, zeroOf(zeros[key]));
  }
  return withJson(struct, omitEmpty ? filled(value, omitEmpty) : jsonOf(value, fields));
}

function zeroOf(zero: Zero | undefined): unknown {
  return zero === "list" || zero === "map" ? typedValue(null, zero) : zero;
}

/** As Go encodes it again: the keys of maps are sorted, the fields of structs are in their order. */
function jsonOf(
  value: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, GoKind>>,
): unknown {
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, each]) => [key, typedValue(each, fields[key])]));
}

function filled(value: Readonly<Record<string, unknown>>, keys: readonly string[]): unknown {
  const isEmpty = (each: unknown) =>
    each === undefined ||
    each === null ||
    each === "" ||
    each === 0 ||
    each === false ||
    (typeof each === "object" && Object.keys(each).length === 0);
  return Object.fromEntries(
    keys.map((key) => [key, value[key]]).filter(([, each]) => !isEmpty(each)),
  );
}

/** RFC 3339 as Go's Time prints itself: "2026-01-02 15:04:05.6 +0000 UTC". */
function goTime(text: string): unknown {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(?:Z|([+-]\d\d):?(\d\d))$/.exec(text);
  if (!match) return text;
  const [, day, clock, fraction = "", hours, minutes] = match;
  const digits = fraction.replace(/\.?0+$/, "");
  const zone = hours === undefined ? "+0000 UTC" : `${hours}${minutes} ${hours}${minutes}`;
  return new GoText(`${day} ${clock}${digits} ${zone}`, text);
}

/** Nanoseconds as Go's Duration prints itself: "1m30s", "1.5s", "20ms", "0s". */
function goDuration(nanoseconds: number): unknown {
  const amount = Math.abs(nanoseconds);
  const units = [
    ["s", 1e9],
    ["ms", 1e6],
    ["µs", 1e3],
    ["ns", 1],
  ] as const;
  const [unit, size] = units.find(([, each]) => amount >= each) ?? ["s", 1];
  const minutes = Math.floor(amount / 60e9);
  const hours = Math.floor(minutes / 60);
  const rest = minutes > 0 ? (amount - minutes * 60e9) / 1e9 : amount / size;
  const whole = `${hours > 0 ? `${hours}h` : ""}${minutes > 0 ? `${minutes % 60}m` : ""}`;
  return new GoText(`${nanoseconds < 0 ? "-" : ""}${whole}${rest}${unit}`, nanoseconds);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withJson<T extends object>(value: T, json: unknown): T {
  return hide(value, "toJSON", () => json);
}

/** Neither `json` nor `range` see it. */
function hide<T extends object>(target: T, key: string | symbol, value: unknown): T {
  return Object.defineProperty(target, key, { value, enumerable: false });
}
