import { openScanner, type Scanner } from "./scanner.ts";
import { type Mark, parserError, type ScalarStyle, type Token, YamlError } from "./token.ts";

/** A part of a YAML document, with the place at which it begins. */
export type YamlNode = ScalarNode | SequenceNode | MappingNode | AliasNode;

interface NodeBase {
  readonly mark: Mark;
  /** As written: "!reset", "!!str"; empty where there is none. */
  readonly tag: string;
}

/** A scalar, unresolved. */
export interface ScalarNode extends NodeBase {
  readonly kind: "scalar";
  readonly text: string;
  readonly style: ScalarStyle;
}

/** A list. */
export interface SequenceNode extends NodeBase {
  readonly kind: "sequence";
  readonly items: readonly YamlNode[];
}

/** Keys and values in the order of the text; a key may stand twice. */
export interface MappingNode extends NodeBase {
  readonly kind: "mapping";
  readonly pairs: readonly (readonly [key: YamlNode, value: YamlNode])[];
}

/** A reference to an anchor that came before. */
interface AliasNode extends NodeBase {
  readonly kind: "alias";
  readonly name: string;
  readonly target: YamlNode;
}

/** YAML nests at most this deep here; what is deeper is an attack. */
const deepest = 500;

/**
 * The documents of a text.
 * @throws YamlError where the text is not YAML
 */
export function parseNodes(text: string): YamlNode[] {
  const documents: YamlNode[] = [];
  const composer = new Composer(openScanner(text));
  for (let node = composer.document(); node !== undefined; node = composer.document()) {
    documents.push(node);
  }
  return documents;
}

interface Properties {
  anchor?: string;
  tag: string;
}

class Composer {
  private readonly scanner: Scanner;
  private anchors = new Map<string, YamlNode>();
  private depth = 0;
  private isFirst = true;

  constructor(scanner: Scanner) {
    this.scanner = scanner;
  }

  document(): YamlNode | undefined {
    const { scanner } = this;
    this.anchors = new Map();
    while (scanner.peek().kind === "document-end") scanner.next();
    let directives = false;
    while (scanner.peek().kind === "directive") {
      directives = true;
      scanner.next();
    }
    if (scanner.peek().kind === "stream-end" && !directives) return undefined;
    if (scanner.peek().kind === "document-start") scanner.next();
    else if (!this.isFirst || directives) {
      throw parserError("did not find expected <document start>", scanner.peek().mark);
    }
    this.isFirst = false;
    const next = scanner.peek();
    const isEmpty = ["document-start", "document-end", "directive", "stream-end"].includes(
      next.kind,
    );
    const node = isEmpty ? emptyScalar(next.mark) : this.node(true, false);
    if (scanner.peek().kind === "document-end") {
      scanner.next();
      this.isFirst = true;
    }
    return node;
  }

  private node(block: boolean, indentless: boolean): YamlNode {
    if (++this.depth > deepest) {
      throw new YamlError(`yaml: exceeded max depth of ${deepest}`, this.scanner.peek().mark);
    }
    try {
      return this.content(block, indentless);
    } finally {
      this.depth--;
    }
  }

  private content(block: boolean, indentless: boolean): YamlNode {
    const { scanner } = this;
    const first = scanner.peek();
    if (first.kind === "alias") {
      scanner.next();
      const target = this.anchors.get(first.text);
      if (target === undefined) {
        throw new YamlError(`yaml: unknown anchor '${first.text}' referenced`, first.mark);
      }
      return { kind: "alias", mark: first.mark, tag: "", name: first.text, target };
    }
    const properties = this.properties();
    const { tag } = properties;
    const token = scanner.peek();
    if (indentless && token.kind === "block-entry") {
      return this.collect(properties, { kind: "sequence", mark: first.mark, tag, items: [] }, () =>
        this.indentlessItems(),
      );
    }
    switch (token.kind) {
      case "scalar": {
        scanner.next();
        const style = token.style ?? "plain";
        return this.keep(properties, {
          kind: "scalar",
          mark: first.mark,
          tag,
          text: token.text,
          style,
        });
      }
      case "flow-sequence-start":
        return this.sequence(properties, first.mark, () => this.flowItems(first.mark));
      case "block-sequence-start":
        if (block) return this.sequence(properties, first.mark, () => this.blockItems(first.mark));
        break;
      case "flow-mapping-start":
        return this.mapping(properties, first.mark, () => this.flowPairs(first.mark));
      case "block-mapping-start":
        if (block) return this.mapping(properties, first.mark, () => this.blockPairs(token.mark));
        break;
    }
    if (properties.anchor !== undefined || tag !== "") {
      const empty = { kind: "scalar", mark: first.mark, tag, text: "", style: "plain" } as const;
      return this.keep(properties, empty);
    }
    throw parserError("did not find expected node content", token.mark, first.mark);
  }

  private properties(): Properties {
    const properties: Properties = { tag: "" };
    for (;;) {
      const token = this.scanner.peek();
      if (token.kind === "anchor" && properties.anchor === undefined)
        properties.anchor = token.text;
      else if (token.kind === "tag" && properties.tag === "") properties.tag = shortTag(token.text);
      else return properties;
      this.scanner.next();
    }
  }

  private keep<N extends YamlNode>(properties: Properties, node: N): N {
    if (properties.anchor !== undefined) this.anchors.set(properties.anchor, node);
    return node;
  }

