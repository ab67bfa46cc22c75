import { convert } from "../convert.ts";
import {
  type BigNumber,
  formatExponent,
  formatFixed,
  formatShort,
  isWhole,
  toDouble,
  truncate,
} from "../number.ts";
import { ArgumentFault } from "../scope.ts";
import { characters } from "../source.ts";
import { boolType, isSequence, listOf, numberType, stringType, type Type } from "../type.ts";
import {
  elementsOf,
  jsonOf,
  jsonText,
  listValue,
  numberOf,
  textOf,
  textValue,
  type Value,
} from "../value.ts";
import { argument, define, type Functions, failure } from "./define.ts";

interface Verb {
  readonly raw: string;
  /** Where the verb begins in the format, in bytes. */
  readonly offset: number;
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly mode: string;
  /** Which argument, counted from 1. */
  readonly number: number;
}

const verbPattern = /%([ +\-0#]*)(\d*)(?:\.(\d*))?(?:\[(\d+)\])?([a-zA-Z%])?/y;
/** Widths and precisions that a format may ask for. */
const maxWidth = 10_000;

/** The format with its values, in the manner of Go's fmt.Sprintf. */
function formatText(format: string, args: readonly Value[]): string {
  let text = "";
  let next = 1;
  let highest = 0;
  for (let at = 0; at < format.length; ) {
    if (format[at] !== "%") {
      const end = format.indexOf("%", at);
      text += format.slice(at, end < 0 ? format.length : end);
      at = end < 0 ? format.length : end;
      continue;
    }
    verbPattern.lastIndex = at;
    const [raw = "%", flags = "", width = "", precision, index, mode] =
      verbPattern.exec(format) ?? [];
    const offset = Buffer.byteLength(format.slice(0, at));
    if (mode === undefined) throw unknownVerb(format, at + raw.length, offset);
    at += raw.length;
    if (mode === "%") {
      text += "%";
      continue;
    }
    const number = index === undefined ? next : Number(index);
    next = number + 1;
    highest = Math.max(highest, number);
    if (Number(width) > maxWidth || Number(precision ?? 0) > maxWidth) {
      throw failure(`the width or precision of ${JSON.stringify(raw)} is more than ${maxWidth}`);
    }
    const verb = {
      raw,
      offset,
      flags,
      mode,
      number,
      width: width === "" ? -1 : Number(width),
      precision: precision === undefined ? undefined : Number(precision),
    };
    text += formatVerb(verb, args);
  }
  if (highest < args.length) throw tooMany(highest);
  return text;
}

function tooMany(used: number): ArgumentFault {
  const why = used === 0 ? "no verbs in format string" : `only ${used} used by format string`;
  return new ArgumentFault(used + 1, `too many arguments; ${why}`);
}

function unknownVerb(format: string, at: number, offset: number): Error {
  const character = format.codePointAt(at);
  if (character === undefined) {
    return failure(`unterminated format string; the last % verb at offset ${offset} is incomplete`);
  }
  return failure(
    `unrecognized format character ${JSON.stringify(String.fromCodePoint(character)).replaceAll('"', "'")} at offset ${at}`,
  );
}

function formatVerb(verb: Verb, args: readonly Value[]): string {
  const { raw, offset, number, mode } = verb;
  const shown = JSON.stringify(raw);
  const value = args[number - 1];
  if (!value) {
    throw failure(
      `not enough arguments for ${shown} at ${offset}: need index ${number} but have ${args.length} total`,
    );
  }
  if (mode !== "v" && value.content === null) {
    throw failure(`unsupported value for ${shown} at ${offset}: null value cannot be formatted`);
  }
  if (mode === "v") return padded(verb, anyText(verb, value));
  if (mode === "t") return as(verb, value, boolType).content === true ? "true" : "false";
  if (/[bdoxX]/.test(mode)) return integerText(verb, numberOf(as(verb, value, numberType)));
  if (/[eEfgG]/.test(mode)) return floatText(verb, numberOf(as(verb, value, numberType)));
  if (mode !== "s" && mode !== "q") {
    throw failure(`unsupported format verb '${mode}' in ${shown} at offset ${offset}`);
  }
  const text = textOf(as(verb, value, stringType));
  const cut = verb.precision ? [...characters(text)].slice(0, verb.precision).join("") : text;
  return padded(verb, mode === "q" ? jsonText(cut) : cut);
}

function as({ raw, offset }: Verb, value: Value, type: Type): Value {
  try {
    return convert(value, type);
  } catch (error) {
    throw failure(
      `unsupported value for ${JSON.stringify(raw)} at ${offset}: ${(error as Error).message}`,
    );
  }
}

function anyText({ flags }: Verb, value: Value): string {
  if (flags.includes("#") || value.content === null) return jsonOf(value);
  if (value.type.kind === "string") return textOf(value);
  return value.type.kind === "number" ? formatShort(numberOf(value)) : jsonOf(value);
}

function padded({ width, flags }: Verb, text: string): string {
  const missing = width - [...characters(text)].length;
  if (missing <= 0) return text;
  const pad = (flags.includes("0") ? "0" : " ").repeat(missing);
  return flags.includes("-") ? text + pad : pad + text;
}

/** A number's digits with its sign and padding, which zeros follow the sign in. */
function signed({ width, flags }: Verb, digits: string, isNegative: boolean): string {
  const sign = isNegative ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  const missing = Math.max(0, width - sign.length - digits.length);
  if (flags.includes("-")) return sign + digits + " ".repeat(missing);
  if (flags.includes("0")) return sign + "0".repeat(missing) + digits;
  return " ".repeat(missing) + sign + digits;
}

const bases: Readonly<Record<string, number>> = { b: 2, d: 10, o: 8, x: 16, X: 16 };

function integerText(verb: Verb, number: BigNumber): string {
  if (!isWhole(number)) {
    throw failure(
      `unsupported value for ${JSON.stringify(verb.raw)} at ${verb.offset}: an integer is required`,
    );
  }
  const value = truncate(number);
  let digits = (value < 0n ? -value : value).toString(bases[verb.mode] ?? 10);
  if (verb.mode === "X") digits = digits.toUpperCase();
  if (verb.flags.includes("#"))
    digits = ({ x: "0x", X: "0X", o: "0", b: "0b" }[verb.mode] ?? "") + digits;
  return signed(verb, digits.padStart(verb.precision ?? 0, "0"), value < 0n);
}

function floatText(verb: Verb, number: BigNumber): string {
  const isNegative = number.mantissa < 0n;
  const positive = isNegative ? { ...number, mantissa: -number.mantissa } : number;
  const lower = verb.mode.toLowerCase();
  const precision = verb.precision ?? 6;
  let digits: string;
  if (lower === "f") digits = formatFixed(positive, precision);
  else if (lower === "e") digits = formatExponent(positive, precision);
  else
    digits =
      verb.precision === undefined
        ? shortFloat(positive)
        : Number(toDouble(positive).toPrecision(Math.max(1, precision))).toString();
  return signed(verb, verb.mode === lower ? digits : digits.toUpperCase(), isNegative);
}

/** Go's %g of a big.Float has an exponent from 21 digits on only. */
function shortFloat(number: BigNumber): string {
  const text = formatShort(number);
  const power = Number(/e([+-]\d+)$/.exec(text)?.[1] ?? 0);
  return power >= 6 && power < 21 ? formatFixed(number, 0) : text;
}

function formatList(args: readonly Value[]): Value {
  const [format, values] = [textOf(argument(args, 0)), args.slice(1)];
  let [length, chooser] = [-1, -1];
  for (const [at, each] of values.entries()) {
    if (!isSequence(each.type) || each.content === null) continue;
    const own = elementsOf(each).length;
    if (length === -1) [length, chooser] = [own, at];
    else if (own !== length) {
      throw new ArgumentFault(
        at + 1,
        `argument ${at + 1} has length ${own}, which is inconsistent with argument ${chooser + 1} of length ${length}`,
      );
    }
  }
  const rows = Array.from({ length: length === -1 ? 1 : length }, (_, row) => {
    const items = values.map((each) =>
      isSequence(each.type) && each.content !== null ? (elementsOf(each)[row] ?? each) : each,
    );
    try {
      return textValue(formatText(format, items));
    } catch (error) {
      throw failure(`error on format iteration ${row}: ${(error as Error).message}`);
    }
  });
  return listValue(rows, stringType);
}

/** Formats with verbs: %s, %d, %v and their like. */
export const formatFunctions: Functions = {
  format: define("format:string args:any?...", stringType, (args) =>
    textValue(formatText(textOf(argument(args, 0)), args.slice(1))),
  ),
  formatlist: define("format:string args:any?...", listOf(stringType), formatList),
};
