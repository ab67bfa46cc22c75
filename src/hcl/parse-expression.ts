import type { BinaryOperator, Expression, Step } from "./expression.ts";
import { parseNumber } from "./number.ts";
import { parseCall, parseObject, parseTuple } from "./parse-constructors.ts";
import { parseTemplate } from "./parse-template.ts";
import { type ParserState, placeholder } from "./parser-core.ts";
import type { Token, TokenType } from "./scan.ts";
import { between, type Range } from "./source.ts";
import { oppositeOf } from "./token-reader.ts";
import { boolValue, dynamicValue, nullValue, numberValue, type Value } from "./value.ts";

/** Operators by precedence, the weakest first. */
const levels: readonly (readonly TokenType[])[] = [
  ["||"],
  ["&&"],
  ["==", "!="],
  [">", ">=", "<", "<="],
  ["+", "-"],
  ["*", "/", "%"],
];

/** Reads an expression; what is wrong with it is reported, and a placeholder stands for it. */
export function parseExpression(state: ParserState): Expression {
  const { reader } = state;
  const start = reader.peek().range;
  const condition = state.attempt(() => parseBinary(state, 0));
  if (condition.isBroken || reader.peek().type !== "?") return condition.result;
  reader.read();
  const whenTrue = state.attempt(() => state.expression());
  if (whenTrue.isBroken) return condition.result;
  const colon = reader.peek();
  if (colon.type !== ":") {
    state.report(
      "Missing false expression in conditional",
      "The conditional operator (...?...:...) requires a false expression, delimited by a colon.",
      colon.range,
    );
    return condition.result;
  }
  reader.read();
  const whenFalse = state.attempt(() => state.expression());
  if (whenFalse.isBroken) return condition.result;
  return {
    kind: "conditional",
    condition: condition.result,
    whenTrue: whenTrue.result,
    whenFalse: whenFalse.result,
    range: between(start, whenFalse.result.range),
  };
}

function parseBinary(state: ParserState, level: number): Expression {
  const operators = levels[level];
  if (!operators) return parseWithSteps(state);
  const first = state.attempt(() => parseBinary(state, level + 1));
  if (first.isBroken) return first.result;
  let left = first.result;
  while (operators.includes(state.reader.peek().type)) {
    const operator = state.reader.read().type as BinaryOperator;
    const right = state.attempt(() => parseBinary(state, level + 1));
    if (right.isBroken) return left;
    const range = between(left.range, right.result.range);
    left = { kind: "binary", operator, left, right: right.result, range };
  }
  return left;
}

function parseWithSteps(state: ParserState): Expression {
  return parseSteps(state, parseTerm(state));
}

function parseSteps(state: ParserState, from: Expression): Expression {
  let current = from;
  for (;;) {
    const { type } = state.reader.peek();
    if (type === ".") current = parseDot(state, from, current);
    else if (type === "[") current = parseBracket(state, from, current);
    else return current;
  }
}

function withStep(expression: Expression, step: Step): Expression {
  const range = between(expression.range, step.range);
  if (expression.kind === "variable" || expression.kind === "relative") {
    return { ...expression, steps: [...expression.steps, step], range };
  }
  return { kind: "relative", source: expression, steps: [step], range };
}

function parseDot(state: ParserState, from: Expression, current: Expression): Expression {
  const { reader } = state;
  const dot = reader.read();
  const next = reader.peek();
  if (next.type === "identifier") {
    reader.read();
    const range = between(dot.range, next.range);
    return withStep(current, { kind: "attribute", name: next.text, range });
  }
  if (next.type === "number") {
    reader.read();
    const key = legacyIndex(state, next, "Use the proper index syntax instead, like");
    return withStep(current, { kind: "index", key, range: between(dot.range, next.range) });
  }
  if (next.type === "*") return parseAttributeSplat(state, { from, current, dot });
  state.report("Invalid attribute name", "An attribute name is required after a dot.", next.range);
  reader.isRecovering = true;
  return placeholder(between(from.range, dot.range));
}

/** "list.0", a form from before HCL 2. */
function legacyIndex(state: ParserState, token: Token, advice: string): Value {
  const [first, second] = token.text.split(".");
  if (second === undefined) return numberOfToken(state, token);
  state.report(
    "Invalid legacy index syntax",
    `When using the legacy index syntax, chaining two indexes together is not permitted. ${advice} [${first}][${second}].`,
    token.range,
  );
  return dynamicValue;
}

function parseAttributeSplat(
  state: ParserState,
  {
    from,
    current,
    dot,
  }: { readonly from: Expression; readonly current: Expression; readonly dot: Token },
): Expression {
  const { reader } = state;
  const marker = reader.read();
  const markerRange = between(dot.range, marker.range);
  const steps: Step[] = [];
  const first = reader.peek().range;
  let last = marker.range;
  while (reader.peek().type === ".") {
    const point = reader.read();
    const name = reader.peek();
    if (name.type === "number") {
      reader.read();
      const advice = "Use the proper index syntax with a full splat expression [*] instead, like";
      const key = legacyIndex(state, name, advice);
      steps.push({ kind: "index", key, range: between(point.range, name.range) });
    } else if (name.type === "identifier") {
      reader.read();
      steps.push({ kind: "attribute", name: name.text, range: between(point.range, name.range) });
    } else {
      if (name.type === "*") {
        state.reportUnlessLost(
          "Nested splat expression not allowed",
          "A splat expression (*) cannot be used inside another attribute-only splat expression.",
          name.range,
        );
      } else {
        state.reportUnlessLost(
          "Invalid attribute name",
          "An attribute name is required after a dot.",
          marker.range,
        );
      }
      reader.isRecovering = true;
      return current;
    }
    last = name.range;
  }
  const item = Symbol("item");
  const symbol: Expression = { kind: "item", item, range: markerRange };
  const each: Expression =
    steps.length === 0
      ? symbol
      : { kind: "relative", source: symbol, steps, range: between(first, last) };
  const range = between(from.range, last);
  return { kind: "splat", source: current, each, item, range, markerRange };
}

