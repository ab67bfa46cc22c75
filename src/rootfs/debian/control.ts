import { Fault } from "#base";

/** One paragraph: field names in lower case, values with continuation lines joined by newlines. */
export type Paragraph = ReadonlyMap<string, string>;

/**
 * Paragraphs of Debian's control syntax (deb822(5)): comments are left out, a
 * continuation line keeps its text without the leading blank. A line that is
 * neither is an `invalid` Fault that names `about` and the line's number.
 */
export function parseControl(text: string, about: string): Paragraph[] {
  const paragraphs: Paragraph[] = [];
  let fields = new Map<string, string>();
  let last: string | undefined;
  const finish = () => {
    if (fields.size > 0) paragraphs.push(fields);
    fields = new Map();
    last = undefined;
  };
  for (const [index, line] of text.split("\n").entries()) {
    if (line.startsWith("#")) continue;
    if (line.trim() === "") {
      finish();
    } else if (/^[ \t]/.test(line)) {
      if (last === undefined) throw malformed(about, index, line);
      fields.set(last, `${fields.get(last)}\n${line.trim()}`);
    } else {
      const colon = line.indexOf(":");
      if (colon < 1) throw malformed(about, index, line);
      last = line.slice(0, colon).toLowerCase();
      fields.set(last, line.slice(colon + 1).trim());
    }
  }
  finish();
  return paragraphs;
}

function malformed(about: string, index: number, line: string): Fault {
  return new Fault(
    "invalid",
    `${about}, line ${index + 1}: neither a field ("Name: value") nor a continuation: ${line.slice(0, 120)}`,
    { about },
  );
}
