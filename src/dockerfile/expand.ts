import { StepBudget } from "#base";
import { DockerfileFault, quote } from "./fault.ts";
import { removePrefix, removeSuffix, replacePattern } from "./shell-pattern.ts";
import { isSpace } from "./space.ts";

/** What to do with quotes and escapes, and with variables that are not set. */
export interface ExpandOptions {
  /** The escape character of the file. */
  readonly escape: "\\" | "`";
  /** "remove" takes quotes away, "keep" leaves them there, "ignore" gives them no meaning. */
  readonly quotes?: "remove" | "keep" | "ignore";
  /** Leaves escapes there. */
  readonly keepEscapes?: boolean;
  /** Leaves references to variables that are not set. */
  readonly keepUnset?: boolean;
  /** Characters and steps of matching that may be spent; a file's expansions share one. */
  readonly budget?: StepBudget;
  /** Takes the names of variables that are not set, also when the expansion fails. */
  readonly unset?: Set<string>;
}

/** Values of variables by name; undefined for those that are not set. */
export interface Variables {
  get(name: string): string | undefined;
}

/** A text with its variables expanded. */
export interface Expansion {
  readonly text: string;
  /** The text split at blanks that are not quoted. */
  readonly words: readonly string[];
  /** Names of variables that the text refers to, and that are set. */
  readonly used: ReadonlySet<string>;
  /** Those that are not set. */
  readonly unset: ReadonlySet<string>;
}

/** One expansion can grow to this many characters, however the variables refer to one another. */
const maxCharacters = 1 << 20;
const maxNesting = 100;
const nothing: ReadonlySet<string> = new Set();