function parseBracket(state: ParserState, from: Expression, current: Expression): Expression {
  const { reader } = state;
  const open = reader.read();
  if (reader.peek().type === "*") return parseFullSplat(state, { from, current, open });
  const { key, close } = reader.withNewlines(false, () => {
    const parsed = state.attempt(() => state.expression());
    if (parsed.isBroken) return { key: parsed.result, close: reader.recover("]") };
    let end = reader.read();
    if (end.type !== "]" && !reader.isRecovering) {
      end = reader.recover("]");
      state.report(
        "Missing close bracket on index",
        'The index operator must end with a closing bracket ("]").',
        end.range,
      );
    }
    return { key: parsed.result, close: end };
  });
  const bracketRange = between(open.range, close.range);
  const constant = constantKey(key);
  if (constant) return withStep(current, { kind: "index", key: constant, range: bracketRange });
  const range = between(from.range, bracketRange);
  return { kind: "index", collection: current, key, range, openRange: open.range, bracketRange };
}

function constantKey(key: Expression): Value | undefined {
  if (key.kind === "literal") return key.value;
  const [part, ...others] = key.kind === "template" ? key.parts : [];
  return part?.kind === "literal" && others.length === 0 ? part.value : undefined;
}

function parseFullSplat(
  state: ParserState,
  {
    from,
    current,
    open,
  }: { readonly from: Expression; readonly current: Expression; readonly open: Token },
): Expression {
  const { reader } = state;
  reader.read();
  let close = reader.read();
  if (close.type !== "]" && !reader.isRecovering) {
    close = reader.recover("]");
    state.report(
      "Missing close bracket on splat index",
      'The star for a full splat operator must be immediately followed by a closing bracket ("]").',
      close.range,
    );
  }
  const item = Symbol("item");
  const markerRange = between(open.range, close.range);
  const each = state.nested(() => parseSteps(state, { kind: "item", item, range: markerRange }));
  const range = between(from.range, each.range);
  return { kind: "splat", source: current, each, item, range, markerRange };
}

function parseTerm(state: ParserState): Expression {
  const { reader } = state;
  const start = reader.peek();
  switch (start.type) {
    case "(":
      return parseParentheses(state);
    case "number":
      reader.read();
      return { kind: "literal", value: numberOfToken(state, start), range: start.range };
    case "identifier":
      return parseName(state);
    case "open quote":
    case "open heredoc":
      return parseText(state);
    case "-":
    case "!": {
      reader.read();
      const operand = state.nested(() => parseWithSteps(state));
      const range = between(start.range, operand.range);
      return { kind: "unary", operator: start.type, operand, range, symbolRange: start.range };
    }
    case "[":
      return parseTuple(state);
    case "{":
      return parseObject(state);
    default:
      return parseNothing(state, start);
  }
}

function parseNothing(state: ParserState, start: Token): Expression {
  if (start.type === "end") {
    state.reportUnlessLost(
      "Missing expression",
      "Expected the start of an expression, but found the end of the file.",
      start.range,
    );
  } else {
    state.reportUnlessLost(
      "Invalid expression",
      "Expected the start of an expression, but found an invalid expression token.",
      start.range,
    );
  }
  state.reader.isRecovering = true;
  return placeholder(start.range);
}

function parseParentheses(state: ParserState): Expression {
  const { reader } = state;
  const open = reader.read();
  return reader.withNewlines(false, () => {
    const before = state.diagnostics.length;
    const inner = state.expression();
    if (state.diagnostics.length > before) {
      reader.recover(")");
      return inner;
    }
    const close = reader.peek();
    if (close.type !== ")") {
      state.report(
        "Unbalanced parentheses",
        "Expected a closing parenthesis to terminate the expression.",
        close.range,
      );
      reader.isRecovering = true;
    }
    reader.read();
    return { kind: "parentheses", inner, range: between(open.range, close.range) };
  });
}

const words: Readonly<Record<string, Value>> = {
  true: boolValue(true),
  false: boolValue(false),
  null: nullValue,
};

function parseName(state: ParserState): Expression {
  const { reader } = state;
  const token = reader.read();
  const next = reader.peek().type;
  if (next === "(") return parseCall(state, token);
  const value = Object.hasOwn(words, token.text) ? words[token.text] : undefined;
  if (value) return { kind: "literal", value, word: token.text, range: token.range };
  const { text: name, range } = token;
  return { kind: "variable", name, steps: [], range, nameRange: range };
}

function parseText(state: ParserState): Expression {
  const { reader } = state;
  const open = reader.read();
  const isFlush = open.text.startsWith("<<-");
  const { parts, isWrap } = parseTemplate(state, oppositeOf(open.type), isFlush);
  const range: Range = between(open.range, reader.lastRange);
  const [only] = parts;
  if (isWrap && only) return { kind: "wrap", inner: only, range };
  return { kind: "template", parts, range };
}

function numberOfToken(state: ParserState, token: Token): Value {
  const number = parseNumber(token.text);
  if (number) return numberValue(number);
  state.report(
    "Invalid number literal",
    "Failed to recognize the value of this number literal.",
    token.range,
  );
  return dynamicValue;
}
