import type { MappingNode, ScalarNode, SequenceNode, YamlNode } from "./node.ts";
import { isTimestamp, resolvePlain } from "./resolve-scalar.ts";
import { type Mark, YamlError } from "./token.ts";
import { Float, type Mapping, type Value } from "./value.ts";

/**
 * The value of a node: aliases followed, "<<" merged.
 * @throws YamlError where a key stands twice, an anchor holds itself, or aliases multiply (a "YAML bomb")
 */
export function decodeNode(node: YamlNode): Value {
  const decoder = new Decoder();
  const value = decoder.value(node);
  const [first] = decoder.problems;
  if (first !== undefined) {
    const lines = decoder.problems.map((problem) => `\n  ${problem.message}`).join("");
    throw new YamlError(`yaml: unmarshal errors:${lines}`, first.mark);
  }
  return value;
}

class Decoder {
  readonly problems: { message: string; mark: Mark }[] = [];
  private readonly open = new Set<YamlNode>();
  private readonly path: string[] = [];
  private count = 0;
  private aliased = 0;
  private aliasDepth = 0;

  value(node: YamlNode): Value {
    this.count++;
    if (this.aliasDepth > 0) this.aliased++;
    if (this.aliased > 100 && this.count > 1000 && this.aliased / this.count > ratio(this.count)) {
      throw new YamlError("yaml: document contains excessive aliasing", node.mark);
    }
    switch (node.kind) {
      case "alias":
        return this.alias(node.target, node.name, (target) => this.value(target));
      case "scalar":
        return this.scalar(node);
      case "sequence":
        return this.items(node);
      case "mapping":
        return this.mapping(node);
    }
  }

  private items(node: SequenceNode): Value[] {
    return node.items.map((item, i) => {
      const last = this.path.length - 1;
      const name = this.path[last] ?? "";
      this.path[Math.max(last, 0)] = `${name}[${i}]`;
      const value = this.value(item);
      if (last < 0) this.path.pop();
      else this.path[last] = name;
      return value;
    });
  }

  private alias<T>(target: YamlNode, name: string, follow: (target: YamlNode) => T): T {
    if (this.open.has(target)) {
      throw new YamlError(`yaml: anchor '${name}' value contains itself`, target.mark);
    }
    this.open.add(target);
    this.aliasDepth++;
    try {
      return follow(target);
    } finally {
      this.aliasDepth--;
      this.open.delete(target);
    }
  }

  private scalar(node: ScalarNode): Value {
    const { tag, text } = node;
    const isText = tag === "!!str" || (tag !== "" && !tag.startsWith("!!"));
    if (isText || (node.style !== "plain" && tag === "")) return text;
    if (tag === "!!binary") return Buffer.from(text, "base64").toString("utf8");
    const first = text.charCodeAt(0);
    const mayBeDate = tag === "" && first >= 48 && first <= 57 && text.length >= 8;
    if (mayBeDate && isTimestamp(text) && !this.path.some((part) => part.startsWith("x-"))) {
      throw new DateValue([...this.path], node.mark);
    }
    const value = resolvePlain(text);
    const kind = kindOf(value);
    if (tag === "" || tag === kind || !knownTags.has(tag)) return value;
    if (tag === "!!float" && typeof value === "number") return new Float(value);
    throw new YamlError(`yaml: cannot decode ${kind} \`${text}\` as a ${tag}`, node.mark);
  }

  private mapping(node: MappingNode): Value {
    const mapping: Mapping = new Map();
    const merges: YamlNode[] = [];
    this.open.add(node);
    for (const [key, part] of node.pairs) {
      if (isMerge(key)) {
        merges.push(part);
        continue;
      }
      const name = this.key(key);
      if (mapping.has(name)) this.reportDouble(node, name, key.mark);
      this.path.push(name);
      mapping.set(name, this.value(part));
      this.path.pop();
    }
    this.open.delete(node);
    for (const merged of merges) this.merge(mapping, merged, true);
    return mapping;
  }

  private reportDouble(node: MappingNode, name: string, mark: Mark): void {
    const first = node.pairs.find(([key]) => key.kind === "scalar" && key.text === name);
    const line = (first?.[0].mark.line ?? 0) + 1;
    const message = `line ${mark.line + 1}: mapping key ${JSON.stringify(name)} already defined at line ${line}`;
    this.problems.push({ message, mark });
  }

  private key(node: YamlNode): string {
    const value = this.value(node);
    if (typeof value === "string") return value;
    throw new NonStringKey(value, [...this.path], node.mark);
  }

  private merge(into: Mapping, node: YamlNode, listAllowed: boolean): void {
    if (node.kind === "alias") {
      if (node.target.kind === "mapping") {
        this.alias(node.target, node.name, (target) => this.merge(into, target, listAllowed));
        return;
      }
    } else if (node.kind === "mapping") {
      const value = this.value(node) as Mapping;
      for (const [key, part] of value) if (!into.has(key)) into.set(key, part);
      return;
    } else if (node.kind === "sequence" && listAllowed) {
      for (const item of node.items) this.merge(into, item, false);
      return;
    }
    const problem = "yaml: map merge requires map or sequence of maps as the value";
    throw new YamlError(problem, node.mark);
  }
}

/** A key that is no text, and the path of its mapping. */
export class NonStringKey extends YamlError {
  readonly key: Value;
  readonly path: readonly string[];

  constructor(key: Value, path: readonly string[], mark: Mark) {
    super("non-string key", mark);
    this.key = key;
    this.path = path;
  }
}

/** A date, which YAML 1.1 knows and JSON does not. */
export class DateValue extends YamlError {
  readonly path: readonly string[];

  constructor(path: readonly string[], mark: Mark) {
    super("a date has to be quoted", mark);
    this.path = path;
  }
}

const knownTags = new Set(["!!null", "!!bool", "!!int", "!!float", "!!timestamp"]);

function kindOf(value: Value): string {
  if (value === null) return "!!null";
  if (typeof value === "boolean") return "!!bool";
  if (value instanceof Float) return "!!float";
  return typeof value === "string" ? "!!str" : "!!int";
}

const isMerge = (key: YamlNode) =>
  key.kind === "scalar" &&
  key.text === "<<" &&
  (key.tag === "" || key.tag === "!!merge") &&
  (key.style === "plain" || key.tag === "!!merge");

/** The share of aliased nodes that go-yaml allows: nearly all of a small document, a tenth of a huge one. */
function ratio(count: number): number {
  if (count <= 400_000) return 0.99;
  if (count >= 4_000_000) return 0.1;
  return 0.99 - (0.89 * (count - 400_000)) / 3_600_000;
}
