import { Fault } from "#base";

/** How deep a default may hold further variables. */
const maxDepth = 20;
const name = /[a-zA-Z_][a-zA-Z0-9_]*/y;

/** A text of a compose file with its variables replaced: $A, ${A}, ${A:-B}, ${A-B}, ${A:?B}, ${A:+B}; "$$" is "$". */
export function interpolate(
  text: string,
  lookUp: (name: string) => string | undefined,
  depth = 0,
): string {
  if (depth > maxDepth) throw new Fault("exhausted", "variables within one another are too many");
  let out = "";
  for (let at = 0; at < text.length; ) {
    if (text[at] !== "$") {
      const end = text.indexOf("$", at);
      out += text.slice(at, end < 0 ? text.length : end);
      at = end < 0 ? text.length : end;
      continue;
    }
    if (text[at + 1] === "$") {
      out += "$";
      at += 2;
      continue;
    }
    const end = text[at + 1] === "{" ? closingBrace(text, at + 2) : undefined;
    name.lastIndex = at + 1;
    const plain = end === undefined ? name.exec(text)?.[0] : undefined;
    if (plain !== undefined) {
      out += lookUp(plain) ?? "";
      at += 1 + plain.length;
    } else if (end !== undefined) {
      out += substitute(text.slice(at + 2, end), text, lookUp, depth);
      at = end + 1;
    } else throw invalid(text);
  }
  return out;
}

function invalid(text: string): Fault {
  const why = "You may need to escape any $ with another $";
  return new Fault("invalid", `invalid interpolation format.\n${JSON.stringify(text)}. ${why}`);
}

function closingBrace(text: string, from: number): number | undefined {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "$" && text[at + 1] === "{") open++;
    if (text[at] === "}" && --open === 0) return at;
  }
  return undefined;
}

function substitute(
  inner: string,
  whole: string,
  lookUp: (name: string) => string | undefined,
  depth: number,
): string {
  const [, variable, operator = "", rest = ""] =
    /^([a-zA-Z_][a-zA-Z0-9_]*)(?:(:?[-?+])([\s\S]*))?$/.exec(inner) ?? [];
  if (variable === undefined) throw invalid(whole);
  const value = lookUp(variable);
  const isSet = value !== undefined && !(operator.startsWith(":") && value === "");
  const other = () => interpolate(rest, lookUp, depth + 1);
  if (operator.endsWith("-")) return isSet ? value : other();
  if (operator.endsWith("+")) return isSet ? other() : "";
  if (operator.endsWith("?") && !isSet) {
    const why = rest === "" ? "" : `: ${other()}`;
    throw new Fault("invalid", `required variable ${variable} is missing a value${why}`);
  }
  return value ?? "";
}
