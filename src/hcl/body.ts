import type { Diagnostic } from "./diagnostic.ts";
import type { Attribute } from "./parse-body.ts";
import type { Range } from "./source.ts";

/** What a reader looks for in a body. */
export interface BodySchema {
  readonly attributes: readonly { readonly name: string; readonly isRequired?: boolean }[];
  /** Types of blocks, each with the names of its labels. */
  readonly blocks: readonly { readonly type: string; readonly labels: readonly string[] }[];
}

/** A block that a schema names. */
export interface Block {
  readonly type: string;
  readonly labels: readonly string[];
  readonly body: Body;
  readonly labelRanges: readonly Range[];
  /** The type with the labels, in JSON the brace that opens. */
  readonly definitionRange: Range;
}

/** What of a body a schema names. */
export interface BodyContent {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
}

/** A file or a block, in the native syntax or in JSON, read by a schema. What is wrong is added to `diagnostics`. */
export interface Body {
  /** What the schema names; anything else is wrong. */
  content(schema: BodySchema, diagnostics: Diagnostic[]): BodyContent;
  /** What the schema names, and a body of the rest. */
  partialContent(
    schema: BodySchema,
    diagnostics: Diagnostic[],
  ): BodyContent & { readonly rest: Body };
  /** All that may be read as arguments. */
  justAttributes(diagnostics: Diagnostic[]): ReadonlyMap<string, Attribute>;
  /** Where messages say that something is missing. */
  readonly missingRange: Range;
}
