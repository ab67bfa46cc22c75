import { type Lookup, substitute, TemplateError } from "./template.ts";

/** A file of variables that cannot be read as such; the message is worded as Compose's. */
export class DotenvError extends Error {
  override readonly name = "DotenvError";
}

interface DotenvOptions {
  /** Values of variables in values, and those that a name alone takes. */
  readonly lookup: Lookup;
  readonly unset: (name: string) => void;
}

/**
 * The variables of a .env file: KEY=value, KEY: value, "export", comments, quotes, values of many
 * lines in quotes; $X is replaced where no single quotes stand. A name alone takes the value of the environment.
 * @throws DotenvError naming the line
 */
export function parseDotenv(text: string, options: DotenvOptions): Map<string, string> {
  return new DotenvParser(text.replaceAll("\r\n", "\n"), options).parse();
}

/** The lines KEY=value of a file of the format "raw", where quotes and dollars mean nothing. */
export function parseRawEnv(text: string, lookup: Lookup): Map<string, string> {
  const variables = new Map<string, string>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const trimmed = line.trimStart();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const at = trimmed.indexOf("=");
    const name = at < 0 ? trimmed : trimmed.slice(0, at);
    if (/[ \t]/.test(name)) {
      throw new DotenvError(`variable '${name}' contains whitespaces`);
    }
    if (name === "") throw new DotenvError(`no variable name on line '${trimmed}' (line ${i + 1})`);
    const value = at < 0 ? lookup(name) : trimmed.slice(at + 1);
    if (value !== undefined) variables.set(name, value);
  }
  return variables;
}

const isSpace = (c: string | undefined) => c !== undefined && /[\t\v\f\r \u0085\u00a0]/.test(c);

class DotenvParser {
  private at = 0;
  private line = 1;
  private readonly text: string;
  private readonly options: DotenvOptions;
  private readonly variables = new Map<string, string>();

  constructor(text: string, options: DotenvOptions) {
    this.text = text.startsWith("\ufeff") ? text.slice(1) : text;
    this.options = options;
  }

  parse(): Map<string, string> {
    while (this.skipToStatement()) this.statement();
    return this.variables;
  }

  private skipToStatement(): boolean {
    for (;;) {
      while (this.at < this.text.length && /\s/.test(this.text[this.at] as string)) {
        if (this.text[this.at] === "\n") this.line++;
        this.at++;
      }
      if (this.at >= this.text.length) return false;
      if (this.text[this.at] !== "#") return true;
      const end = this.text.indexOf("\n", this.at);
      if (end < 0) return false;
      this.at = end;
    }
  }

  private statement(): void {
    const { name, isInherited } = this.name();
    if (name.includes(" ")) throw new DotenvError(`line ${this.line}: key cannot contain a space`);
    if (isInherited) {
      const value = this.options.lookup(name);
      if (value !== undefined) this.variables.set(name, value);
      this.line++;
      return;
    }
    this.variables.set(name, this.value());
  }

  private name(): { name: string; isInherited: boolean } {
    const rest = this.text.slice(this.at);
    const exported = /^export[\t\v\f\r \u0085\u00a0]+/.exec(rest)?.[0].length ?? 0;
    const source = rest.slice(exported);
    for (let i = 0; i < source.length; i++) {
      const c = source[i] as string;
      if (isSpace(c)) continue;
      if (c === "=" || c === ":" || c === "\n") {
        this.at += exported + i + 1;
        while (isSpace(this.text[this.at])) this.at++;
        return { name: source.slice(0, i).trimEnd(), isInherited: c === "\n" };
      }
      if (!/[\p{L}\p{N}_.[\]-]/u.test(c)) {
        const near = source.slice(0, source.indexOf("\n") < 0 ? undefined : source.indexOf("\n"));
        throw new DotenvError(
          `line ${this.line}: unexpected character ${JSON.stringify(c)} in variable name ${JSON.stringify(near)}`,
        );
      }
    }
    this.at = this.text.length;
    if (source === "") throw new DotenvError("zero length string");
    return { name: source.trimEnd(), isInherited: true };
  }

  private value(): string {
    const quote = this.text[this.at];
    if (quote !== '"' && quote !== "'") return this.bareValue();
    let escaped = false;
    for (let i = this.at + 1; i < this.text.length; i++) {
      const c = this.text[i];
      if (c === "\n") this.line++;
      if (c === quote && !escaped) {
        const raw = this.text.slice(this.at + 1, i);
        this.at = i + 1;
        return quote === '"' ? this.expand(unescapeQuoted(raw)) : raw;
      }
      escaped = c === "\\" && !escaped;
    }
    const end = this.text.indexOf("\n", this.at);
    const shown = this.text.slice(this.at, end < 0 ? undefined : end);
    throw new DotenvError(`line ${this.line}: unterminated quoted value ${shown}`);
  }

  private bareValue(): string {
    const end = this.text.indexOf("\n", this.at);
    const line = this.text.slice(this.at, end < 0 ? undefined : end);
    this.at = end < 0 ? this.text.length : end;
    const comment = line.indexOf(" #");
    return this.expand((comment < 0 ? line : line.slice(0, comment)).trimEnd());
  }

  private expand(value: string): string {
    const lookup = (name: string) => this.options.lookup(name) ?? this.variables.get(name);
    try {
      return substitute(value, { lookup, unset: this.options.unset });
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      throw new DotenvError(
        error.isMissing ? error.message : `Invalid template: ${JSON.stringify(error.message)}`,
      );
    }
  }
}

const controls: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  c: "\\c",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "?": "?",
  $: "$$",
};

/** Escapes of double quotes; an escaped dollar stays one when variables are replaced. */
function unescapeQuoted(text: string): string {
  return text.replace(/\\(0\d{0,3}|.)/gs, (match, c: string) => {
    if (c.startsWith("0") && c.length > 1) return String.fromCharCode(Number.parseInt(c, 8));
    return controls[c] ?? match;
  });
}
