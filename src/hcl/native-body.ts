import type { Block, Body, BodyContent, BodySchema } from "./body.ts";
import { type Diagnostic, didYouMean } from "./diagnostic.ts";
import type { Attribute, NativeBlock, NativeBody } from "./parse-body.ts";
import { between, type Range } from "./source.ts";

/** A body in the native syntax; `hidden` are names that were read before. */
export function nativeBody(
  parsed: NativeBody,
  hidden: { readonly attributes: ReadonlySet<string>; readonly blocks: ReadonlySet<string> } = {
    attributes: new Set(),
    blocks: new Set(),
  },
): Body {
  const { start, file } = parsed.range;
  const missingRange: Range = { file, start, end: start };
  const found = (schema: BodySchema, diagnostics: Diagnostic[]): BodyContent => ({
    attributes: namedAttributes(schema, diagnostics),
    blocks: namedBlocks(parsed, schema, hidden.blocks, diagnostics),
  });
  const namedAttributes = (schema: BodySchema, diagnostics: Diagnostic[]) => {
    const attributes = new Map<string, Attribute>();
    for (const { name, isRequired } of schema.attributes) {
      const attribute = hidden.attributes.has(name) ? undefined : parsed.attributes.get(name);
      if (attribute) attributes.set(name, attribute);
      else if (isRequired) diagnostics.push(missing(name, missingRange));
    }
    return attributes;
  };
  return {
    missingRange,
    content: (schema, diagnostics) => {
      const content = found(schema, diagnostics);
      reportExtra(parsed, schema, content, diagnostics);
      return content;
    },
    partialContent: (schema, diagnostics) => {
      const content = found(schema, diagnostics);
      const attributes = new Set([...hidden.attributes, ...content.attributes.keys()]);
      const blocks = new Set([...hidden.blocks, ...schema.blocks.map(({ type }) => type)]);
      return { ...content, rest: nativeBody(parsed, { attributes, blocks }) };
    },
    justAttributes: (diagnostics) => {
      const [block] = parsed.blocks;
      if (block) {
        diagnostics.push({
          summary: `Unexpected ${JSON.stringify(block.type)} block`,
          detail: "Blocks are not allowed here.",
          subject: block.typeRange,
        });
      }
      return new Map([...parsed.attributes].filter(([name]) => !hidden.attributes.has(name)));
    },
  };
}

/** What is said of an argument that has to be there. */
export function missing(name: string, subject: Range): Diagnostic {
  return {
    summary: "Missing required argument",
    detail: `The argument ${JSON.stringify(name)} is required, but no definition was found.`,
    subject,
  };
}

function namedBlocks(
  parsed: NativeBody,
  schema: BodySchema,
  hidden: ReadonlySet<string>,
  diagnostics: Diagnostic[],
): Block[] {
  const blocks: Block[] = [];
  for (const block of parsed.blocks) {
    const wanted = schema.blocks.find(({ type }) => type === block.type);
    if (!wanted || hidden.has(block.type)) continue;
    const wrong = labelFault(block, wanted.labels);
    if (wrong) diagnostics.push(wrong);
    else blocks.push(shownBlock(block));
  }
  return blocks;
}

function labelFault(block: NativeBlock, names: readonly string[]): Diagnostic | undefined {
  const { type, labels, labelRanges, openRange } = block;
  if (labels.length > names.length) {
    const detail =
      names.length === 0
        ? `No labels are expected for ${type} blocks.`
        : `Only ${names.length} labels (${names.join(", ")}) are expected for ${type} blocks.`;
    return { summary: `Extraneous label for ${type}`, detail, subject: labelRanges[names.length] };
  }
  if (labels.length === names.length) return undefined;
  return {
    summary: `Missing ${names[labels.length]} for ${type}`,
    detail: `All ${type} blocks must have ${names.length} labels (${names.join(", ")}).`,
    subject: openRange,
  };
}

function shownBlock({ type, labels, body, typeRange, labelRanges }: NativeBlock): Block {
  const definitionRange = between(typeRange, labelRanges.at(-1) ?? typeRange);
  return { type, labels, body: nativeBody(body), labelRanges, definitionRange };
}

function reportExtra(
  parsed: NativeBody,
  schema: BodySchema,
  content: BodyContent,
  diagnostics: Diagnostic[],
): void {
  const names = schema.attributes.map(({ name }) => name);
  const types = schema.blocks.map(({ type }) => type);
  for (const [name, { nameRange }] of parsed.attributes) {
    if (names.includes(name)) continue;
    const near = didYouMean(
      name,
      names.filter((each) => !content.attributes.has(each)),
    );
    const block = types.includes(name)
      ? ` Did you mean to define a block of type ${JSON.stringify(name)}?`
      : "";
    diagnostics.push({
      summary: "Unsupported argument",
      detail: `An argument named ${JSON.stringify(name)} is not expected here.${near || block}`,
      subject: nameRange,
    });
  }
  for (const { type, typeRange } of parsed.blocks) {
    if (types.includes(type)) continue;
    const shown = JSON.stringify(type);
    const argument = names.includes(type)
      ? ` Did you mean to define argument ${shown}? If so, use the equals sign to assign it a value.`
      : "";
    diagnostics.push({
      summary: "Unsupported block type",
      detail: `Blocks of type ${shown} are not expected here.${didYouMean(type, types) || argument}`,
      subject: typeRange,
    });
  }
}
