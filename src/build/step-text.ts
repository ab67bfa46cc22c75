import type { Healthcheck } from "#dockerfile";

/** Go's %q of a list: `["a" "b"]`. */
export function quotedList(words: readonly string[]): string {
  return `[${words.map(goQuote).join(" ")}]`;
}

/** Go's strconv.Quote: a text between double quotes, with its escapes. */
function goQuote(text: string): string {
  let out = '"';
  for (const character of text) out += quotedCharacter(character);
  return `${out}"`;
}

const escapes = new Map<string, string>([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\u0007", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

function quotedCharacter(character: string): string {
  const known = escapes.get(character);
  if (known !== undefined) return known;
  const point = character.codePointAt(0) ?? 0;
  if (/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) return character;
  if (point < 0x80) return `\\x${point.toString(16).padStart(2, "0")}`;
  return point < 0x10000
    ? `\\u${point.toString(16).padStart(4, "0")}`
    : `\\U${point.toString(16).padStart(8, "0")}`;
}

/** A health check in an image's history: Go's %q of its structure. */
export function healthText(health: Healthcheck): string {
  const { test, interval, timeout, startPeriod, startInterval, retries = 0 } = health;
  const times = [interval, timeout, startPeriod, startInterval];
  const shown = times.map((time = 0) => `"${goDuration(time)}"`);
  return `&{${quotedList(test)} ${shown.join(" ")} ${goRune(retries)}}`;
}

/** Go's %q of a number: the character that it stands for, in single quotes. */
function goRune(code: number): string {
  const isCharacter = code < 0x110000 && (code < 0xd800 || code > 0xdfff);
  const character = isCharacter ? String.fromCodePoint(code) : "\ufffd";
  if (character === "'") return "'\\''";
  return character === '"' ? `'"'` : `'${quotedCharacter(character)}'`;
}

/** Go's text of a duration in nanoseconds, "1m30s". */
function goDuration(time: number): string {
  if (time === 0) return "0s";
  if (time < 1e9) return `${trimmed(time / 1e6)}ms`;
  const hours = Math.floor(time / 3.6e12);
  const minutes = Math.floor((time % 3.6e12) / 6e10);
  const seconds = `${trimmed((time % 6e10) / 1e9)}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

function trimmed(value: number): string {
  return value.toFixed(9).replace(/\.?0+$/, "");
}

/** What is shown of a document in the Dockerfile: its first line. */
export function summary(text: string): string {
  const [first = "", ...more] = text.trim().split(/\r?\n/);
  return more.length > 0 ? `${first}...` : first;
}

/** An instruction as it is shown, its keyword in capitals. */
export function capitalized(source: string): string {
  const space = source.indexOf(" ");
  if (space < 0) return source.toUpperCase();
  return source.slice(0, space).toUpperCase() + source.slice(space);
}
