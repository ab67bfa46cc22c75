import { Fault, goPattern } from "#base";
import { ArgumentFault } from "../scope.ts";
import { characters } from "../source.ts";
import { dynamicType, listOf, numberType, stringType } from "../type.ts";
import {
  compareText,
  elementsOf,
  listValue,
  nullOf,
  numberValue,
  objectValue,
  textOf,
  textValue,
  tupleValue,
  type Value,
} from "../value.ts";
import { argument, define, type Functions, failure, wholeNumber } from "./define.ts";

function ofText(name: string, action: (text: string) => string) {
  return define(`${name}:string`, stringType, (args) =>
    textValue(action(textOf(argument(args, 0)))),
  );
}

function ofTwo(signature: string, action: (a: string, b: string) => string) {
  return define(signature, stringType, (args) =>
    textValue(action(textOf(argument(args, 0)), textOf(argument(args, 1)))),
  );
}

function substring(args: readonly Value[]): Value {
  const all = [...characters(textOf(argument(args, 0)))];
  let offset = wholeNumber(args, 1);
  const length = wholeNumber(args, 2);
  if (offset < 0) offset = Math.max(0, offset + all.length);
  else if (length === 0) return textValue("");
  const end = length < 0 ? all.length : offset + (length === 0 ? all.length : length);
  return textValue(all.slice(offset, end).join(""));
}

function join(args: readonly Value[]): Value {
  const lists = args.slice(1);
  if (lists.length === 0) throw failure("at least one list is required");
  const texts: string[] = [];
  for (const [index, list] of lists.entries()) {
    for (const [at, item] of elementsOf(list).entries()) {
      if (item.content === null) {
        const where = lists.length > 1 ? `element ${at} of list ${index + 1}` : `element ${at}`;
        throw new ArgumentFault(index + 1, `${where} is null; cannot concatenate null values`);
      }
      texts.push(textOf(item));
    }
  }
  return textValue(texts.join(textOf(argument(args, 0))));
}

function sort(args: readonly Value[]): Value {
  const items = elementsOf(argument(args, 0));
  const missing = items.findIndex(({ content }) => content === null);
  if (missing >= 0) {
    throw failure(`given list element ${missing} is null; a null string cannot be sorted`);
  }
  return listValue(items.map(textOf).sort(compareText).map(textValue), stringType);
}

function split(args: readonly Value[]): Value {
  const [separator, text] = [textOf(argument(args, 0)), textOf(argument(args, 1))];
  const parts = separator === "" ? [...text] : text.split(separator);
  return listValue(parts.map(textValue), stringType);
}

function trimmed(text: string, cutset: string): string {
  const set = new Set(cutset);
  const all = [...text];
  let [start, end] = [0, all.length];
  while (start < end && set.has(all[start] ?? "")) start++;
  while (end > start && set.has(all[end - 1] ?? "")) end--;
  return all.slice(start, end).join("");
}

function pattern(text: string, index: number): RegExp {
  try {
    return new RegExp(goPattern(text).source, "gu");
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const [, why = error.message, part = text] =
      /^error parsing regexp: (.*?): `(.*)`$/s.exec(error.message) ?? [];
    throw new ArgumentFault(
      index,
      `invalid regexp pattern: ${shownReason(why)} in ${part === "" ? text : part}`,
    );
  }
}

function shownReason(why: string): string {
  return why === "Unterminated group" || why.includes("missing )") ? "missing closing )" : why;
}

/** Texts that are matched against patterns: Go's never go back, and these may. */
const maxMatched = 64 << 10;

function matched(args: readonly Value[], index: number): string {
  const text = textOf(argument(args, index));
  if (text.length > maxMatched) {
    throw new ArgumentFault(index, `texts of more than ${maxMatched} characters are not matched`);
  }
  return text;
}