/** As the shell does it: $name, ${name}, the modifiers :- - :+ + :? ? # ## % %% / //, quotes and escapes. `invalid` for what has no meaning. */
export function expand(source: string, environment: Variables, options: ExpandOptions): Expansion {
  if (!/[$'"\\`]/.test(source)) {
    return {
      text: source,
      get words() {
        return plainWords(source);
      },
      used: nothing,
      unset: options.unset ?? nothing,
    };
  }
  const expander = new Expander(source, environment, options);
  try {
    const { text, words } = expander.readUntil("", options.keepEscapes ?? false);
    return { text, words, used: expander.used, unset: expander.unset };
  } catch (error) {
    if (!(error instanceof DockerfileFault)) throw error;
    throw new DockerfileFault(`failed to process ${quote(source)}: ${error.message}`);
  }
}

function plainWords(text: string): string[] {
  const words = new Words();
  words.addSplit(text);
  return words.end();
}

class Words {
  readonly #words: string[] = [];
  #word = "";

  addWhole(text: string): void {
    this.#word += text;
  }

  addSplit(text: string): void {
    for (const character of text) {
      if (!isSpace(character)) this.#word += character;
      else this.#next();
    }
  }

  end(): string[] {
    this.#next();
    return this.#words;
  }

  #next(): void {
    if (this.#word !== "") this.#words.push(this.#word);
    this.#word = "";
  }
}

class Expander {
  readonly used = new Set<string>();
  readonly unset: Set<string>;
  readonly #source: string;
  readonly #environment: Variables;
  readonly #options: ExpandOptions;
  readonly #budget: StepBudget;
  #at = 0;
  #keepEscapes = false;
  #depth = 0;
  #length = 0;

  constructor(source: string, environment: Variables, options: ExpandOptions) {
    this.#source = source;
    this.#environment = environment;
    this.#options = options;
    this.unset = options.unset ?? new Set();
    this.#budget = options.budget ?? new StepBudget(64 * maxCharacters);
  }

  /** Reads up to a character, which is taken too, or to the end for "". */
  readUntil(stop: string, keepEscapes: boolean): { text: string; words: string[] } {
    if (++this.#depth > maxNesting) {
      throw new DockerfileFault(`more than ${maxNesting} substitutions within one another`);
    }
    const before = this.#keepEscapes;
    this.#keepEscapes = keepEscapes;
    const read = this.#read(stop);
    this.#keepEscapes = before;
    this.#depth--;
    return read;
  }

  #read(stop: string): { text: string; words: string[] } {
    const words = new Words();
    const hasQuotes = this.#options.quotes !== "ignore";
    let text = "";
    for (;;) {
      const character = this.#peek();
      if (character === "") break;
      if (stop !== "" && character === stop) {
        this.#next();
        return { text, words: words.end() };
      }
      if (character === "$") {
        const value = this.#dollar();
        text += value;
        words.addSplit(value);
      } else if (hasQuotes && (character === "'" || character === '"')) {
        const value = character === "'" ? this.#singleQuoted() : this.#doubleQuoted();
        text += value;
        words.addWhole(value);
      } else if (character === this.#options.escape) {
        const value = this.#escaped();
        text += value;
        words.addWhole(value);
      } else {
        this.#next();
        text += character;
        words.addSplit(character);
      }
    }
    if (stop !== "") throw this.#unexpectedEnd(stop);
    return { text, words: words.end() };
  }

  #escaped(): string {
    const mark = this.#next();
    return (this.#keepEscapes ? mark : "") + this.#next();
  }

  #singleQuoted(): string {
    const quoteMark = this.#next();
    const end = this.#source.indexOf("'", this.#at);
    if (end < 0) {
      this.#at = this.#source.length;
      throw this.#unexpectedEnd("single-quote");
    }
    const inner = this.#source.slice(this.#at, end);
    this.#at = end + 1;
    return this.#options.quotes === "keep" ? quoteMark + inner + quoteMark : inner;
  }

  #doubleQuoted(): string {
    const quoteMark = this.#next();
    const { escape: escapeMark, quotes } = this.#options;
    let inner = "";
    for (;;) {
      const character = this.#peek();
      if (character === "") throw this.#unexpectedEnd("double-quote");
      if (character === "$") {
        inner += this.#dollar();
        continue;
      }
      this.#next();
      if (character === '"') return quotes === "keep" ? quoteMark + inner + quoteMark : inner;
      if (character !== escapeMark) {
        inner += character;
        continue;
      }
      if (this.#keepEscapes) inner += character;
      const next = this.#peek();
      if (next === '"' || next === "$" || next === escapeMark) inner += this.#next();
      else if (next !== "") inner += character;
    }
  }

  /** A "$" and what belongs to it. */
  #dollar(): string {
    this.#next();
    if (this.#peek() === "{") {
      this.#next();
      return this.#spend(this.#braced());
    }
    const name = this.#name();
    if (name === "") return "$";
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.keepUnset) return `$${name}`;
    return this.#spend(value ?? "");
  }

  #braced(): string {
    const first = this.#peek();
    if (first === "") throw new DockerfileFault("syntax error: missing '}'");
    if ("{}:".includes(first)) throw new DockerfileFault("syntax error: bad substitution");
    const name = this.#name();
    const modifier = this.#next();
    if (modifier === "}") {
      const value = this.#lookUp(name);
      return value === undefined && this.#options.keepUnset ? `\${${name}}` : (value ?? "");
    }
    if (modifier === "/") return this.#replaced(name);
    if (modifier === ":") return this.#modified(name, `:${this.#next() || "\ufffd"}`);
    if (modifier !== "" && "+-?#%".includes(modifier)) return this.#modified(name, modifier);
    throw new DockerfileFault(`unsupported modifier (${modifier || "\ufffd"}) in substitution`);
  }

  /** ${name:-word} and the like. */
  #modified(name: string, modifier: string): string {
    const kind = modifier.at(-1) ?? "";
    const word = this.#part("}", kind === "#" || kind === "%");
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.keepUnset) return `\${${name}${modifier}${word}}`;
    const isMissing = value === undefined || (modifier.length > 1 && value === "");
    if (kind === "-") return isMissing ? word : value;
    if (kind === "+") return isMissing ? "" : word;
    if (kind === "?") {
      if (!isMissing) return value;
      const state = value === undefined ? "unset" : "empty";
      throw new DockerfileFault(`${name}: ${word || `is not allowed to be ${state}`}`);
    }
    if (kind !== "#" && kind !== "%") {
      throw new DockerfileFault(`unsupported modifier (${modifier}) in substitution`);
    }
    const isLongest = word.startsWith(kind);
    const change = {
      value: value ?? "",
      pattern: isLongest ? word.slice(1) : word,
      isLongest,
      budget: this.#budget,
    };
    return kind === "#" ? removePrefix(change) : removeSuffix(change);
  }

  /** ${name/pattern/replacement}. */
  #replaced(name: string): string {
    const isAll = this.#peek() === "/";
    if (isAll) this.#next();
    const pattern = this.#part("/", true, `'/' in $\{}`);
    const replacement = this.#part("}", true);
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.keepUnset) {
      return `\${${name}/${pattern}/${replacement}}`;
    }
    const length = (value ?? "").length + 1;
    // Spent before the work: each character may be replaced.
    if (isAll) this.#checkLength(length * (replacement.length + 1));
    return replacePattern({
      value: value ?? "",
      pattern,
      replacement,
      isAll,
      budget: this.#budget,
    });
  }

  #part(stop: string, keepEscapes: boolean, missing = `'${stop}'`): string {
    try {
      return this.readUntil(stop, keepEscapes).text;
    } catch (error) {
      if (this.#peek() !== "") throw error;
      throw new DockerfileFault(`syntax error: missing ${missing}`);
    }
  }

  #name(): string {
    const first = this.#peek();
    const isNumber = /^\p{Nd}$/u.test(first);
    if (!isNumber && first !== "" && "@*#?-$!".includes(first)) return this.#next();
    const part = isNumber ? /\p{Nd}+/uy : /[\p{L}\p{Nd}_]+/uy;
    part.lastIndex = this.#at;
    const name = part.exec(this.#source)?.[0] ?? "";
    this.#at += name.length;
    return name;
  }

  #lookUp(name: string): string | undefined {
    const value = this.#environment.get(name);
    (value === undefined ? this.unset : this.used).add(name);
    return value;
  }

  #spend(value: string): string {
    this.#length += value.length;
    this.#checkLength(this.#length);
    if (!this.#budget.take(value.length)) {
      throw new DockerfileFault("the values of variables grow too large");
    }
    return value;
  }

  #checkLength(length: number): void {
    if (length <= maxCharacters) return;
    throw new DockerfileFault(
      `the value is longer than ${maxCharacters} characters once its variables are expanded`,
    );
  }

  #unexpectedEnd(wanted: string): DockerfileFault {
    return new DockerfileFault(`unexpected end of statement while looking for matching ${wanted}`);
  }

  #peek(): string {
    const code = this.#source.codePointAt(this.#at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #next(): string {
    const character = this.#peek();
    this.#at += character.length;
    return character;
  }
}
