import { DirectiveReader, type Directives } from "./directives.ts";
import { DockerfileFault, type LineRange, located } from "./fault.ts";
import { type Heredoc, heredocsOf } from "./heredoc.ts";
import { splitFields, trim, trimEnd, trimStart } from "./space.ts";
import { parseJsonForm, splitFlags, splitWords } from "./words.ts";

/** An instruction's lines put together and taken apart, before its own rules are applied. */
export interface Statement {
  /** As it is written. */
  readonly keyword: string;
  readonly flags: readonly string[];
  readonly arguments: Arguments;
  readonly heredocs: readonly Heredoc[];
  /** The line with its continuations, without heredocs. */
  readonly source: string;
  readonly range: LineRange;
  /** Comments above it, without "#" and blanks. */
  readonly comments: readonly string[];
}

/** What follows the flags, by the form that the instruction has. */
type Arguments =
  | { readonly form: "json" | "text" | "words"; readonly words: readonly string[] }
  | { readonly form: "pairs"; readonly pairs: readonly Pair[] }
  | {
      readonly form: "check";
      readonly type: string;
      readonly isJson: boolean;
      readonly words: readonly string[];
    }
  | { readonly form: "trigger"; readonly statement: Statement };

export interface Pair {
  readonly name: string;
  readonly value: string;
  /** Written as "name value", without "=". */
  readonly isLegacy: boolean;
}

export interface Statements {
  readonly directives: Directives;
  readonly statements: readonly Statement[];
  /** Lines at which instructions end that have empty lines within. */
  readonly emptyContinuations: readonly number[];
}

/** BuildKit's reader takes no longer line, in bytes. */
const maxLineBytes = 65535;
/** A larger Dockerfile is refused. */
export const maxDockerfileBytes = 4 << 20;
const maxLines = 100_000;

/** Splits a Dockerfile into its instructions. `invalid` at the first that cannot be split. */
export function readStatements(text: string): Statements {
  if (Buffer.byteLength(text) > maxDockerfileBytes) {
    throw new DockerfileFault(`the Dockerfile is larger than ${maxDockerfileBytes >> 20} MiB`);
  }
  return new StatementReader(text).read();
}

class StatementReader {
  readonly #lines: readonly string[];
  readonly #directives = new DirectiveReader();
  readonly #statements: Statement[] = [];
  readonly #emptyContinuations: number[] = [];
  #comments: string[] = [];
  /** The number of lines read so far. */
  #at = 0;

  constructor(text: string) {
    const lines = text.replace(/^\ufeff/, "").split("\n");
    if (lines.at(-1) === "") lines.pop();
    if (lines.length > maxLines) {
      throw new DockerfileFault(`the Dockerfile has more than ${maxLines} lines`);
    }
    this.#lines = lines;
  }

