import { Float, type Output, OutputMap } from "#yaml";

/** JSON as Go's encoder writes it: "<", ">" and "&" escaped, keys in the given order; indented where `indent` is given. */
export function emitJson(value: Output, indent = "", at = ""): string {
  if (value instanceof OutputMap) return emitObject(value, indent, at);
  if (Array.isArray(value)) {
    const inner = `${at}${indent}`;
    return enclose(
      ["[", "]"],
      value.map((item) => emitJson(item, indent, inner)),
      indent,
      at,
    );
  }
  if (value instanceof Float) return emitFloat(value.value);
  return typeof value === "string" ? quote(value) : String(value);
}

function emitObject(map: OutputMap, indent: string, at: string): string {
  const colon = indent === "" ? ":" : ": ";
  const parts = map.entries.map(
    ([key, part]) => `${quote(key)}${colon}${emitJson(part, indent, `${at}${indent}`)}`,
  );
  return enclose(["{", "}"], parts, indent, at);
}

function enclose(
  [open, close]: readonly [string, string],
  parts: string[],
  indent: string,
  at: string,
) {
  if (parts.length === 0 || indent === "") return `${open}${parts.join(",")}${close}`;
  const inner = `\n${at}${indent}`;
  return `${open}${inner}${parts.join(`,${inner}`)}\n${at}${close}`;
}

function emitFloat(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-6 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e-0(\d)$/, "e-$1");
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029\x7f]/g, (c) =>
    c === "\x7f" ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
