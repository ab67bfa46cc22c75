import { parseDuration } from "#base";
import { ArgumentFault } from "../scope.ts";
import { stringType } from "../type.ts";
import { textOf, textValue, type Value } from "../value.ts";
import { argument, define, type Functions, failure } from "./define.ts";

interface Timestamp {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Minutes east of Greenwich. */
  readonly offset: number;
}

const months =
  "January February March April May June July August September October November December".split(
    " ",
  );
const days = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const segments = [
  ["year", /^\d{4}/],
  ["-", /^-/],
  ["month", /^(?:0[1-9]|1[0-2])/],
  ["-", /^-/],
  ["day of month", /^(?:0[1-9]|[12]\d|3[01])/],
  ["T", /^T/],
  ["hour", /^(?:[01]\d|2[0-3])/],
  [":", /^:/],
  ["minute", /^[0-5]\d/],
  [":", /^:/],
  ["second", /^[0-5]\d(?:[.,]\d+)?/],
  ["UTC offset", /^(?:Z|[+-](?:[01]\d|2[0-4]):[0-5]\d)/],
] as const;

/** Why a text is no time of RFC 3339, by the first part that is wrong. */
function timestampFault(text: string): string {
  let rest = text;
  const before = "not a valid RFC3339 timestamp: ";
  for (const [name, pattern] of segments) {
    const found = pattern.exec(rest)?.[0];
    if (found !== undefined) {
      rest = rest.slice(found.length);
      continue;
    }
    if (name === "T") return `${before}missing required time introducer 'T'`;
    const shown = JSON.stringify(rest);
    if (name === ":" || name === "-") {
      return rest === ""
        ? `${before}end of string where "${name}" is expected`
        : `${before}found ${shown} where "${name}" is expected`;
    }
    return rest === ""
      ? `${before}end of string before ${name}`
      : `${before}cannot use ${shown} as ${name}`;
  }
  return `${before}extra text: ${JSON.stringify(rest)}`;
}

function parseTimestamp(text: string): Timestamp | undefined {
  const zone = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|([+-])(\d\d):(\d\d))$/.exec(text);
  const time = Date.parse(text.replace(",", "."));
  if (!zone || Number.isNaN(time)) return undefined;
  const [, sign, hours = "0", minutes = "0"] = zone;
  return { time, offset: (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) };
}

function zoneText(offset: number, separator: string): string {
  const minutes = Math.abs(offset);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}${separator}${two(minutes % 60)}`;
}

/** The time as RFC 3339 writes it, without fractions of seconds. */
function timestampText({ time, offset }: Timestamp): string {
  const local = new Date(time + offset * 60_000).toISOString().slice(0, 19);
  return local + (offset === 0 ? "Z" : zoneText(offset, ":"));
}

/** How many letters a verb may have, and what is said of another number. */
const lengths: Readonly<Record<string, readonly [RegExp, string]>> = {
  Y: [/^(?:2|4)$/, 'year must either be "YY" or "YYYY"'],
  M: [/^[1-4]$/, 'month must be "M", "MM", "MMM", or "MMMM"'],
  D: [/^[12]$/, 'day of month must either be "D" or "DD"'],
  E: [/^[34]$/, 'day of week must either be "EEE" or "EEEE"'],
  h: [/^[12]$/, '24-hour must either be "h" or "hh"'],
  H: [/^[12]$/, '12-hour must either be "H" or "HH"'],
  A: [/^2$/, 'must be "AA"'],
  a: [/^2$/, 'must be "aa"'],
  m: [/^[12]$/, 'minute must either be "m" or "mm"'],
  s: [/^[12]$/, 'second must either be "s" or "ss"'],
  Z: [/^[1345]$/, "timezone must be Z, ZZZZ, or ZZZZZ"],
};

function verbText(verb: string, { time, offset }: Timestamp): string {
  const letter = verb.slice(0, 1);
  const shown = JSON.stringify(verb);
  const [allowed, rule] = lengths[letter] ?? [];
  if (!allowed) throw new ArgumentFault(0, `invalid date format verb ${shown}`);
  if (!allowed.test(String(verb.length))) {
    throw new ArgumentFault(0, `invalid date format verb ${shown}: ${rule}`);
  }
  const date = new Date(time + offset * 60_000);
  const padded = (value: number, width = verb.length) => String(value).padStart(width, "0");
  const hour = date.getUTCHours();
  switch (letter) {
    case "Y":
      return verb.length === 2
        ? padded(date.getUTCFullYear() % 100)
        : padded(date.getUTCFullYear());
    case "M": {
      const name = months[date.getUTCMonth()] ?? "";
      return verb.length > 2
        ? name.slice(0, verb.length === 3 ? 3 : undefined)
        : padded(date.getUTCMonth() + 1);
    }
    case "D":
      return padded(date.getUTCDate());
    case "E":
      return (days[date.getUTCDay()] ?? "").slice(0, verb.length === 3 ? 3 : undefined);
    case "h":
      return padded(hour);
    case "H":
      return padded(hour % 12 === 0 ? 12 : hour % 12);
    case "A":
    case "a": {
      const half = hour < 12 ? "am" : "pm";
      return letter === "A" ? half.toUpperCase() : half;
    }
    case "m":
      return padded(date.getUTCMinutes());
    case "s":
      return padded(date.getUTCSeconds());
    default:
      if (offset === 0 && verb.length === 1) return "Z";
      if (offset === 0 && verb.length === 3) return "UTC";
      return zoneText(offset, verb.length === 1 || verb.length === 5 ? ":" : "");
  }
}

function formatDate(args: readonly Value[]): Value {
  const text = textOf(argument(args, 1));
  const timestamp = parseTimestamp(text);
  if (!timestamp) throw new ArgumentFault(1, timestampFault(text));
  let shown = "";
  for (const [part, quoted] of textOf(argument(args, 0)).matchAll(
    /'((?:[^']|'')*)'|([a-zA-Z])\2*|[^a-zA-Z']+|'/g,
  )) {
    if (part === "'") throw new ArgumentFault(0, "unterminated literal '");
    if (quoted !== undefined) shown += quoted === "" ? "'" : quoted.replaceAll("''", "'");
    else shown += /^[a-zA-Z]/.test(part) ? verbText(part, timestamp) : part;
  }
  return textValue(shown);
}

function addTime(args: readonly Value[]): Value {
  const text = textOf(argument(args, 0));
  const timestamp = parseTimestamp(text);
  if (!timestamp) throw failure(timestampFault(text));
  return textValue(
    timestampText({
      ...timestamp,
      time: timestamp.time + parseDuration(textOf(argument(args, 1))),
    }),
  );
}

/** Times, as texts of RFC 3339. */
export function dateFunctions(now: () => Date): Functions {
  return {
    formatdate: define("format:string time:string", stringType, formatDate),
    timeadd: define("timestamp:string duration:string", stringType, addTime),
    timestamp: define("", stringType, () =>
      textValue(timestampText({ time: now().getTime(), offset: 0 })),
    ),
  };
}
