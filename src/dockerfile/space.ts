/** The blanks of Go's unicode.IsSpace, which differ from JavaScript's. */
const blank =
  "\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const one = new RegExp(`^[${blank}]$`);

/** Whether a character is a blank to Go. */
export function isSpace(character: string): boolean {
  const code = character.charCodeAt(0);
  return code < 0x80 ? code === 32 || (code >= 9 && code <= 13) : one.test(character);
}

/** Without blanks at the start. */
export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charAt(start))) start++;
  return text.slice(start);
}

/** Without any of these characters at the end. */
export function trimEnd(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Without blanks at either end. */
export function trim(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}

/** The parts between runs of blanks within a line, as BuildKit splits arguments; at most `most`. */
export function splitFields(text: string, most = Number.POSITIVE_INFINITY): string[] {
  const fields: string[] = [];
  let start = 0;
  for (const match of text.matchAll(/[\t\v\f\r ]+/g)) {
    if (fields.length + 1 >= most) break;
    fields.push(text.slice(start, match.index));
    start = match.index + match[0].length;
  }
  fields.push(text.slice(start));
  return fields;
}