/** What a match captured: by name, by number, or as a whole. */
function captured(found: RegExpMatchArray): Value {
  const shown = (text: string | undefined) =>
    text === undefined ? nullOf(stringType) : textValue(text);
  if (found.groups) {
    return objectValue(
      new Map(Object.entries(found.groups).map(([name, text]) => [name, shown(text)])),
    );
  }
  if (found.length > 1) return tupleValue(found.slice(1).map(shown));
  return textValue(found[0]);
}

function matches(args: readonly Value[]): Value[] {
  const found = pattern(textOf(argument(args, 0)), 0);
  return [...matched(args, 1).matchAll(found)].map(captured);
}

/** Go's "$1", "${1}" and "$name" in a replacement. */
function replaceAll(args: readonly Value[]): Value {
  const text = matched(args, 0);
  const found = pattern(textOf(argument(args, 1)), 1);
  const replacement = textOf(argument(args, 2));
  const replaced = text.replace(found, (...parts: readonly unknown[]) => {
    const last = parts.at(-1);
    const groups =
      typeof last === "object" && last !== null ? (last as Record<string, string>) : {};
    return replacement.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced, plain) => {
      if (whole === "$$") return "$";
      const name: string = braced ?? plain;
      const value = /^\d+$/.test(name) ? parts[Number(name)] : groups[name];
      return typeof value === "string" ? value : "";
    });
  });
  return textValue(replaced);
}

/** Words of letters and digits, as Go's strings.Title finds them. */
function title(text: string): string {
  return text.replace(
    /(^|[^\p{L}\p{N}_'’])(\p{L})/gu,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  );
}

/** Texts, and patterns in them. */
export const textFunctions: Functions = {
  byteslen: define("buf:bytes", numberType, () => numberValue(0)),
  bytesslice: define("buf:bytes offset:number length:number", { kind: "bytes" }, (args) =>
    argument(args, 0),
  ),
  chomp: ofText("str", (text) => text.replace(/(?:\r\n?|\n)*$/, "")),
  indent: define("spaces:number str:string", stringType, (args) => {
    const spaces = wholeNumber(args, 0);
    if (spaces < 0 || spaces > 10_000) throw failure(`cannot indent by ${spaces} spaces`);
    return textValue(textOf(argument(args, 1)).replaceAll("\n", `\n${" ".repeat(spaces)}`));
  }),
  join: define("separator:string lists:strings...", stringType, join),
  lower: ofText("str", (text) => text.toLowerCase()),
  regex: define("pattern:string string:string", dynamicType, (args) => {
    const [first] = matches(args);
    if (!first) throw failure("pattern did not match any part of the given string");
    return first;
  }),
  regex_replace: define("str:string pattern:string replace:string", stringType, replaceAll),
  regexall: define("pattern:string string:string", dynamicType, (args) =>
    listValue(matches(args), stringType),
  ),
  replace: define("str:string substr:string replace:string", stringType, (args) =>
    textValue(
      textOf(argument(args, 0)).replaceAll(textOf(argument(args, 1)), () =>
        textOf(argument(args, 2)),
      ),
    ),
  ),
  reverse: ofText("str", (text) => [...characters(text)].reverse().join("")),
  sanitize: ofText("name", (text) => text.replace(/[^a-zA-Z0-9_-]/gu, "_")),
  sort: define("list:strings", listOf(stringType), sort),
  split: define("separator:string str:string", listOf(stringType), split),
  strlen: define("str:string", numberType, (args) =>
    numberValue([...characters(textOf(argument(args, 0)))].length),
  ),
  substr: define("str:string offset:number length:number", stringType, substring),
  title: ofText("str", title),
  trim: ofTwo("str:string cutset:string", trimmed),
  trimprefix: ofTwo("str:string prefix:string", (text, prefix) =>
    text.startsWith(prefix) ? text.slice(prefix.length) : text,
  ),
  trimspace: ofText("str", (text) => text.trim()),
  trimsuffix: ofTwo("str:string suffix:string", (text, suffix) =>
    text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text,
  ),
  upper: ofText("str", (text) => text.toUpperCase()),
};
