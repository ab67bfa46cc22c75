import { needsQuotes } from "./resolve-scalar.ts";
import { Float, goFloatText } from "./value.ts";

/** What is printed: mappings as pairs in the order of printing. */
export type Output = null | boolean | number | bigint | Float | string | Output[] | OutputMap;

/** A mapping in the order in which it is printed. */
export class OutputMap {
  readonly entries: readonly (readonly [string, Output])[];

  constructor(entries: readonly (readonly [string, Output])[]) {
    this.entries = entries;
  }
}

/** The order of keys that go-yaml prints: letters before nothing else, runs of digits by their number. */
export function byKeyOrder(a: string, b: string): number {
  return isLess(a, b) ? -1 : isLess(b, a) ? 1 : 0;
}

const isDigit = (c: string | undefined) => c !== undefined && c >= "0" && c <= "9";
const isLetter = (c: string) => /\p{L}/u.test(c);
const isNumberRune = (c: string | undefined) => c !== undefined && /\p{Nd}/u.test(c);

function isLess(a: string, b: string): boolean {
  const x = isAscii(a) ? a : [...a];
  const y = isAscii(b) ? b : [...b];
  let inDigits = false;
  for (let i = 0; i < x.length && i < y.length; i++) {
    const p = x[i] as string;
    const q = y[i] as string;
    if (p === q) {
      inDigits = isNumberRune(p);
      continue;
    }
    const pLetter = isLetter(p);
    const qLetter = isLetter(q);
    if (pLetter && qLetter) return p < q;
    if (pLetter || qLetter) return inDigits ? pLetter : qLetter;
    let pEnd = i;
    let qEnd = i;
    if (p === "0" || q === "0") {
      for (let j = i - 1; j >= 0 && isNumberRune(x[j]); j--) {
        if (x[j] !== "0") {
          pEnd = qEnd = i;
          break;
        }
      }
    }
    let pNumber = 0n;
    let qNumber = 0n;
    while (pEnd < x.length && isNumberRune(x[pEnd])) pNumber = pNumber * 10n + digit(x[pEnd++]);
    while (qEnd < y.length && isNumberRune(y[qEnd])) qNumber = qNumber * 10n + digit(y[qEnd++]);
    if (pNumber !== qNumber) return pNumber < qNumber;
    if (pEnd !== qEnd) return pEnd < qEnd;
    return p < q;
  }
  return x.length < y.length;
}

const digit = (c: string | undefined) => (isDigit(c) ? BigInt(c as string) : 0n);
const isAscii = (text: string) => /^[\x00-\x7f]*$/.test(text);

/** Prints as go-yaml 3 does with an indentation of two. */
export function emitYaml(value: Output): string {
  const lines: string[] = [];
  if (value instanceof OutputMap && value.entries.length > 0) emitMap(value, "", lines);
  else lines.push(emitInline(value, ""));
  return `${lines.join("\n")}\n`;
}

function emitMap(map: OutputMap, indent: string, lines: string[]): void {
  for (const [key, value] of map.entries) {
    const name = emitKey(key, indent);
    emitUnder(value, `${indent}${name}`, indent, lines);
  }
}

/** Puts a value behind what leads it ("key:"), or below it where it has parts. */
function emitUnder(value: Output, lead: string, indent: string, lines: string[]): void {
  if (value instanceof OutputMap && value.entries.length > 0) {
    lines.push(lead);
    emitMap(value, `${indent}  `, lines);
  } else if (Array.isArray(value) && value.length > 0) {
    lines.push(lead);
    emitItems(value, `${indent}  `, lines);
  } else {
    lines.push(`${lead} ${emitInline(value, indent)}`);
  }
}

function emitItems(items: readonly Output[], indent: string, lines: string[]): void {
  for (const item of items) {
    if (item instanceof OutputMap && item.entries.length > 0) emitFirstBeside(item, indent, lines);
    else if (Array.isArray(item) && item.length > 0) {
      const inner: string[] = [];
      emitItems(item, `${indent}  `, inner);
      lines.push(`${indent}- ${(inner[0] as string).trimStart()}`, ...inner.slice(1));
    } else lines.push(`${indent}- ${emitInline(item, indent)}`);
  }
}

function emitFirstBeside(map: OutputMap, indent: string, lines: string[]): void {
  const at = lines.length;
  emitMap(map, `${indent}  `, lines);
  lines[at] = `${indent}- ${(lines[at] as string).slice(indent.length + 2)}`;
}

