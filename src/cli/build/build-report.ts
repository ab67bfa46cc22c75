import {
  type CheckReport,
  excerpt,
  type NamedWant,
  type Outline,
  ruleUrl,
  type Target,
} from "#dockerfile";
import type { BuildFile } from "./build-file.ts";

/** What the checks found, as `docker build --check` prints it: by line, each with its lines of the file. */
export function checkText({ warnings, failure }: CheckReport, file: BuildFile): string {
  const count = warnings.length;
  if (count === 0) return failure ? "" : "Check complete, no warnings found.\n";
  const found = count === 1 ? "1 warning has" : `${count} warnings have`;
  const parts = warnings
    .toSorted((a, b) => a.range.start - b.range.start)
    .map(({ rule, detail, range }) => {
      const lines = excerpt(file.shownName, file.text, [range]);
      return `\nWARNING: ${rule} - ${ruleUrl(rule)}\n${detail}\n${lines}`;
    });
  return `Check complete, ${found} been found!\n${parts.join("")}${failure ? "\n" : ""}`;
}

/** As buildx's --call=outline: tables of arguments, secrets and agents. */
export function outlineText({ name, description, ...found }: Outline): string {
  const about = [
    ...(name === undefined ? [] : [["TARGET:", name]]),
    ...(description === undefined || name === undefined ? [] : [["DESCRIPTION:", description]]),
  ];
  const head = about.length === 0 ? "" : `${table(about, 1)}\n`;
  const args = found.arguments.map((each) => [each.name, each.value, each.description ?? ""]);
  return [
    head,
    section(["BUILD ARG", "VALUE", "DESCRIPTION"], args),
    section(["SECRET", "REQUIRED"], found.secrets.map(wanted)),
    section(["SSH", "REQUIRED"], found.agents.map(wanted)),
  ].join("");
}

/** As buildx's --call=targets. */
export function targetsText(targets: readonly Target[]): string {
  const rows = targets.map(({ name, isDefault, description = "" }) => [
    [name, isDefault ? "(default)" : undefined].filter(Boolean).join(" "),
    description,
  ]);
  return table([["TARGET", "DESCRIPTION"], ...rows], 1);
}

function wanted({ name, isRequired }: NamedWant): string[] {
  return [name, isRequired ? "true" : ""];
}

function section(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? "" : `${table([head, ...rows], 3)}\n`;
}

/** Columns as wide as their widest cell, with blanks between; the last one is not filled up. */
function table(rows: readonly (readonly string[])[], gap: number): string {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0)) + gap;
  const line = (row: readonly string[]) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(width(at)))).join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}
