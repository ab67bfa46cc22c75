import { suggest } from "#base";
import { DockerfileFault } from "./fault.ts";

/** The kinds of flags: one with a value, one that is there or not, one that may be there several times. */
export type FlagKind = "text" | "switch" | "list";

type Value<K extends FlagKind> = K extends "list"
  ? readonly string[]
  : K extends "text"
    ? string
    : boolean;

export type FlagValues<F extends Readonly<Record<string, FlagKind>>> = {
  readonly [N in keyof F]?: Value<F[N]>;
};

/** Edits between a mistyped word and the one that BuildKit proposes. */
const nearEdits = 2;

/** A message that proposes the nearest of these words, where one is near. */
export function proposing(message: string, word: string, words: readonly string[]): string {
  const near = nearest(word, words);
  return near === undefined ? message : `${message} (did you mean ${near}?)`;
}

/** The word within two edits; undefined when there is none, or the word itself is among them. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  return words.includes(word) ? undefined : suggest(word, words, nearEdits);
}

/** Reads an instruction's flags. `invalid` for flags that it does not have, or with a wrong value. */
export function parseFlags<const F extends Readonly<Record<string, FlagKind>>>(
  flags: readonly string[],
  known: F,
): FlagValues<F> {
  const values: Record<string, string | boolean | string[]> = {};
  for (const flag of flags) {
    const equals = flag.indexOf("=");
    const name = flag.slice(2, equals < 0 ? undefined : equals);
    const text = equals < 0 ? undefined : flag.slice(equals + 1);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) {
      throw new DockerfileFault(proposing(`unknown flag: --${name}`, name, Object.keys(known)));
    }
    const before = values[name];
    if (kind === "list") {
      const list = Array.isArray(before) ? before : [];
      list.push(required(name, text));
      values[name] = list;
      continue;
    }
    if (before !== undefined) throw new DockerfileFault(`duplicate flag specified: --${name}`);
    values[name] = kind === "text" ? required(name, text) : parseSwitch(name, text);
  }
  return values as FlagValues<F>;
}

function required(name: string, text: string | undefined): string {
  if (text === undefined) throw new DockerfileFault(`missing a value on flag: --${name}`);
  return text;
}

function parseSwitch(name: string, text: string | undefined): boolean {
  if (text === "") throw new DockerfileFault(`missing a value on flag: --${name}`);
  const word = text?.toLowerCase() ?? "true";
  if (word === "true" || word === "false") return word === "true";
  throw new DockerfileFault(`expecting boolean value for flag --${name}, not: ${text}`);
}
