import { visibleText } from "#base";
import type { Mark, YamlNode } from "#yaml";

/** What is wrong at one place of a file. */
export interface Diagnostic {
  readonly file: string;
  readonly mark: Mark;
  readonly message: string;
  /** The line of the file. */
  readonly source: string;
}

/** A place of a file with the line itself and a marker under it. */
export function printDiagnostic({ file, mark, message, source }: Diagnostic): string {
  const line = visibleText(source.slice(0, 200).replaceAll("\t", " "));
  const number = String(mark.line + 1);
  const marker = `${" ".repeat(number.length)} | ${" ".repeat(mark.column)}^`;
  return `${file}:${number}:${mark.column + 1}: ${message}\n${number} | ${line}\n${marker}`;
}

/** The place of a path in a document: that of the key where there is one, else that of the nearest part around it. */
export function placeOf(root: YamlNode, path: readonly string[]): Mark {
  let node = followed(root);
  let mark = node.mark;
  for (const part of path) {
    if (node.kind === "mapping") {
      const pair = node.pairs.find(([key]) => key.kind === "scalar" && key.text === part);
      if (pair === undefined) return mark;
      mark = pair[0].mark;
      node = followed(pair[1]);
    } else if (node.kind === "sequence") {
      const item = node.items[Number(part.replace(/[[\]]/g, ""))];
      if (item === undefined) return mark;
      mark = item.mark;
      node = followed(item);
    } else return mark;
  }
  return mark;
}

const followed = (node: YamlNode): YamlNode => (node.kind === "alias" ? node.target : node);
