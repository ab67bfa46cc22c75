/**
 * The language of `--format`: the part of Go's text/template (pkg.go.dev/text/template)
 * that people use with docker. Text becomes a tree here; template.ts evaluates it.
 */
type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with";
      readonly pipe: Pipe;
      readonly body: Block;
      readonly otherwise: Block;
    }
  | {
      readonly kind: "range";
      readonly pipe: Pipe;
      readonly body: Block;
      readonly otherwise: Block;
    }
  | { readonly kind: "break" }
  | { readonly kind: "continue" }
  /** `{{template "name" pipe}}`; without a pipe the dot is nil. */
  | { readonly kind: "template"; readonly name: string; readonly pipe: Pipe | undefined };

export type Block = readonly Node[];

/** A template, and those that it defines by name. */
export interface ParsedTemplate {
  readonly block: Block;
  readonly defined: ReadonlyMap<string, Block>;
}

/** `$k, $v := a | b c`: commands from left to right, each given the last one's value as its last argument. */
export interface Pipe {
  readonly variables: readonly string[];
  /** `=` instead of `:=`. */
  readonly assign: boolean;
  readonly commands: readonly (readonly Operand[])[];
  readonly source: string;
}

export type Operand =
  | { readonly kind: "literal"; readonly value: unknown }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "path"; readonly root: Root; readonly fields: readonly string[] };

/** Where a chain of fields begins: the dot, a variable (`$` is the outermost dot), or a pipe in parentheses. */
type Root =
  | { readonly kind: "dot" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "pipe"; readonly pipe: Pipe };

/** A mistake in a user's `--format` template, found when it is compiled or used. */
export class TemplateError extends Error {}

/** The tree of a template; a TemplateError says what is wrong with it. */
export function parseTemplate(text: string): ParsedTemplate {
  const parser = new BlockParser(cut(text));
  const block = parser.block();
  if (parser.stop) throw new TemplateError(`unexpected {{${parser.stop}}}`);
  return { block, defined: parser.defined };
}

type Piece = { readonly text: string } | { readonly action: string };

/** Text and actions in turn, the trim marks and comments gone. */
function cut(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimNext = false;
  while (at <= source.length) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trimNext) text = text.trimStart();
    if (open < 0) {
      pieces.push({ text });
      break;
    }
    const close = endOfAction(source, open + 2);
    let action = source.slice(open + 2, close);
    if (/^-\s/.test(action)) {
      action = action.slice(1);
      text = text.trimEnd();
    }
    trimNext = /\s-$/.test(action);
    if (trimNext) action = action.slice(0, -1);
    pieces.push({ text });
    if (!/^\s*\/\*.*\*\/\s*$/s.test(action)) pieces.push({ action: action.trim() });
    at = close + 2;
  }
  return pieces;
}

/** Where the `}}` of an action stands; strings may hold braces. */
function endOfAction(source: string, from: number): number {
  let quote = "";
  for (let at = from; at < source.length; at++) {
    const char = source[at];
    if (quote !== "") {
      if (char === "\\" && quote === '"') at++;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "`") quote = char;
    else if (source.startsWith("}}", at)) return at;
  }
  throw new TemplateError("unclosed action");
}

