/** The forms in which a value is printed by a directive. */
interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly verb: string;
}

/** Templates may ask for any width; an engine evaluates them as well. */
const maxWidth = 1000;

/**
 * Go's fmt.Sprintf for what templates hold: texts, numbers, truth values, lists and maps. Mistakes are
 * part of the output, as in Go: "%!d(string=x)".
 * @param print a value as %v has it
 */
export function printf(
  format: string,
  values: readonly unknown[],
  print: (value: unknown) => string,
): string {
  let next = 0;
  const number = (text: string | undefined) => Math.min(Number(text || 0), maxWidth);
  const out = format.replace(
    /%([-+# 0]*)(\d+)?(?:(\.)(\d*))?([a-zA-Z%])/g,
    (_, flags: string, width: string | undefined, dot, precision: string | undefined, verb) => {
      if (verb === "%") return "%";
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const directive = {
        ...{ flags, verb, width: number(width) },
        precision: dot === undefined ? undefined : number(precision),
      };
      const value = values[next++];
      const text = directiveText(directive, value, print);
      return text === undefined ? `%!${verb}(${described(value, print)})` : padded(text, directive);
    },
  );
  const extra = values.slice(next).map((value) => described(value, print));
  return extra.length > 0 ? `${out}%!(EXTRA ${extra.join(", ")})` : out;
}

/** Undefined where the verb is not for such a value. */
function directiveText(
  directive: Directive,
  value: unknown,
  print: (value: unknown) => string,
): string | undefined {
  const { verb } = directive;
  if (verb === "v") return typeof value === "string" ? cut(value, directive) : print(value);
  if (verb === "T") return typeName(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => directiveText(directive, item, print));
    return items.includes(undefined) ? undefined : `[${items.join(" ")}]`;
  }
  if (typeof value === "string") return ofString(directive, value);
  if (typeof value === "number") return ofNumber(directive, value);
  return typeof value === "boolean" && verb === "t" ? String(value) : undefined;
}

function ofString(directive: Directive, value: string): string | undefined {
  const { verb } = directive;
  if (verb === "s") return cut(value, directive);
  if (verb === "q") return JSON.stringify(cut(value, directive));
  const hex = Buffer.from(value).toString("hex");
  return verb === "x" ? hex : verb === "X" ? hex.toUpperCase() : undefined;
}

const bases: Readonly<Record<string, number>> = { d: 10, x: 16, X: 16, o: 8, b: 2 };

function ofNumber({ verb, precision, flags }: Directive, value: number): string | undefined {
  const sign = flags.includes("+") && value >= 0 ? "+" : "";
  const base = bases[verb];
  if (Number.isInteger(value)) {
    if (verb === "c") return String.fromCodePoint(Math.abs(value) % 0x110000);
    if (verb === "q") return `'${String.fromCodePoint(Math.abs(value) % 0x110000)}'`;
    if (verb === "U") return `U+${value.toString(16).toUpperCase().padStart(4, "0")}`;
    if (base === undefined) return undefined;
    const digits = sign + value.toString(base);
    return verb === "X" ? digits.toUpperCase() : digits;
  }
  if (verb === "f" || verb === "F") return sign + value.toFixed(Math.min(precision ?? 6, 100));
  if (verb === "e") return sign + value.toExponential(Math.min(precision ?? 6, 100));
  return verb === "g" ? sign + String(value) : undefined;
}

function cut(text: string, { precision }: Directive): string {
  return precision === undefined ? text : [...text].slice(0, precision).join("");
}

function padded(text: string, { flags, width }: Directive): string {
  if (flags.includes("-")) return text.padEnd(width);
  if (!flags.includes("0")) return text.padStart(width);
  const sign = /^[+-]\d/.test(text) ? (text[0] ?? "") : "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}

function described(value: unknown, print: (value: unknown) => string): string {
  return value === null || value === undefined ? "<nil>" : `${typeName(value)}=${print(value)}`;
}

/** The type that Go would have, as far as a value of JSON tells. */
function typeName(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  return Array.isArray(value) ? "[]string" : "map[string]string";
}