  read(): Statements {
    while (this.#at < this.#lines.length) this.#readOne();
    if (this.#statements.length === 0) {
      const end = this.#lines.length;
      throw new DockerfileFault("file with no instructions", end > 0 ? [{ start: end, end }] : []);
    }
    return {
      directives: this.#directives.directives,
      statements: this.#statements,
      emptyContinuations: this.#emptyContinuations,
    };
  }

  #readOne(): void {
    const raw = this.#nextLine();
    const line = trimStart(raw);
    const isComment = line.startsWith("#");
    if (isComment && !this.#takeDirective(line)) this.#addComment(raw);
    if (!isComment) this.#directives.end();
    const start = this.#at;
    const first = this.#cutContinuation(isComment ? "" : line);
    if (!first.goesOn && first.text === "") return;
    const source = first.goesOn ? first.text + this.#readContinuations() : first.text;
    const range = { start, end: this.#at };
    const comments = this.#comments;
    this.#comments = [];
    const place = { escape: this.#directives.escape, range, comments };
    const statement = located(range, () => parseStatement(source, place));
    const heredocs = takesHeredocs(statement)
      ? located(range, () => heredocsOf(source)).map((each) => this.#readHeredoc(each, start))
      : [];
    this.#statements.push({ ...statement, heredocs, range: { start, end: this.#at } });
  }

  #readContinuations(): string {
    let text = "";
    let hasEmpty = false;
    for (let goesOn = true; goesOn && this.#at < this.#lines.length; ) {
      const line = this.#nextLine();
      const content = trimStart(line);
      if (content.startsWith("#")) continue;
      if (content === "") {
        hasEmpty = true;
        continue;
      }
      const cut = this.#cutContinuation(line);
      text += cut.text;
      goesOn = cut.goesOn;
    }
    if (hasEmpty) this.#emptyContinuations.push(this.#at);
    return text;
  }

  #readHeredoc(heredoc: Heredoc, start: number): Heredoc {
    const content: string[] = [];
    while (this.#at < this.#lines.length) {
      const raw = this.#lines[this.#at] ?? "";
      const line = this.#nextLine();
      const end = heredoc.isChomped ? line.replace(/^\t+/, "") : line;
      if (end === heredoc.name) return { ...heredoc, content: content.join("") };
      content.push(`${raw}\n`);
    }
    throw new DockerfileFault("unterminated heredoc", [{ start, end: this.#at }]);
  }

  /** The next line, without its end. */
  #nextLine(): string {
    const line = this.#lines[this.#at++] ?? "";
    if (line.length * 3 > maxLineBytes && Buffer.byteLength(line) >= maxLineBytes) {
      throw new DockerfileFault(
        `dockerfile line greater than max allowed size of ${maxLineBytes}`,
        [{ start: this.#at, end: this.#at }],
      );
    }
    return trimEnd(line, "\r");
  }

  /** A directive that is wrong is reported at the line before it, or at none, as BuildKit does. */
  #takeDirective(line: string): boolean {
    const before = this.#at - 1;
    const take = () => this.#directives.take(line);
    return before > 0 ? located({ start: before, end: before }, take) : take();
  }

  #addComment(line: string): void {
    const comment = trim(line.slice(1));
    if (comment === "") this.#comments = [];
    else this.#comments.push(comment);
  }

  #cutContinuation(line: string): { text: string; goesOn: boolean } {
    const escapeMark = this.#directives.escape;
    const text = trimEnd(line, " \t");
    const goesOn = text.endsWith(escapeMark) && text.at(-2) !== escapeMark;
    return goesOn ? { text: text.slice(0, -1), goesOn } : { text: line, goesOn };
  }
}

function takesHeredocs({ keyword, arguments: given }: Statement): boolean {
  if (given.form === "trigger") return takesHeredocs(given.statement);
  return /^(add|copy|run)$/i.test(keyword) && given.form !== "json";
}

interface Place extends Pick<Statement, "range" | "comments">, Pick<Directives, "escape"> {
  /** What follows ONBUILD. */
  readonly isTrigger?: boolean;
}

function parseStatement(source: string, place: Place): Statement {
  const { range, comments } = place;
  const [keyword = "", after = ""] = splitFields(trim(source), 2);
  const { flags, rest } = splitFlags(after);
  return {
    keyword,
    flags,
    arguments: parseArguments(keyword.toLowerCase(), rest, place),
    heredocs: [],
    source: trim(source),
    range,
    comments,
  };
}

function parseArguments(keyword: string, rest: string, place: Place): Arguments {
  const words = (given: readonly string[]): Arguments => ({ form: "words", words: given });
  if (rest === "") return words([]);
  switch (keyword) {
    case "env":
    case "label":
      return { form: "pairs", pairs: parsePairs(keyword.toUpperCase(), rest, place.escape) };
    case "arg":
      return words(splitWords(rest, place.escape));
    case "from":
    case "expose":
      return words(splitFields(rest));
    case "add":
    case "copy":
    case "volume":
      return jsonForm(rest) ?? words(splitFields(rest));
    case "healthcheck":
      return parseCheck(rest);
    case "onbuild":
      // A trigger has no trigger; its words are kept for the message.
      if (place.isTrigger) return words(splitFields(rest));
      return { form: "trigger", statement: parseStatement(rest, { ...place, isTrigger: true }) };
    case "cmd":
    case "entrypoint":
    case "run":
    case "shell":
      return jsonForm(rest) ?? { form: "text", words: [rest] };
    default:
      return { form: "text", words: [rest] };
  }
}

function jsonForm(rest: string): Arguments | undefined {
  const words = parseJsonForm(rest);
  return words && { form: "json", words };
}

function parseCheck(rest: string): Arguments {
  const [type = "", ...after] = splitFields(rest, 2);
  const command = after.join("");
  const json = parseJsonForm(command);
  const words = json ?? (command === "" ? [] : [command]);
  return { form: "check", type, isJson: json !== undefined, words };
}

function parsePairs(keyword: string, rest: string, escapeMark: string): Pair[] {
  const words = splitWords(rest, escapeMark);
  if (!words[0]?.includes("=")) {
    const [name = "", value] = splitFields(rest, 2);
    if (value === undefined) throw new DockerfileFault(`${keyword} must have two arguments`);
    return [{ name, value, isLegacy: true }];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) {
      throw new DockerfileFault(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    }
    return { name: word.slice(0, equals), value: word.slice(equals + 1), isLegacy: false };
  });
}
