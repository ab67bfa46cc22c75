/** A number that YAML wrote with a fraction or an exponent: Go tells it from an integer, JSON does not. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** What a YAML document says: scalars, lists and mappings. */
export type Value = null | boolean | number | bigint | Float | string | Value[] | Mapping;

/** A mapping; the order of its keys has no meaning. */
export type Mapping = Map<string, Value>;

/** Whether a value is a mapping. */
export const isMapping = (value: unknown): value is Mapping => value instanceof Map;

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