class BlockParser {
  readonly #pieces: readonly Piece[];
  #at = 0;
  #loops = 0;
  readonly defined = new Map<string, Block>();
  /** The keyword (and what follows it) that ended the last block: "end", "else", "else if ...". */
  stop = "";

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  block(): Block {
    const nodes: Node[] = [];
    this.stop = "";
    for (let piece = this.#pieces[this.#at++]; piece; piece = this.#pieces[this.#at++]) {
      if ("text" in piece) {
        if (piece.text !== "") nodes.push({ kind: "text", text: piece.text });
        continue;
      }
      const word = /^[a-z]+(?=\s|$)/.exec(piece.action)?.[0] ?? "";
      const rest = piece.action.slice(word.length).trim();
      if (word === "end" || word === "else") {
        this.stop = piece.action;
        return nodes;
      }
      if (word === "if" || word === "with" || word === "range")
        nodes.push(this.#branch(word, rest));
      else if (word === "break" || word === "continue") nodes.push(this.#jump(word));
      else if (word === "define") this.#define(word, rest);
      else if (word === "block") nodes.push(this.#define(word, rest));
      else if (word === "template") nodes.push(call(rest));
      else if (piece.action === "") throw new TemplateError("missing value for command");
      else nodes.push({ kind: "print", pipe: parsePipe(piece.action) });
    }
    return nodes;
  }

  #jump<K extends "break" | "continue">(kind: K): { readonly kind: K } {
    if (this.#loops === 0) throw new TemplateError(`{{${kind}}} outside {{range}}`);
    return { kind };
  }

  /** Keeps a named template; gives the call that `block` is at the same time. */
  #define(word: string, rest: string): Node {
    const node = call(rest);
    const outside = this.#loops;
    this.#loops = 0;
    this.defined.set(node.name, this.block());
    this.#loops = outside;
    if (this.stop !== "end") throw new TemplateError(`{{${word} ${rest}}} has no {{end}}`);
    this.stop = "";
    return node;
  }

  #branch(kind: "if" | "with" | "range", source: string): Node {
    const pipe = parsePipe(source);
    if (kind === "range") this.#loops++;
    const body = this.block();
    if (kind === "range") this.#loops--;
    let otherwise: Block = [];
    const also = /^else\s+(if|with)\s+(.*)$/s.exec(this.stop);
    if (also) {
      // `else if` ends with the `end` of the inner branch.
      otherwise = [this.#branch(also[1] as "if" | "with", also[2] ?? "")];
      return { kind, pipe, body, otherwise };
    }
    if (this.stop === "else") otherwise = this.block();
    if (this.stop !== "end") throw new TemplateError(`{{${kind} ${source}}} has no {{end}}`);
    this.stop = "";
    return { kind, pipe, body, otherwise };
  }
}

/** `"name"` or `"name" pipe`. */
function call(source: string): Extract<Node, { kind: "template" }> {
  const [, name, rest = ""] = /^("(?:[^"\\]|\\.)*"|`[^`]*`)\s*(.*)$/s.exec(source) ?? [];
  if (name === undefined) throw new TemplateError(`a template is named by a text: {{${source}}}`);
  const pipe = rest === "" ? undefined : parsePipe(rest);
  return { kind: "template", name: textOf(name), pipe };
}

/** Texts, characters, numbers, variables, fields, signs and words; fields right behind a parenthesis belong to it. */
const token =
  /\s*(?:"(?:[^"\\]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)+'|[-+]?(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)|\$\w*(?:\.\w+)*|\.(?:\w+(?:\.\w+)*)?|:=|=|,|\||\(|\)(?:\.\w+)*|\w+)/y;

function parsePipe(source: string): Pipe {
  const tokens: string[] = [];
  const scanner = new RegExp(token);
  const text = source.trimEnd();
  while (scanner.lastIndex < text.length) {
    const from = scanner.lastIndex;
    const match = scanner.exec(text);
    if (!match) throw new TemplateError(`unexpected "${text.slice(from).trim()}" in {{${source}}}`);
    tokens.push(match[0].trim());
  }
  const parser = new PipeParser(tokens, source);
  const pipe = parser.pipe();
  parser.finish();
  return pipe;
}

class PipeParser {
  readonly #tokens: readonly string[];
  readonly #source: string;
  #at = 0;

  constructor(tokens: readonly string[], source: string) {
    this.#tokens = tokens;
    this.#source = source;
  }

