import { Float, isMapping, type Mapping, type Value } from "#yaml";

/** The text at a key; "" where there is none. */
export function textAt(part: Mapping, key: string): string {
  const value = part.get(key);
  return value === undefined || value === null ? "" : String(value);
}

/** The number at a key; 0 where there is none. */
export function numberAt(part: Mapping, key: string): number {
  const value = part.get(key);
  return value instanceof Float ? value.value : Number(value ?? 0);
}

/** The texts at a key; undefined where the key is missing, which differs from an empty list. */
export function textsAt(part: Mapping, key: string): readonly string[] | undefined {
  const value = part.get(key);
  return Array.isArray(value) ? value.map(String) : undefined;
}

/** The mapping at a key; an empty one where there is none. */
export function mappingAt(part: Mapping, key: string): Mapping {
  const value = part.get(key);
  return isMapping(value) ? value : new Map<string, Value>();
}

/** The mappings of the list at a key. */
export function itemsAt(part: Mapping, key: string): readonly Mapping[] {
  const value = part.get(key);
  return Array.isArray(value) ? value.filter(isMapping) : [];
}

/** Texts by key, as labels are; undefined where there are none. */
export function pairsAt(part: Mapping, key: string): Readonly<Record<string, string>> | undefined {
  const pairs = [...mappingAt(part, key)].map(([name, value]) => [name, String(value ?? "")]);
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}
