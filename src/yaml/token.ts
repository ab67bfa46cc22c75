/** A place in a text: line and column count from 0, as the scanner does. */
export interface Mark {
  readonly line: number;
  readonly column: number;
}

/** What a token is; the names are those of the YAML specification's productions. */
export type TokenKind =
  | "stream-end"
  | "directive"
  | "document-start"
  | "document-end"
  | "block-sequence-start"
  | "block-mapping-start"
  | "block-end"
  | "flow-sequence-start"
  | "flow-sequence-end"
  | "flow-mapping-start"
  | "flow-mapping-end"
  | "block-entry"
  | "flow-entry"
  | "key"
  | "value"
  | "alias"
  | "anchor"
  | "tag"
  | "scalar";

/** How a scalar was written. */
export type ScalarStyle = "plain" | "single" | "double" | "literal" | "folded";

/** A token, with its text where it has one. */
export interface Token {
  readonly kind: TokenKind;
  readonly mark: Mark;
  readonly text: string;
  readonly style?: ScalarStyle;
}

/** A text that is not YAML; the message is worded as go-yaml's, which users of docker compose know. */
export class YamlError extends Error {
  override readonly name = "YamlError";
  readonly mark: Mark;

  constructor(message: string, mark: Mark) {
    super(message);
    this.mark = mark;
  }
}

/** go-yaml tells the line of the context where that is not the first line, else that of the problem. */
export function scannerError(problem: string, at: Mark, context?: Mark): YamlError {
  const line = context?.line ? context.line + 1 : at.line ? at.line + 1 : 0;
  return new YamlError(`yaml: ${line ? `line ${line}: ` : ""}${problem}`, at);
}

/** As `scannerError`, for grammar: go-yaml does not add one to the line here. */
export function parserError(problem: string, at: Mark, context?: Mark): YamlError {
  const line = context?.line ? context.line : at.line;
  return new YamlError(`yaml: ${line ? `line ${line}: ` : ""}${problem}`, at);
}