  pipe(): Pipe {
    const { variables, assign } = this.#declaration();
    const commands: Operand[][] = [];
    do commands.push(this.#command());
    while (this.#accept("|"));
    return { variables, assign, commands, source: this.#source };
  }

  finish(): void {
    if (this.#at < this.#tokens.length) throw this.#unexpected();
  }

  #declaration(): { variables: readonly string[]; assign: boolean } {
    const tokens = this.#tokens.slice(this.#at);
    const count = tokens[1] === "," ? 2 : 1;
    const sign = tokens[count === 2 ? 3 : 1];
    const variables = count === 2 ? [tokens[0], tokens[2]] : [tokens[0]];
    if ((sign !== ":=" && sign !== "=") || !variables.every((name) => /^\$\w+$/.test(name ?? ""))) {
      return { variables: [], assign: false };
    }
    this.#at += count * 2;
    return { variables: variables.map((name) => (name ?? "").slice(1)), assign: sign === "=" };
  }

  #command(): Operand[] {
    const operands: Operand[] = [];
    for (let next = this.#tokens[this.#at]; next !== undefined; next = this.#tokens[this.#at]) {
      if (next === "|" || next.startsWith(")")) break;
      operands.push(this.#operand(next));
    }
    if (operands.length === 0)
      throw new TemplateError(`missing value for command in {{${this.#source}}}`);
    return operands;
  }

  #operand(next: string): Operand {
    this.#at++;
    if (next === "(") {
      const pipe = this.pipe();
      const close = this.#tokens[this.#at++];
      if (!close?.startsWith(")"))
        throw new TemplateError(`unclosed left paren in {{${this.#source}}}`);
      return { kind: "path", root: { kind: "pipe", pipe }, fields: close.split(".").slice(1) };
    }
    if (/^["`']/.test(next)) return { kind: "literal", value: quoted(next) };
    if (/^[-+]?\.?\d/.test(next)) return { kind: "literal", value: numberOf(next) };
    if (next.startsWith(".")) {
      return {
        kind: "path",
        root: { kind: "dot" },
        fields: next.slice(1).split(".").filter(Boolean),
      };
    }
    if (next.startsWith("$")) {
      const [name = "", ...fields] = next.slice(1).split(".");
      return { kind: "path", root: { kind: "variable", name }, fields };
    }
    if (next === "true" || next === "false") return { kind: "literal", value: next === "true" };
    if (next === "nil") return { kind: "literal", value: null };
    if (/^\w+$/.test(next)) return { kind: "function", name: next };
    this.#at--;
    throw this.#unexpected();
  }

  #accept(word: string): boolean {
    if (this.#tokens[this.#at] !== word) return false;
    this.#at++;
    return true;
  }

  #unexpected(): TemplateError {
    return new TemplateError(`unexpected "${this.#tokens[this.#at]}" in {{${this.#source}}}`);
  }
}

function quoted(literal: string): string | number {
  return literal.startsWith("'") ? characterOf(literal) : textOf(literal);
}

function textOf(literal: string): string {
  return literal.startsWith("`") ? literal.slice(1, -1) : unquote(literal);
}

/** A character is its number, as in Go. */
function characterOf(literal: string): number {
  const inner = literal.slice(1, -1);
  const text = inner === "\\'" ? "'" : inner === '"' ? inner : unquote(`"${inner}"`);
  const [first = "", ...more] = text;
  if (first === "" || more.length > 0) throw new TemplateError(`bad character ${literal}`);
  return first.codePointAt(0) ?? 0;
}

function numberOf(literal: string): number {
  const plain = literal.replaceAll("_", "");
  const value = plain.startsWith("-") ? -Number(plain.slice(1)) : Number(plain.replace("+", ""));
  if (Number.isNaN(value)) throw new TemplateError(`bad number ${literal}`);
  return value;
}

function unquote(literal: string): string {
  try {
    // `\t` in a format may have become a tab before it came here.
    return JSON.parse(literal.replaceAll("\t", "\\t").replaceAll("\n", "\\n")) as string;
  } catch {
    throw new TemplateError(`bad string ${literal}`);
  }
}
