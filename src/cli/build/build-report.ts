import {
  type CheckReport,
  excerpt,
  type LineRange,
  type NamedWant,
  type Outline,
  ruleDescription,
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

/** The result of buildx's --call=check,format=json, without the steps that load the Dockerfile. */
export function checkJson({ warnings, failure }: CheckReport, file: BuildFile): string {
  const shown = warnings.map(({ rule, detail, range }) => ({
    ruleName: rule,
    description: ruleDescription(rule),
    url: ruleUrl(rule),
    detail,
    location: location([range]),
  }));
  const source = { filename: file.name, data: encoded(file), language: "Dockerfile" };
  const error = failure && { message: failure.message, location: location(failure.ranges) };
  return json({
    warnings: shown.length === 0 ? null : shown,
    sources: [source],
    ...(error ? { buildError: error } : {}),
  });
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

/** The result of buildx's --call=outline,format=json. */
export function outlineJson({ name, description, ...found }: Outline, file: BuildFile): string {
  const wants = (items: readonly NamedWant[]) =>
    items.map((each) => ({
      name: each.name,
      ...(each.isRequired ? { required: true } : {}),
      location: location([each.range]),
    }));
  const args = found.arguments.map((each) => ({
    name: each.name,
    ...(each.description ? { description: each.description } : {}),
    ...(each.value === "" ? {} : { value: each.value }),
    location: location([each.range]),
  }));
  const secrets = wants(found.secrets);
  const ssh = wants(found.agents);
  return json({
    ...(name ? { name } : {}),
    ...(description ? { description } : {}),
    ...(args.length > 0 ? { args } : {}),
    ...(secrets.length > 0 ? { secrets } : {}),
    ...(ssh.length > 0 ? { ssh } : {}),
    sources: [encoded(file)],
  });
}

/** As buildx's --call=targets. */
export function targetsText(targets: readonly Target[]): string {
  const rows = targets.map(({ name, isDefault, description = "" }) => [
    [name, isDefault ? "(default)" : undefined].filter(Boolean).join(" "),
    description,
  ]);
  return table([["TARGET", "DESCRIPTION"], ...rows], 1);
}

/** The result of buildx's --call=targets,format=json. */
export function targetsJson(targets: readonly Target[], file: BuildFile): string {
  const shown = targets.map(({ name, isDefault, description, base, platform, range }) => ({
    ...(name ? { name } : {}),
    ...(isDefault ? { default: true } : {}),
    ...(description ? { description } : {}),
    base,
    ...(platform ? { platform } : {}),
    location: location([range]),
  }));
  return json({ targets: shown, sources: [encoded(file)] });
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

/** BuildKit has a range for each line. */
function location(ranges: readonly LineRange[]) {
  const lines = ranges.flatMap(({ start, end }) =>
    Array.from({ length: end - start + 1 }, (_, index) => ({ line: start + index })),
  );
  return lines.length === 0 ? {} : { ranges: lines.map((line) => ({ start: line, end: line })) };
}

function encoded({ text }: BuildFile): string {
  return Buffer.from(text).toString("base64");
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
