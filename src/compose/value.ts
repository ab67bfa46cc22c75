import { Float, goFloatText, isMapping, type Mapping, type Value } from "#yaml";

/** Whether a value is an integer of any size. */
export const isInteger = (value: unknown): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

function cloneValue(value: Value): Value {
  if (Array.isArray(value)) return value.map((part) => cloneValue(part));
  return isMapping(value) ? cloneMapping(value) : value;
}

/** A copy that shares nothing. */
export function cloneMapping(value: Mapping): Mapping {
  return new Map([...value].map(([key, part]) => [key, cloneValue(part)]));
}

/** Whether two values are the same all the way down. */
export function isSame(a: Value | undefined, b: Value | undefined): boolean {
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((part, i) => isSame(part, b[i]));
  }
  if (isMapping(a)) {
    if (!isMapping(b) || a.size !== b.size) return false;
    for (const [key, part] of a) if (!b.has(key) || !isSame(part, b.get(key))) return false;
    return true;
  }
  if (a instanceof Float) return b instanceof Float && a.value === b.value;
  return a === b;
}

/** A value as Go's fmt prints it with %v. */
export function goText(value: Value): string {
  if (value === null) return "<nil>";
  if (value instanceof Float) return goFloatText(value.value);
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (isMapping(value)) {
    const keys = [...value.keys()].sort(byBytes);
    return `map[${keys.map((key) => `${key}:${goText(value.get(key) ?? null)}`).join(" ")}]`;
  }
  return String(value);
}

/** Go orders strings by their bytes in UTF-8, which is the order of code points. */
export function byBytes(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const isPair = x >= 0xd800 && y >= 0xd800;
    return isPair ? (a.codePointAt(i) ?? 0) - (b.codePointAt(i) ?? 0) : x - y;
  }
  return a.length - b.length;
}
