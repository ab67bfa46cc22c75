import { Float } from "./value.ts";

type Scalar = null | boolean | number | bigint | Float | string;

const words = new Map<string, Scalar>([
  ["", null],
  ["~", null],
  ["null", null],
  ["Null", null],
  ["NULL", null],
  ["true", true],
  ["True", true],
  ["TRUE", true],
  ["false", false],
  ["False", false],
  ["FALSE", false],
]);
for (const word of [".nan", ".NaN", ".NAN"]) words.set(word, new Float(Number.NaN));
for (const word of [".inf", ".Inf", ".INF"]) {
  words.set(word, new Float(Number.POSITIVE_INFINITY));
  words.set(`+${word}`, new Float(Number.POSITIVE_INFINITY));
  words.set(`-${word}`, new Float(Number.NEGATIVE_INFINITY));
}

const floatForm = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const integerForm = /^[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]*|[1-9][0-9]*)$/;

/** What a plain scalar means to go-yaml 3: YAML 1.2's core schema with YAML 1.1's octals, and no yes, no, on or off. */
export function resolvePlain(text: string): Scalar {
  const first = text.charCodeAt(0);
  const mayBeNumber = (first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46;
  const word = words.get(text);
  if (word !== undefined) return word;
  return mayBeNumber ? (resolveNumber(text) ?? text) : text;
}

function resolveNumber(text: string): number | bigint | Float | undefined {
  const plain = text.includes("_") ? text.replaceAll("_", "") : text;
  if (integerForm.test(plain)) {
    const value = parseInteger(plain);
    if (value >= -(1n << 63n) && value < 1n << 64n) {
      const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
      return isSafe ? Number(value) : value;
    }
  }
  if (floatForm.test(plain)) {
    const value = Number(plain);
    if (Number.isFinite(value)) return new Float(value);
  }
  return undefined;
}

function parseInteger(text: string): bigint {
  const isNegative = text.startsWith("-");
  const digits = text.replace(/^[-+]/, "");
  const octal = /^0[oO]?([0-7]+)$/.exec(digits)?.[1];
  const value = BigInt(octal === undefined ? digits.toLowerCase() : `0o${octal}`);
  return isNegative ? -value : value;
}

/** Whether go-yaml quotes a string because a plain scalar would mean something else. */
export function needsQuotes(text: string): boolean {
  return typeof resolvePlain(text) !== "string" || isTimestamp(text) || isOldForm(text);
}

const timestampForm =
  /^\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[+-]\d\d:\d\d)?)?$/;

/** A date or a time, which go-yaml reads as such. */
export function isTimestamp(text: string): boolean {
  if (!timestampForm.test(text)) return false;
  const [year, month, day] = text.split(/[-Tt ]/, 3).map(Number) as [number, number, number];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

const oldBooleans = /^(y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/;
const sexagesimal = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

/** What readers of YAML 1.1 took for a boolean or for a number to the base 60. */
function isOldForm(text: string): boolean {
  return oldBooleans.test(text) || sexagesimal.test(text);
}
