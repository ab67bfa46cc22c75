import type { Expression, ObjectItem } from "./expression.ts";
import { type ParserState, placeholder } from "./parser-core.ts";
import type { Token } from "./scan.ts";
import { between } from "./source.ts";

/** Reads a call, from the parenthesis after the function's name. */
export function parseCall(state: ParserState, name: Token): Expression {
  const { reader } = state;
  const open = reader.read();
  const { args, isExpanded, close } = reader.withNewlines(false, () =>
    parseArguments(state, name, open),
  );
  return {
    kind: "call",
    name: name.text,
    args,
    isExpanded,
    nameRange: name.range,
    openRange: open.range,
    closeRange: close.range,
    range: between(name.range, close.range),
  };
}

interface Arguments {
  readonly args: readonly Expression[];
  readonly isExpanded: boolean;
  readonly close: Token;
}

function parseArguments(state: ParserState, name: Token, open: Token): Arguments {
  const { reader } = state;
  const args: Expression[] = [];
  const ended = (close: Token, isExpanded = false) => ({ args, isExpanded, close });
  for (;;) {
    if (reader.peek().type === ")") return ended(reader.read());
    const argument = state.attempt(() => state.expression());
    args.push(argument.result);
    if (argument.isBroken) return ended(reader.recover(")"));
    const separator = reader.read();
    if (separator.type === ")") return ended(separator);
    if (separator.type === "...") {
      if (reader.peek().type === ")") return ended(reader.read(), true);
      state.reportUnlessLost(
        "Missing closing parenthesis",
        "An expanded function argument (with ...) must be immediately followed by closing parentheses.",
        separator.range,
      );
      return ended(reader.recover(")"), true);
    }
    if (separator.type === ",") continue;
    if (separator.type === "end") {
      state.report(
        "Unterminated function call",
        "There is no closing parenthesis for this function call before the end of the file. This may be caused by incorrect parenthesis nesting elsewhere in this file.",
        between(name.range, open.range),
      );
    } else {
      state.report(
        "Missing argument separator",
        "A comma is required to separate each function argument from the next.",
        separator.range,
      );
    }
    return ended(reader.recover(")"));
  }
}

/** Reads a tuple, or a loop in brackets. */
export function parseTuple(state: ParserState): Expression {
  const { reader } = state;
  const open = reader.read();
  return reader.withNewlines(false, () => {
    if (reader.isWord("for")) return parseFor(state, open);
    const items: Expression[] = [];
    const close = parseItems(state, open, items);
    return {
      kind: "tuple",
      items,
      range: between(open.range, close.range),
      openRange: open.range,
    };
  });
}

function parseItems(state: ParserState, open: Token, items: Expression[]): Token {
  const { reader } = state;
  for (;;) {
    if (reader.peek().type === "]") return reader.read();
    const item = state.attempt(() => state.expression());
    items.push(item.result);
    if (item.isBroken) return reader.recover("]");
    const next = reader.peek();
    if (next.type === "]") return reader.read();
    if (next.type === ",") {
      reader.read();
      continue;
    }
    if (next.type === "end") {
      state.reportUnlessLost(
        "Unterminated tuple constructor expression",
        "There is no corresponding closing bracket before the end of the file. This may be caused by incorrect bracket nesting elsewhere in this file.",
        open.range,
      );
    } else {
      state.reportUnlessLost(
        "Missing item separator",
        "Expected a comma to mark the beginning of the next item.",
        next.range,
      );
    }
    return reader.recover("]");
  }
}

const unterminatedObject = [
  "Unterminated object constructor expression",
  "There is no corresponding closing brace before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.",
] as const;

/** Reads an object, or a loop in braces. */
export function parseObject(state: ParserState): Expression {
  const { reader } = state;
  const open = reader.read();
  if (reader.withNewlines(false, () => reader.isWord("for"))) return parseFor(state, open);
  const items: ObjectItem[] = [];
  const close = reader.withNewlines(true, () => parseObjectItems(state, open, items));
  const range = between(open.range, close.range);
  return { kind: "object", items, range, openRange: open.range };
}

