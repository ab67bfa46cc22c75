import { suggest } from "#base";
import type { Flag, Flags, Values } from "./flag.ts";

/** A command line that cannot be understood. The message has the words of docker. */
export class FlagError extends Error {
  /** A flag that may have been meant. */
  readonly meant: string | undefined;

  constructor(message: string, meant?: string) {
    super(message);
    this.meant = meant;
  }
}

export interface ParsedFlags<F extends Flags> {
  readonly flags: Values<F>;
  /** The flags that were written out. */
  readonly given: ReadonlySet<keyof F & string>;
  /** The flags in their order and long form: "--name=value". */
  readonly long: readonly string[];
  readonly args: readonly string[];
  /** `--help` was among the flags. */
  readonly help: boolean;
}

/**
 * Reads words by the rules of docker's flag library (spf13/pflag): `--name value`,
 * `--name=value`, `-nvalue`, `-n value`, `-n=value`, clusters as `-it`, switches with
 * `--name=false`, `--` before arguments. With `interspersed: false` the first argument
 * ends the flags, as after IMAGE of `run`.
 */
export function parseFlags<F extends Flags>(
  definition: F,
  words: readonly string[],
  options: { readonly interspersed: boolean },
): ParsedFlags<F> {
  const reader = new FlagReader(definition);
  const args: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      args.push(...words.slice(at + 1));
      break;
    }
    if (word === "-" || !word.startsWith("-")) {
      if (!options.interspersed) {
        args.push(...words.slice(at));
        break;
      }
      args.push(word);
      continue;
    }
    const took = word.startsWith("--")
      ? reader.long(word, words[at + 1])
      : reader.cluster(word, words[at + 1]);
    if (took) at++;
    if (reader.help) break;
  }
  const { help, written: long } = reader;
  const flags = reader.values as Values<F>;
  return { flags, given: reader.given as ReadonlySet<keyof F & string>, long, args, help };
}

class FlagReader {
  readonly values: Record<string, unknown> = {};
  readonly given = new Set<string>();
  readonly written: string[] = [];
  help = false;
  readonly #definition: Flags;

  constructor(definition: Flags) {
    this.#definition = definition;
    for (const [name, flag] of Object.entries(definition)) this.values[name] = flag.initial;
  }

  /** True when `next` was taken as the value. */
  long(word: string, next: string | undefined): boolean {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    if (name === "" || name.startsWith("-")) throw new FlagError(`bad flag syntax: ${word}`);
    const found = this.#find(name);
    if (!found) {
      if (name === "help") {
        this.help = true;
        return false;
      }
      const meant = suggest(name, this.#names());
      throw new FlagError(`unknown flag: --${name}`, meant && `--${meant}`);
    }
    if (equals >= 0) return this.#set(found, word.slice(equals + 1));
    if (this.#definition[found]?.placeholder === "") return this.#set(found, "true");
    if (next === undefined) throw new FlagError(`flag needs an argument: --${name}`);
    this.#set(found, next);
    return true;
  }

  /** One-letter flags behind one dash; true when `next` was taken as the value. */
  cluster(word: string, next: string | undefined): boolean {
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? "";
      const found = this.#byLetter(letter);
      if (!found) {
        if (letter === "h" && !this.#find("help")) {
          this.help = true;
          return false;
        }
        throw new FlagError(
          `unknown shorthand flag: '${letter}' in -${word.slice(at)}`,
          this.#meant(word),
        );
      }
      const rest = word.slice(at + 1);
      if (rest.startsWith("=")) return this.#set(found, rest.slice(1));
      if (this.#definition[found]?.placeholder === "") {
        this.#set(found, "true");
        continue;
      }
      if (rest !== "") return this.#set(found, rest);
      if (next === undefined) {
        throw new FlagError(`flag needs an argument: '${letter}' in -${word.slice(at)}`);
      }
      this.#set(found, next);
      return true;
    }
    return false;
  }

  #set(name: string, text: string): false {
    const flag = this.#definition[name] as Flag<unknown>;
    try {
      this.values[name] = flag.parse(text, this.values[name]);
    } catch (error) {
      const shown = flag.short ? `-${flag.short}, --${name}` : `--${name}`;
      const why = error instanceof Error ? error.message : String(error);
      throw new FlagError(`invalid argument "${text}" for "${shown}" flag: ${why}`);
    }
    this.given.add(name);
    this.written.push(`--${name}=${text}`);
    return false;
  }

  #find(name: string): string | undefined {
    if (Object.hasOwn(this.#definition, name)) return name;
    return Object.keys(this.#definition).find((key) =>
      this.#definition[key]?.aliases?.includes(name),
    );
  }

  #byLetter(letter: string): string | undefined {
    return Object.keys(this.#definition).find((key) => this.#definition[key]?.short === letter);
  }

  /** "-name" for "--name" is the likeliest mistake with one dash. */
  #meant(word: string): string | undefined {
    const name = word.slice(1).split("=")[0] ?? "";
    return name.length > 2 && this.#find(name) ? `--${name}` : undefined;
  }

  #names(): string[] {
    return Object.keys(this.#definition).filter((name) => !this.#definition[name]?.hidden);
  }
}