function emitInline(value: Output, indent: string): string {
  if (value === null) return "null";
  if (value instanceof OutputMap) return "{}";
  if (Array.isArray(value)) return "[]";
  if (value instanceof Float) return emitFloat(value.value);
  if (typeof value !== "string") return String(value);
  return emitString(value, indent);
}

function emitFloat(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  if (!Number.isFinite(value)) return value > 0 ? ".inf" : "-.inf";
  return goFloatText(value);
}

function emitKey(key: string, indent: string): string {
  const text = emitString(key, indent, true);
  return text.length > 128 && !key.includes("\n") ? `? ${text}\n${indent}:` : `${text}:`;
}

/** Texts of which only a word, as "null", has to be quoted. */
const wordForm = /^[A-Za-z_/][\w./-]*$/;

function emitString(text: string, indent: string, isKey = false): string {
  if (wordForm.test(text)) return needsQuotes(text) ? doubleQuoted(text) : text;
  const form = scalarForm(text);
  if (needsQuotes(text)) return doubleQuoted(text);
  if (text.includes("\n") && !isKey && form.blockAllowed) return literalBlock(text, indent);
  if (form.plainAllowed) return text;
  if (form.singleAllowed && !text.includes("\n")) return `'${text.replaceAll("'", "''")}'`;
  return doubleQuoted(text);
}

function literalBlock(text: string, indent: string): string {
  const inner = `${indent}  `;
  const hint = /^[ \n]/.test(text) ? "2" : "";
  const end = text.endsWith("\n") ? (text === "\n" || text.endsWith("\n\n") ? "+" : "") : "-";
  const body = (end === "-" ? text : text.slice(0, -1)).split("\n");
  return [`|${hint}${end}`, ...body.map((line) => (line === "" ? "" : inner + line))].join("\n");
}

interface ScalarForm {
  readonly plainAllowed: boolean;
  readonly singleAllowed: boolean;
  readonly blockAllowed: boolean;
}

/** Which styles libyaml allows for a text. */
function scalarForm(text: string): ScalarForm {
  if (text === "") return { plainAllowed: false, singleAllowed: true, blockAllowed: false };
  const special = hasSpecial(text);
  const spaceBreak = / \n/.test(text);
  const trailingSpace = text.endsWith(" ");
  const hasTab = text.includes("\t");
  return {
    plainAllowed:
      !special &&
      !hasTab &&
      !spaceBreak &&
      !trailingSpace &&
      !/[\n\u2028\u2029]/.test(text) &&
      !/^[ ]/.test(text) &&
      !hasIndicators(text),
    singleAllowed: !special && !hasTab && !spaceBreak,
    blockAllowed: !special && !spaceBreak && !trailingSpace,
  };
}

/** Characters that only double quotes can hold: go-yaml prints Unicode as it is up to U+FFFD. */
function hasSpecial(text: string): boolean {
  for (const c of text) {
    const code = c.codePointAt(0) as number;
    if (code === 10 || (code >= 0x20 && code <= 0x7e)) continue;
    if (code === 9) continue;
    const isPrintable =
      (code >= 0xa0 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfffd && code !== 0xfeff);
    if (!isPrintable) return true;
  }
  return false;
}

function hasIndicators(text: string): boolean {
  if (text.startsWith("---") || text.startsWith("...")) return true;
  const first = text[0] as string;
  if ("#,[]{}&*!|>'\"%@`".includes(first)) return true;
  const alone = text.length === 1 || /^.[ \t\n]/.test(text);
  if ((first === "?" || first === ":") && alone) return true;
  if (first === "-" && alone) return true;
  return /:([ \t\n]|$)/.test(text) || /[ \t\n]#/.test(text);
}

const shortEscapes: Readonly<Record<string, string>> = {
  "\0": "\\0",
  "\x07": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
  "\x1b": "\\e",
  '"': '\\"',
  "\\": "\\\\",
  "\x85": "\\N",
  "\ufeff": "\\uFEFF",
  "\u2028": "\\L",
  "\u2029": "\\P",
};

function doubleQuoted(text: string): string {
  let out = '"';
  for (const c of text) {
    const short = shortEscapes[c];
    if (short !== undefined) out += short;
    else if (hasSpecial(c)) {
      const hex = (c.codePointAt(0) as number).toString(16).toUpperCase();
      const [letter, width] = hex.length <= 2 ? ["x", 2] : hex.length <= 4 ? ["u", 4] : ["U", 8];
      out += `\\${letter}${hex.padStart(width as number, "0")}`;
    } else out += c;
  }
  return `${out}"`;
}
