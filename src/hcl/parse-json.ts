import { Fault } from "#base";
import { type Diagnostic, didYouMean } from "./diagnostic.ts";
import type { Expression } from "./expression.ts";
import { parseNumber } from "./number.ts";
import { placeholder } from "./parser-core.ts";
import { advance, between, type Position, type Range } from "./source.ts";
import { boolValue, nullValue, numberValue } from "./value.ts";

type JsonTokenType =
  | "{"
  | "}"
  | "["
  | "]"
  | ","
  | ":"
  | "="
  | "number"
  | "string"
  | "keyword"
  | "invalid"
  | "end";

interface JsonToken {
  readonly type: JsonTokenType;
  readonly text: string;
  readonly range: Range;
}

const tokenPattern =
  /[{}[\],:=]|"(?:[^"\\]|\\[\s\S])*"?|[-+.0-9eE]*[0-9][-+.0-9eE]*|[\p{L}_][\p{L}\p{N}_]*|[\s\S]/uy;

function* jsonTokens(text: string, file: string): Generator<JsonToken, void> {
  let position: Position = { line: 1, column: 1 };
  for (let at = 0; at < text.length; ) {
    const blank = /[ \t\r\n]+/y;
    blank.lastIndex = at;
    const skipped = blank.exec(text)?.[0] ?? "";
    position = advance(position, skipped);
    at += skipped.length;
    if (at >= text.length) break;
    tokenPattern.lastIndex = at;
    const found = tokenPattern.exec(text)?.[0] ?? text.slice(at, at + 1);
    const start = position;
    position = advance(start, found);
    at += found.length;
    yield { type: typeOf(found), text: found, range: { file, start, end: position } };
  }
  yield { type: "end", text: "", range: { file, start: position, end: position } };
}

function typeOf(text: string): JsonTokenType {
  if (/^[{}[\],:=]$/.test(text)) return text as JsonTokenType;
  if (text.startsWith('"')) return "string";
  if (/[0-9]/.test(text) && /^[-+.0-9eE]+$/.test(text)) return "number";
  return /^[\p{L}_]/u.test(text) ? "keyword" : "invalid";
}

/** How deep values may be within one another. */
const maxDepth = 200;

/** A file of JSON as an expression, with what is wrong. */
export function parseJsonFile(
  text: string,
  file: string,
): { readonly expression: Expression; readonly diagnostics: readonly Diagnostic[] } {
  const parser = new JsonParser([...jsonTokens(text, file)]);
  const expression = parser.value(0);
  parser.expectEnd();
  return { expression, diagnostics: parser.diagnostics };
}

const startRule =
  "A JSON value must start with a brace, a bracket, a number, a string, or a keyword.";

class JsonParser {
  readonly diagnostics: Diagnostic[] = [];
  readonly #tokens: readonly JsonToken[];
  #next = 0;

  constructor(tokens: readonly JsonToken[]) {
    this.#tokens = tokens;
  }

