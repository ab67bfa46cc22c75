import type { Block, Body, BodyContent, BodySchema } from "./body.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Attribute } from "./parse-body.ts";
import { rangeText } from "./source.ts";

/** Several files as one body, in their order. */
export function mergedBody(bodies: readonly Body[]): Body {
  const merge = (
    schema: BodySchema,
    diagnostics: Diagnostic[],
    read: (body: Body, schema: BodySchema) => BodyContent,
  ): BodyContent => {
    const optional = { ...schema, attributes: schema.attributes.map(({ name }) => ({ name })) };
    const attributes = new Map<string, Attribute>();
    const blocks: Block[] = [];
    for (const body of bodies) {
      const content = read(body, optional);
      addAttributes(attributes, content.attributes, diagnostics);
      blocks.push(...content.blocks);
    }
    for (const { name, isRequired } of schema.attributes) {
      if (!isRequired || attributes.has(name)) continue;
      diagnostics.push({
        summary: "Missing required argument",
        detail: `The argument ${JSON.stringify(name)} is required, but was not set.`,
        subject: undefined,
      });
    }
    return { attributes, blocks };
  };
  const place = { line: 1, column: 1 };
  return {
    missingRange: bodies[0]?.missingRange ?? { file: "<empty>", start: place, end: place },
    content: (schema, diagnostics) =>
      merge(schema, diagnostics, (body, wanted) => body.content(wanted, diagnostics)),
    partialContent: (schema, diagnostics) => {
      const rests: Body[] = [];
      const content = merge(schema, diagnostics, (body, wanted) => {
        const { rest, ...found } = body.partialContent(wanted, diagnostics);
        rests.push(rest);
        return found;
      });
      return { ...content, rest: mergedBody(rests) };
    },
    justAttributes: (diagnostics) => {
      const attributes = new Map<string, Attribute>();
      for (const body of bodies)
        addAttributes(attributes, body.justAttributes(diagnostics), diagnostics, true);
      return attributes;
    },
  };
}

function addAttributes(
  attributes: Map<string, Attribute>,
  added: ReadonlyMap<string, Attribute>,
  diagnostics: Diagnostic[],
  isReplaced = false,
): void {
  for (const [name, attribute] of added) {
    const existing = attributes.get(name);
    if (!existing) {
      attributes.set(name, attribute);
      continue;
    }
    diagnostics.push({
      summary: "Duplicate argument",
      detail: `Argument ${JSON.stringify(name)} was already set at ${rangeText(existing.nameRange)}`,
      subject: attribute.nameRange,
    });
    if (isReplaced) attributes.set(name, attribute);
  }
}
