import { Fault, isFault } from "#base";
import {
  DateValue,
  decodeNode,
  type Mark,
  NonStringKey,
  parseNodes,
  type Value,
  YamlError,
  type YamlNode,
} from "#yaml";
import { printDiagnostic } from "./diagnostic.ts";
import { type Resets, takeResets } from "./reset.ts";
import { goText } from "./value.ts";

/** A file with its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** One document of a file. */
export interface Document {
  readonly value: Value;
  readonly resets: Resets;
  readonly node: YamlNode;
}

/**
 * The documents of a file.
 * @throws Fault in docker compose's words, then the place and the line
 */
export function* readDocuments(source: Source): Generator<Document> {
  for (const root of nodesOf(source)) {
    yield readDocument(root, source);
  }
}

/** A file is read for the name of its project at first, and then for all. */
const parsed = new WeakMap<Source, YamlNode[]>();

/** The parts of a file, not yet read as values. */
export function nodesOf(source: Source): YamlNode[] {
  const known = parsed.get(source);
  if (known !== undefined) return known;
  try {
    const nodes = parseNodes(source.text);
    parsed.set(source, nodes);
    return nodes;
  } catch (error) {
    if (error instanceof YamlError) throw yamlFault(error, error.message, source);
    throw error;
  }
}

function readDocument(root: YamlNode, source: Source): Document {
  try {
    // Nothing is taken where no tag stands, and no alias that could lead into itself.
    const mayHold = /!reset|!override|\*/.test(source.text);
    const { node, resets } = mayHold ? takeResets(root) : { node: root, resets: [] };
    return { value: decodeNode(node), resets, node };
  } catch (error) {
    if (error instanceof NonStringKey) {
      const where = error.path.length === 0 ? "at top level" : `in ${error.path.join(".")}`;
      throw yamlFault(error, `non-string key ${where}: ${goText(error.key)}`, source);
    }
    if (error instanceof DateValue) {
      const headline = `validating ${source.path}: ${error.path.join(".")} invalid jsonType time.Time`;
      throw yamlFault(error, headline, source, error.message);
    }
    if (error instanceof YamlError) {
      const problem = error.message.replace(/^yaml: unmarshal errors:\n {2}/, "");
      throw yamlFault(error, `failed to parse ${source.path}: ${problem}`, source);
    }
    if (isFault(error))
      throw new Fault("invalid", `failed to parse ${source.path}: ${error.message}`);
    throw error;
  }
}

function yamlFault(error: YamlError, headline: string, source: Source, what?: string): Fault {
  const place = lineAt(source, error.mark, what);
  return new Fault("invalid", `${headline}\n${place}`, { about: source.path });
}

/** A place of a file with its line, for messages. */
export function lineAt({ path, text }: Source, mark: Mark, message = "here"): string {
  const source = text.split("\n", mark.line + 1)[mark.line] ?? "";
  return printDiagnostic({ file: path, mark, message, source });
}