  /** An anchor is known within its own node, too: go-yaml reports such a loop when it is followed. */
  private collect(properties: Properties, node: SequenceNode, items: () => YamlNode[]) {
    this.keep(properties, node);
    (node.items as YamlNode[]).push(...items());
    return node;
  }

  private sequence(properties: Properties, mark: Mark, items: () => YamlNode[]): SequenceNode {
    const node: SequenceNode = { kind: "sequence", mark, tag: properties.tag, items: [] };
    this.scanner.next();
    return this.collect(properties, node, items);
  }

  private mapping(
    properties: Properties,
    mark: Mark,
    pairs: () => [YamlNode, YamlNode][],
  ): MappingNode {
    const node: MappingNode = { kind: "mapping", mark, tag: properties.tag, pairs: [] };
    this.keep(properties, node);
    this.scanner.next();
    for (const pair of pairs()) (node.pairs as [YamlNode, YamlNode][]).push(pair);
    return node;
  }

  private blockItems(start: Mark): YamlNode[] {
    const items: YamlNode[] = [];
    while (this.scanner.peek().kind === "block-entry") {
      const { mark } = this.scanner.next();
      items.push(this.nodeOrEmpty(mark, ["block-entry", "block-end"], false));
    }
    const end = this.scanner.next();
    if (end.kind !== "block-end") {
      throw parserError("did not find expected '-' indicator", end.mark, start);
    }
    return items;
  }

  private indentlessItems(): YamlNode[] {
    const items: YamlNode[] = [];
    while (this.scanner.peek().kind === "block-entry") {
      const { mark } = this.scanner.next();
      items.push(this.nodeOrEmpty(mark, ["block-entry", "key", "value", "block-end"], false));
    }
    return items;
  }

  private nodeOrEmpty(mark: Mark, ends: readonly Token["kind"][], indentless: boolean): YamlNode {
    return ends.includes(this.scanner.peek().kind)
      ? emptyScalar(mark)
      : this.node(true, indentless);
  }

  private blockPairs(start: Mark): [YamlNode, YamlNode][] {
    const pairs: [YamlNode, YamlNode][] = [];
    const ends: Token["kind"][] = ["key", "value", "block-end"];
    for (;;) {
      const token = this.scanner.peek();
      if (token.kind === "key") {
        this.scanner.next();
        const key = this.nodeOrEmpty(token.mark, ends, true);
        pairs.push([key, this.blockValue(ends)]);
      } else if (token.kind === "value") {
        pairs.push([emptyScalar(token.mark), this.blockValue(ends)]);
      } else if (token.kind === "block-end") {
        this.scanner.next();
        return pairs;
      } else {
        throw parserError("did not find expected key", token.mark, start);
      }
    }
  }

  private blockValue(ends: readonly Token["kind"][]): YamlNode {
    const token = this.scanner.peek();
    if (token.kind !== "value") return emptyScalar(token.mark);
    this.scanner.next();
    return this.nodeOrEmpty(token.mark, ends, true);
  }

  private flowItems(start: Mark): YamlNode[] {
    const items: YamlNode[] = [];
    while (this.scanner.peek().kind !== "flow-sequence-end") {
      if (items.length > 0) {
        const comma = this.scanner.peek();
        if (comma.kind !== "flow-entry") {
          throw parserError("did not find expected ',' or ']'", comma.mark, start);
        }
        this.scanner.next();
        if (this.scanner.peek().kind === "flow-sequence-end") break;
      }
      const token = this.scanner.peek();
      if (token.kind === "key") {
        this.scanner.next();
        const pair = this.flowPair("flow-sequence-end");
        items.push({ kind: "mapping", mark: token.mark, tag: "", pairs: [pair] });
      } else items.push(this.node(false, false));
    }
    this.scanner.next();
    return items;
  }

  private flowPair(end: Token["kind"]): [YamlNode, YamlNode] {
    const first = this.scanner.peek();
    const key = ["value", "flow-entry", end].includes(first.kind)
      ? emptyScalar(first.mark)
      : this.node(false, false);
    const colon = this.scanner.peek();
    if (colon.kind !== "value") return [key, emptyScalar(colon.mark)];
    this.scanner.next();
    const after = this.scanner.peek();
    const isEmpty = after.kind === "flow-entry" || after.kind === end;
    return [key, isEmpty ? emptyScalar(after.mark) : this.node(false, false)];
  }

  private flowPairs(start: Mark): [YamlNode, YamlNode][] {
    const pairs: [YamlNode, YamlNode][] = [];
    while (this.scanner.peek().kind !== "flow-mapping-end") {
      if (pairs.length > 0) {
        const comma = this.scanner.peek();
        if (comma.kind !== "flow-entry") {
          throw parserError("did not find expected ',' or '}'", comma.mark, start);
        }
        this.scanner.next();
        if (this.scanner.peek().kind === "flow-mapping-end") break;
      }
      const token = this.scanner.peek();
      if (token.kind === "key") {
        this.scanner.next();
        pairs.push(this.flowPair("flow-mapping-end"));
      } else {
        const key = this.node(false, false);
        pairs.push([key, emptyScalar(this.scanner.peek().mark)]);
      }
    }
    this.scanner.next();
    return pairs;
  }
}

const emptyScalar = (mark: Mark): ScalarNode => ({
  kind: "scalar",
  mark,
  tag: "",
  text: "",
  style: "plain",
});

function shortTag(tag: string): string {
  const long = /^!<tag:yaml\.org,2002:(.*)>$/.exec(tag)?.[1];
  return long === undefined ? tag : `!!${long}`;
}
