import type { Block, Body, BodySchema } from "./body.ts";
import { type Diagnostic, didYouMean } from "./diagnostic.ts";
import { type Expression, startRange } from "./expression.ts";
import { missing } from "./native-body.ts";
import type { Attribute } from "./parse-body.ts";
import { between, type Range, rangeText } from "./source.ts";

type JsonItem = Extract<Expression, { readonly kind: "json object" }>["items"][number];

/** A body in JSON: an object, or an array of objects; what is an argument and what a block, the schema says. */
export function jsonBody(value: Expression, hidden: ReadonlySet<string> = new Set()): Body {
  const read = (schema: BodySchema, diagnostics: Diagnostic[]) => {
    const attributes = new Map<string, Attribute>();
    const blocks: Block[] = [];
    const used = new Set(hidden);
    for (const item of itemsOf(value, undefined, diagnostics)) {
      if (hidden.has(item.name)) continue;
      const wanted = schema.blocks.find(({ type }) => type === item.name);
      if (schema.attributes.some(({ name }) => name === item.name)) {
        addAttribute(attributes, item, diagnostics);
        used.add(item.name);
      } else if (wanted) {
        const labels = { left: wanted.labels, used: [], ranges: [] };
        unpack(item.value, wanted.type, labels, blocks, diagnostics);
        used.add(item.name);
      }
    }
    for (const { name, isRequired } of schema.attributes) {
      if (isRequired && !attributes.has(name)) diagnostics.push(missing(name, missingRange));
    }
    return { attributes, blocks, used };
  };
  const missingRange = missingRangeOf(value);
  return {
    missingRange,
    content: (schema, diagnostics) => {
      const { used, ...content } = read(schema, diagnostics);
      reportExtra(value, schema, used, diagnostics);
      return content;
    },
    partialContent: (schema, diagnostics) => {
      const { used, ...content } = read(schema, diagnostics);
      return { ...content, rest: jsonBody(value, used) };
    },
    justAttributes: (diagnostics) => justAttributes(value, hidden, diagnostics),
  };
}

function missingRangeOf(value: Expression): Range {
  if (value.kind === "json array") return value.openRange;
  if (value.kind !== "json object") return value.range;
  const { file, end } = value.range;
  return { file, start: { line: end.line, column: end.column - 1 }, end };
}

function attributeOf({ name, nameRange, value }: JsonItem): Attribute {
  return { name, expression: value, range: between(nameRange, value.range), nameRange };
}

function addAttribute(
  attributes: Map<string, Attribute>,
  item: JsonItem,
  diagnostics: Diagnostic[],
  summary = "Duplicate argument",
): void {
  const existing = attributes.get(item.name);
  if (!existing) {
    attributes.set(item.name, attributeOf(item));
    return;
  }
  diagnostics.push({
    summary,
    detail: `The argument ${JSON.stringify(item.name)} was already set at ${rangeText(existing.range)}.`,
    subject: item.nameRange,
  });
}

function justAttributes(
  value: Expression,
  hidden: ReadonlySet<string>,
  diagnostics: Diagnostic[],
): Map<string, Attribute> {
  const attributes = new Map<string, Attribute>();
  if (value.kind !== "json object") {
    diagnostics.push({
      summary: "Incorrect JSON value type",
      detail: "A JSON object is required here, setting the arguments for this block.",
      subject: startRange(value),
    });
    return attributes;
  }
  for (const item of value.items) {
    if (item.name === "//" || hidden.has(item.name)) continue;
    addAttribute(attributes, item, diagnostics, "Duplicate attribute definition");
  }
  return attributes;
}

/** The properties of an object, or of all objects of an array. */
function itemsOf(
  value: Expression,
  label: string | undefined,
  diagnostics: Diagnostic[],
): JsonItem[] {
  if (value.kind === "literal" && value.value.content === null) return [];
  if (value.kind === "json object") return [...value.items];
  const what =
    label === undefined
      ? "to define arguments and child blocks"
      : `to specify ${label} labels for this block`;
  const wrong = (subject: Range, wanted: string): JsonItem[] => {
    const detail = `${wanted} is required here, ${what}.`;
    diagnostics.push({ summary: "Incorrect JSON value type", detail, subject });
    return [];
  };
  if (value.kind !== "json array") {
    return wrong(startRange(value), "Either a JSON object or JSON array of objects");
  }
  return value.items.flatMap((each) =>
    each.kind === "json object" ? [...each.items] : wrong(startRange(each), "A JSON object"),
  );
}

interface Labels {
  readonly left: readonly string[];
  readonly used: readonly string[];
  readonly ranges: readonly Range[];
}

function unpack(
  value: Expression,
  type: string,
  labels: Labels,
  blocks: Block[],
  diagnostics: Diagnostic[],
): void {
  const [label, ...left] = labels.left;
  if (label !== undefined) {
    const items = itemsOf(value, label, diagnostics);
    if (items.length === 0) {
      diagnostics.push({
        summary: "Missing block label",
        detail: `At least one object property is required, whose name represents the ${type} block's ${label}.`,
        subject: startRange(value),
      });
    }
    for (const item of items) {
      const used = [...labels.used, item.name];
      const ranges = [...labels.ranges, item.nameRange];
      unpack(item.value, type, { left, used, ranges }, blocks, diagnostics);
    }
    return;
  }
  const add = (content: Expression, definitionRange: Range) =>
    blocks.push({
      type,
      labels: labels.used,
      body: jsonBody(content),
      labelRanges: labels.ranges,
      definitionRange,
    });
  if (value.kind === "json object") add(value, value.openRange);
  else if (value.kind === "json array") for (const each of value.items) add(each, value.openRange);
  else if (value.kind !== "literal" || value.value.content !== null) {
    diagnostics.push({
      summary: "Incorrect JSON value type",
      detail: `Either a JSON object or a JSON array is required, representing the contents of one or more ${JSON.stringify(type)} blocks.`,
      subject: startRange(value),
    });
  }
}

function reportExtra(
  value: Expression,
  schema: BodySchema,
  used: ReadonlySet<string>,
  diagnostics: Diagnostic[],
): void {
  const names = [
    ...schema.attributes.map(({ name }) => name).filter((name) => !used.has(name)),
    ...schema.blocks.map(({ type }) => type),
  ];
  for (const { name, nameRange } of itemsOf(value, undefined, [])) {
    if (name === "//" || used.has(name)) continue;
    diagnostics.push({
      summary: "Extraneous JSON object property",
      detail: `No argument or block type is named ${JSON.stringify(name)}.${didYouMean(name, names)}`,
      subject: nameRange,
    });
  }
}
