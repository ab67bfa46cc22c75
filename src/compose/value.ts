/** A number that YAML wrote with a fraction or an exponent: Go tells it from an integer, JSON does not. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A value of a compose file before it gets its type: what YAML's scalars, lists and mappings are. */
export type Value = null | boolean | number | bigint | Float | string | Value[] | Mapping;

/** A mapping; the order of its keys has no meaning. */
export type Mapping = Map<string, Value>;

/** Whether a value is a mapping. */
export const isMapping = (value: unknown): value is Mapping => value instanceof Map;

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

/** A float as Go writes it with the format g: an exponent below 1e-4 and from 1e21 on. */
export function goFloatText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  return Object.is(value, -0) ? "-0" : String(value);
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