  #peek(): JsonToken {
    const token = this.#tokens[Math.min(this.#next, this.#tokens.length - 1)];
    if (!token) throw new RangeError("no token at all");
    return token;
  }

  #read(): JsonToken {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #fail(summary: string, detail: string, range: Range): Expression {
    this.diagnostics.push({ summary, detail, subject: range });
    return placeholder(range);
  }

  expectEnd(): void {
    const { type, range } = this.#peek();
    if (this.diagnostics.length > 0 || type === "end") return;
    this.#fail(
      "Extraneous data after value",
      "Extra characters appear after the JSON value.",
      range,
    );
  }

  value(depth: number): Expression {
    const token = this.#peek();
    const { range } = token;
    if (depth > maxDepth) {
      const place = `${range.file}:${range.start.line}`;
      throw new Fault(
        "exhausted",
        `${place}: values within one another ${maxDepth} times are too many`,
      );
    }
    switch (token.type) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case "number":
        return this.#number();
      case "string":
        return this.#string();
      case "keyword":
        return this.#keyword();
      case "}":
        return this.#fail("Missing JSON value", startRule, range);
      case "]":
        return this.#fail("Missing array element value", startRule, range);
      case "end":
        return this.#fail("Missing value", "The JSON data ends prematurely.", range);
      default:
        return this.#fail("Invalid start of value", startRule, range);
    }
  }

  #number(): Expression {
    const { text, range } = this.#read();
    const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)
      ? parseNumber(text)
      : undefined;
    if (number) return { kind: "literal", value: numberValue(number), range };
    return this.#fail(
      "Invalid JSON number",
      "There is a syntax error in the given JSON number.",
      range,
    );
  }

  #string(): Expression {
    const { text, range } = this.#read();
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === "string") return { kind: "json text", text: value, range };
    } catch {
      // The place of the fault within the text is not known: the whole text is told of.
    }
    return this.#fail(
      "Invalid JSON string",
      "There is a syntax error in the given JSON string.",
      range,
    );
  }

  #keyword(): Expression {
    const { text, range } = this.#read();
    if (text === "null") return { kind: "literal", value: nullValue, range };
    if (text === "true" || text === "false") {
      return { kind: "literal", value: boolValue(text === "true"), range };
    }
    const summary = "Invalid JSON keyword";
    const shown = JSON.stringify(text);
    if (/^(?:undefined|NaN|Infinity)$/.test(text)) {
      return this.#fail(
        summary,
        `The JavaScript identifier ${shown} cannot be used in JSON.`,
        range,
      );
    }
    const near = didYouMean(text, ["false", "true", "null"]);
    return this.#fail(summary, `${shown} is not a valid JSON keyword.${near}`, range);
  }

  /** Reads up to the end of the object or array. */
  #recover(from: JsonToken, open: JsonTokenType, close: JsonTokenType): void {
    let depth = 1;
    for (let token = from; ; token = this.#read()) {
      if (token.type === "end") return;
      if (token.type === open) depth++;
      if (token.type === close && --depth <= 1) return;
    }
  }

  #object(depth: number): Expression {
    const open = this.#read();
    const items: { name: string; nameRange: Range; value: Expression }[] = [];
    for (;;) {
      if (this.#peek().type === "}") break;
      const name = this.value(depth + 1);
      if (name.kind !== "json text") {
        return this.#fail(
          "Invalid object property name",
          "A JSON object property name must be a string",
          name.range,
        );
      }
      const colon = this.#read();
      if (colon.type !== ":") return this.#noColon(colon);
      const value = this.value(depth + 1);
      items.push({ name: name.text, nameRange: name.range, value });
      const next = this.#peek();
      if (next.type === "}") break;
      const failed = this.#afterItem(open, next, "object");
      if (failed) return failed;
    }
    const range = between(open.range, this.#read().range);
    return { kind: "json object", items, range, openRange: open.range };
  }

  #noColon(colon: JsonToken): Expression {
    this.#recover(colon, "{", "}");
    if (colon.type === "}" || colon.type === ",") {
      return this.#fail(
        "Missing object value",
        "A JSON object attribute must have a value, introduced by a colon.",
        colon.range,
      );
    }
    const detail =
      colon.type === "="
        ? "JSON uses a colon as its name/value delimiter, not an equals sign."
        : "A colon must appear between an object property's name and its value.";
    return this.#fail("Missing property value colon", detail, colon.range);
  }

  #afterItem(open: JsonToken, next: JsonToken, kind: "object" | "array"): Expression | undefined {
    const [opens, closes] = kind === "object" ? (["{", "}"] as const) : (["[", "]"] as const);
    if (next.type === ",") {
      const comma = this.#read();
      if (this.#peek().type !== closes) return undefined;
      const what = kind === "object" ? "property in an object" : "value in an array";
      return this.#fail(
        `Trailing comma in ${kind}`,
        `JSON does not permit a trailing comma after the final ${what}.`,
        comma.range,
      );
    }
    const bracket = kind === "object" ? "brace" : "bracket";
    if (next.type === "end") {
      const what = kind === "object" ? "object" : "array";
      return this.#fail(
        "Unclosed object",
        `No closing ${bracket} was found for this JSON ${what}.`,
        open.range,
      );
    }
    if (next.type === (kind === "object" ? "]" : "}")) {
      const token = this.#read();
      if (kind === "array") this.#recover(token, opens, closes);
      const other = kind === "object" ? "bracket" : "brace";
      return this.#fail(
        `Mismatched ${bracket}s`,
        `A JSON ${kind} must be closed with a ${bracket}, not a ${other}.`,
        this.#peek().range,
      );
    }
    this.#recover(this.#read(), opens, closes);
    const after = this.#peek().range;
    if (kind === "array" && next.type === ":") {
      return this.#fail(
        "Invalid array value",
        "A colon is not used to introduce values in a JSON array.",
        after,
      );
    }
    const between =
      kind === "object" ? "each property definition in an object" : "each value in an array";
    return this.#fail(
      "Missing attribute seperator comma",
      `A comma must appear between ${between}.`,
      after,
    );
  }

  #array(depth: number): Expression {
    const open = this.#read();
    const items: Expression[] = [];
    for (;;) {
      if (this.#peek().type === "]") break;
      items.push(this.value(depth + 1));
      const next = this.#peek();
      if (next.type === "]") break;
      const failed = this.#afterItem(open, next, "array");
      if (failed) return failed;
    }
    const range = between(open.range, this.#read().range);
    return { kind: "json array", items, range, openRange: open.range };
  }
}
