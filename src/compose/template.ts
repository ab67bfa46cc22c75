import { Fault } from "#base";

/** Gives the value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** A text with a "${" that begins no variable, or a variable that must be set and is not. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  /** True when the text is well formed, and a variable that it requires has no value. */
  readonly isMissing: boolean;

  constructor(message: string, isMissing: boolean) {
    super(message);
    this.isMissing = isMissing;
  }
}

interface Substitution {
  readonly lookup: Lookup;
  /** Called for each variable that has no value and no default. */
  readonly unset: (name: string) => void;
}

const pattern = /\$(?:(\$)|([_a-z][_a-z0-9]*)|\{([_a-z][_a-z0-9]*(?::?[-+?](?:.*)?)?)\})?/iy;
const deepest = 100;

/**
 * A text with its variables replaced, as Compose does: $X, ${X}, ${X:-default}, ${X-default},
 * ${X:+other}, ${X+other}, ${X:?message}, ${X?message}, nested, and $$ for a dollar.
 * @throws TemplateError for a text that is malformed and for a required variable without a value
 */
export function substitute(text: string, substitution: Substitution, depth = 0): string {
  if (!text.includes("$")) return text;
  if (depth > deepest) {
    throw new Fault("invalid", "variables are nested too deeply to be replaced; the limit is 100");
  }
  let out = "";
  let at = 0;
  for (;;) {
    const dollar = text.indexOf("$", at);
    if (dollar < 0) return out + text.slice(at);
    out += text.slice(at, dollar);
    const found = variableAt(text, dollar);
    if (found === undefined) {
      if (text[dollar + 1] === "{") throw new TemplateError(text, false);
      out += "$";
      at = dollar + 1;
      continue;
    }
    at = found.end;
    if (found.kind === "dollar") out += "$";
    else if (found.kind === "named") out += named(found.name, substitution);
    else out += braced(found.name, substitution, depth);
  }
}

interface Found {
  readonly kind: "dollar" | "named" | "braced";
  readonly name: string;
  readonly end: number;
}

/** What begins at a dollar; undefined when nothing that is allowed does. */
function variableAt(text: string, dollar: number): Found | undefined {
  const isBraced = text[dollar + 1] === "{";
  const closing = isBraced ? closingBrace(text, dollar) : -1;
  if (isBraced && closing < 0) return undefined;
  const part = isBraced ? text.slice(dollar, closing + 1) : text.slice(dollar);
  pattern.lastIndex = 0;
  const [, escaped, name, inner] = pattern.exec(part.replaceAll("\n", "\u{f0000}")) ?? [];
  if (escaped !== undefined) return { kind: "dollar", name: "", end: dollar + 2 };
  if (name !== undefined) return { kind: "named", name, end: dollar + 1 + name.length };
  if (inner === undefined) return undefined;
  return { kind: "braced", name: inner.replaceAll("\u{f0000}", "\n"), end: closing + 1 };
}

function closingBrace(text: string, from: number): number {
  let open = 0;
  for (let i = from; i < text.length; i++) {
    if (text[i] === "}") {
      open--;
      if (open === 0) return i;
    } else if (text.startsWith("${", i)) {
      open++;
      i++;
    }
  }
  const last = text.lastIndexOf("}");
  return last > from ? last : -1;
}

function named(name: string, { lookup, unset }: Substitution): string {
  const value = lookup(name);
  if (value === undefined) unset(name);
  return value ?? "";
}

/** The operator of a braced variable: the first of its kind after the name. */
function splitVariable(text: string) {
  const [, name = text, operator = "", rest = ""] =
    /^([_a-z][_a-z0-9]*)(:?[-+?])?(.*)$/is.exec(text) ?? [];
  return { name, operator, rest };
}

function braced(text: string, substitution: Substitution, depth: number): string {
  const { name, operator, rest } = splitVariable(text);
  if (operator === "") return named(name, substitution);
  const value = substitution.lookup(name);
  const isSet = value !== undefined && (value !== "" || !operator.startsWith(":"));
  const inner = () => substitute(rest, substitution, depth + 1);
  switch (operator.at(-1)) {
    case "-":
      return isSet ? value : inner();
    case "+":
      return isSet ? inner() : "";
    default: {
      if (isSet) return value;
      const message = inner();
      const why = message === "" ? "" : `: ${message}`;
      throw new TemplateError(`required variable ${name} is missing a value${why}`, true);
    }
  }
}

/** A variable that a model names, with what its first use says. */
export interface Variable {
  readonly name: string;
  readonly defaultValue: string;
  readonly presenceValue: string;
  readonly required: boolean;
}

/** The variables of a text, those inside of defaults included. */
export function variablesOf(text: string, depth = 0): Variable[] {
  if (depth > deepest) return [];
  const variables: Variable[] = [];
  for (let at = text.indexOf("$"); at >= 0; at = text.indexOf("$", at)) {
    const found = variableAt(text, at);
    if (found === undefined) {
      at++;
      continue;
    }
    at = found.end;
    if (found.kind === "dollar") continue;
    const { name, operator, rest } = splitVariable(found.name);
    const kind = operator.at(-1);
    variables.push({
      name,
      defaultValue: kind === "-" ? rest : "",
      presenceValue: kind === "+" ? rest : "",
      required: kind === "?",
    });
    if (kind === "-" || kind === "+") variables.push(...variablesOf(rest, depth + 1));
  }
  return variables;
}
