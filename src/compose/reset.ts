import { Fault } from "#base";
import { isMapping, type Mapping, type YamlNode } from "#yaml";

/** The places that a file resets or overrides: what files before it said there goes. */
export type Resets = readonly (readonly string[])[];

/**
 * Takes the nodes that are tagged "!reset" out of a document and finds all places of "!reset" and
 * "!override", through aliases and merges too.
 * @throws Fault where an alias leads into itself
 */
export function takeResets(root: YamlNode): { node: YamlNode; resets: Resets } {
  const resets: string[][] = [];
  const taken = new Taker(resets).take(root, []);
  const empty: YamlNode = { kind: "scalar", mark: root.mark, tag: "", text: "", style: "plain" };
  return { node: taken ?? empty, resets };
}

const mostVisits = 1_000_000;

class Taker {
  private readonly resets: string[][];
  private readonly open = new Map<YamlNode, readonly string[]>();
  /** Nodes below which no tag stands need no second visit. */
  private readonly plain = new Set<YamlNode>();
  /** What is left of a node: "!reset" counts where it is written, not where an alias repeats it. */
  private readonly left = new Map<YamlNode, YamlNode>();
  private visits = 0;

  constructor(resets: string[][]) {
    this.resets = resets;
  }

  take(node: YamlNode, path: readonly string[]): YamlNode | undefined {
    if (++this.visits > mostVisits)
      throw new Fault("invalid", "document contains excessive aliasing");
    if (node.kind === "scalar" && node.tag === "") return node;
    if (this.plain.has(node)) return node;
    if (node.kind === "alias") return this.alias(node, path);
    if (node.tag === "!reset") {
      this.resets.push(path.filter((part) => part !== "<<"));
      return undefined;
    }
    if (node.tag === "!override") this.resets.push(path.filter((part) => part !== "<<"));
    return this.parts(node, path);
  }

  private alias(node: YamlNode & { kind: "alias" }, path: readonly string[]): YamlNode | undefined {
    const from = this.open.get(node.target);
    if (from !== undefined) {
      const place = (parts: readonly string[]) => parts.join(".");
      const problem = `cycle detected: node at path ${place(path)} references node at path ${place(from)}`;
      throw new Fault("invalid", problem);
    }
    this.open.set(node.target, path);
    const target = this.take(this.left.get(node.target) ?? node.target, path);
    this.open.delete(node.target);
    if (target === undefined) return undefined;
    return target === node.target ? node : target;
  }

  private parts(node: YamlNode, path: readonly string[]): YamlNode {
    const before = this.resets.length;
    let result = node;
    if (node.kind === "sequence") {
      const items = node.items.flatMap((item, i) => this.take(item, [...path, String(i)]) ?? []);
      if (items.some((item, i) => item !== node.items[i]) || items.length < node.items.length) {
        result = { ...node, items };
      }
    } else if (node.kind === "mapping") {
      let isChanged = false;
      const pairs = node.pairs.flatMap(([key, value]) => {
        const name = key.kind === "scalar" ? key.text : "";
        const taken = this.take(value, [...path, name]);
        if (taken !== value) isChanged = true;
        return taken === undefined ? [] : ([[key, taken]] as const);
      });
      if (isChanged) result = { ...node, pairs };
    }
    this.left.set(node, result);
    if (this.resets.length === before && result === node) this.plain.add(node);
    return result;
  }
}

/** Removes from a model what stands at the places. */
export function applyResets(model: Mapping, resets: Resets): void {
  for (const path of resets) {
    let mapping = model;
    for (const [i, part] of path.entries()) {
      if (i === path.length - 1) mapping.delete(part);
      const next = mapping.get(part);
      if (!isMapping(next)) break;
      mapping = next;
    }
  }
}
