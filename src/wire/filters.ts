import { Fault } from "#base";

/** Docker's filters: a key, and its values, one of which must match. */
export type WireFilters = Readonly<Record<string, readonly string[]>>;

const maxBytes = 64 << 10;

/**
 * The value of the `filters` query: both `{"label":["a"]}` and the older `{"label":{"a":true}}`, whose
 * truth values do not matter; an empty set when it is missing. `invalid`, in Docker's words, for anything else.
 */
export function parseFilters(text: string | undefined): WireFilters {
  if (text === undefined || text === "") return {};
  if (text.length > maxBytes) throw new Fault("invalid", "invalid filter: too long");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault("invalid", "invalid filter", { cause });
  }
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value))
    throw new Fault("invalid", "invalid filter");
  const filters: Record<string, readonly string[]> = Object.create(null);
  for (const [key, values] of Object.entries(value)) filters[key] = valuesOf(values);
  return filters;
}

function valuesOf(values: unknown): readonly string[] {
  if (Array.isArray(values) && values.every((item) => typeof item === "string")) return values;
  if (
    typeof values === "object" &&
    values !== null &&
    !Array.isArray(values) &&
    Object.values(values).every((on) => typeof on === "boolean")
  )
    return Object.keys(values);
  throw new Fault("invalid", "invalid filter");
}

/** The query value of filters; undefined for an empty set. */
export function renderFilters(filters: WireFilters): string | undefined {
  const keys = Object.keys(filters).filter((key) => (filters[key]?.length ?? 0) > 0);
  if (keys.length === 0) return undefined;
  return JSON.stringify(Object.fromEntries(keys.map((key) => [key, filters[key]])));
}