function parseObjectItems(state: ParserState, open: Token, items: ObjectItem[]): Token {
  const { reader } = state;
  for (;;) {
    while (reader.peek().type === "newline") reader.read();
    if (reader.peek().type === "}") return reader.read();
    const isComputed = reader.peek().type === "(";
    const key = state.attempt(() => state.expression());
    if (key.isBroken) return reader.recover("}");
    const equals = reader.peek();
    if (equals.type !== "=" && equals.type !== ":") {
      if (!reader.isRecovering) reportNoValue(state, open, equals);
      return reader.recover("}");
    }
    reader.read();
    const value = state.attempt(() => state.expression());
    items.push({ key: key.result, isComputed, value: value.result });
    if (value.isBroken) return reader.recover("}");
    const next = reader.peek();
    if (next.type === "}") return reader.read();
    if (next.type !== "," && next.type !== "newline") {
      if (next.type === "end") state.reportUnlessLost(...unterminatedObject, open.range);
      else {
        state.reportUnlessLost(
          "Missing attribute separator",
          "Expected a newline or comma to mark the beginning of the next attribute.",
          next.range,
        );
      }
      return reader.recover("}");
    }
    reader.read();
  }
}

function reportNoValue(state: ParserState, open: Token, next: Token): void {
  const expected = 'Expected an equals sign ("=") to mark the beginning of the attribute value.';
  if (next.type === "newline" || next.type === ",") {
    state.report(
      "Missing attribute value",
      'Expected an attribute value, introduced by an equals sign ("=").',
      next.range,
    );
  } else if (next.type === "end") state.report(...unterminatedObject, open.range);
  else {
    const advice =
      next.type === "identifier"
        ? " If you intended to given an attribute name containing periods or spaces, write the name in quotes to create a string literal."
        : "";
    state.report("Missing key/value separator", expected + advice, next.range);
  }
}

const invalidFor = "Invalid 'for' expression";

function parseFor(state: ParserState, open: Token): Expression {
  return state.reader.withNewlines(false, () => finishFor(state, open));
}

function finishFor(state: ParserState, open: Token): Expression {
  const { reader } = state;
  const closeType = open.type === "{" ? "}" : "]";
  const giveUp = (detail?: string): Expression => {
    if (detail !== undefined) state.reportUnlessLost(invalidFor, detail, reader.peek().range);
    return placeholder(between(open.range, reader.recover(closeType).range));
  };
  reader.read();
  if (reader.peek().type !== "identifier")
    return giveUp("For expression requires variable name after 'for'.");
  let keyName: string | undefined;
  let valueName = reader.read().text;
  if (reader.peek().type === ",") {
    keyName = valueName;
    reader.read();
    if (reader.peek().type !== "identifier") {
      return giveUp("For expression requires value variable name after comma.");
    }
    valueName = reader.read().text;
  }
  if (!reader.isWord("in")) {
    return giveUp("For expression requires the 'in' keyword after its name declarations.");
  }
  reader.read();
  const collection = state.attempt(() => state.expression());
  if (collection.isBroken) return giveUp();
  if (reader.peek().type !== ":") {
    return giveUp("For expression requires a colon after the collection expression.");
  }
  reader.read();
  const body = parseForBody(state);
  if (body === undefined) return giveUp();
  const { key, value, condition, ellipsis } = body;
  let close = reader.peek();
  if (close.type === closeType) reader.read();
  else {
    state.reportUnlessLost(
      invalidFor,
      "Extra characters after the end of the 'for' expression.",
      close.range,
    );
    close = reader.recover(closeType);
  }
  if (open.type === "[") {
    if (key)
      state.report(invalidFor, "Key expression is not valid when building a tuple.", key.range);
    if (ellipsis) {
      state.report(
        invalidFor,
        "Grouping ellipsis (...) cannot be used when building a tuple.",
        ellipsis.range,
      );
    }
  } else if (!key) {
    state.report(invalidFor, "Key expression is required when building an object.", value.range);
  }
  return {
    kind: "for",
    keyName,
    valueName,
    collection: collection.result,
    key,
    value,
    condition,
    isGrouped: ellipsis !== undefined,
    openRange: open.range,
    range: between(open.range, close.range),
  };
}

interface ForBody {
  readonly key: Expression | undefined;
  readonly value: Expression;
  readonly condition: Expression | undefined;
  readonly ellipsis: Token | undefined;
}

function parseForBody(state: ParserState): ForBody | undefined {
  const { reader } = state;
  const parts = state.attempt(() => {
    const first = state.expression();
    if (reader.peek().type !== "=>") return { key: undefined, value: first };
    reader.read();
    return { key: first, value: state.expression() };
  });
  if (parts.isBroken) return undefined;
  const ellipsis = reader.peek().type === "..." ? reader.read() : undefined;
  if (!reader.isWord("if")) return { ...parts.result, condition: undefined, ellipsis };
  reader.read();
  const condition = state.attempt(() => state.expression());
  return condition.isBroken
    ? undefined
    : { ...parts.result, condition: condition.result, ellipsis };
}
