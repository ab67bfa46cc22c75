import { DockerfileFault } from "./fault.ts";
import { isSpace, trim, trimStart } from "./space.ts";

/** The words of "name=value" lists: blanks in quotes or after an escape do not end one; quotes stay. */
export function splitWords(text: string, escapeMark: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote === "" && isSpace(character)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    if (character === escapeMark && quote !== "'") {
      // An escape at the end stands for nothing.
      if (at + 1 < text.length) word += character + text.charAt(++at);
      continue;
    }
    if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === quote) quote = "";
    word += character;
  }
  if (word !== "") words.push(word);
  return words;
}

/** An instruction's flags ("--name=value", their quotes taken away) and what follows them. */
export function splitFlags(text: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (isSpace(text.charAt(at))) {
      at++;
      continue;
    }
    if (!text.startsWith("--", at)) return { flags, rest: trim(text.slice(at)) };
    const { word, end } = readFlag(text, at);
    at = end;
    if (word === "--") return { flags, rest: trim(text.slice(at)) };
    flags.push(word);
  }
  return { flags, rest: "" };
}

function readFlag(text: string, start: number): { word: string; end: number } {
  let word = "";
  let quote = "";
  let at = start;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote === "" && isSpace(character)) break;
    if (character === "\\") word += text.charAt(++at);
    else if (quote === "" ? character === "'" || character === '"' : character === quote) {
      quote = quote === "" ? character : "";
    } else word += character;
  }
  return { word, end: at };
}

/** The strings of a JSON array; undefined for text that is none. */
export function parseJsonForm(text: string): readonly string[] | undefined {
  if (!trimStart(text).startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const items: readonly unknown[] = value;
  return items.map((item) => {
    if (typeof item === "string") return item;
    throw new DockerfileFault(
      "when using JSON array syntax, arrays must be comprised of strings only",
    );
  });
}
