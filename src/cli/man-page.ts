import type { Command, Group } from "./command.ts";
import type { Flags } from "./flag.ts";
import { globalFlags } from "./global-flags.ts";
import { commands } from "./table.ts";

/** A page of the manual: its file's name, and its text for man(7). */
export interface ManPage {
  readonly file: string;
  readonly text: string;
}

/** A page for the program, and one for each command and group that help shows. */
export function manPages(version: string): readonly ManPage[] {
  const root: Group = { kind: "group", summary: "very small Linux containers", commands };
  return pagesOf([], root, version);
}

function pagesOf(path: readonly string[], node: Group | Command, version: string): ManPage[] {
  const below = Object.entries(node.kind === "group" ? node.commands : node.variants).filter(
    ([, each]) => each.kind === "group" || !each.hidden,
  );
  const name = ["thimble", ...path].join("-");
  const names = below.map(([word]) => word);
  const text =
    node.kind === "group"
      ? groupPage({ path, version, node, below: names })
      : commandPage({ path, version, node, below: names });
  return [
    { file: `${name}.1`, text },
    ...below.flatMap(([word, each]) => pagesOf([...path, word], each, version)),
  ];
}

interface Subject<N> {
  readonly path: readonly string[];
  readonly version: string;
  readonly node: N;
  /** The words of the commands below it. */
  readonly below: readonly string[];
}

function groupPage(subject: Subject<Group>): string {
  const { path, node, below } = subject;
  const list = below.flatMap((word) => [
    ".TP",
    `.B ${escaped(word)}`,
    escaped(sentence(node.commands[word]?.summary ?? "")),
  ]);
  return page(subject, [
    ".SH SYNOPSIS",
    synopsis(path, path.length === 0 ? "[OPTIONS] COMMAND [ARG...]" : "COMMAND [ARG...]"),
    ...(path.length === 0 ? options("OPTIONS", globalFlags) : []),
    ".SH COMMANDS",
    ...list,
  ]);
}

function commandPage(subject: Subject<Command>): string {
  const { path, node } = subject;
  return page(subject, [
    ".SH SYNOPSIS",
    synopsis(path, node.usage),
    ".SH DESCRIPTION",
    escaped(sentence(node.summary)),
    ...options("OPTIONS", node.flags),
    ...examples(node),
    ".SH EXIT STATUS",
    ".TP",
    ".B 0",
    "Success.",
    ".TP",
    `.B ${node.failure}`,
    "Failure, unless the status is that of a program in a container.",
  ]);
}

function page({ path, version, node, below }: Subject<Group | Command>, body: readonly string[]) {
  const name = ["thimble", ...path].join("-");
  const above = path.length === 0 ? [] : [["thimble", ...path.slice(0, -1)].join("-")];
  const related = [...above, ...below.map((word) => `${name}-${word}`)];
  return `${[
    `.TH ${quoted(name.toUpperCase())} 1 "" ${quoted(`thimble ${version}`)} "User Commands"`,
    ".SH NAME",
    `${escaped(name)} \\- ${escaped(node.summary)}`,
    ...body,
    ...(related.length > 0 ? [".SH SEE ALSO", ...references(related)] : []),
  ].join("\n")}\n`;
}

function references(names: readonly string[]): readonly string[] {
  const last = names.length - 1;
  return names.map((name, index) => `.BR ${escaped(name)} (1)${index < last ? "," : ""}`);
}

function synopsis(path: readonly string[], usage: string): string {
  return `.B ${escaped(["thimble", ...path].join(" "))}\n${escaped(usage)}`;
}

function options(title: string, flags: Flags): readonly string[] {
  const shown = Object.entries(flags)
    .filter(([, { hidden }]) => !hidden)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (shown.length === 0) return [];
  const lines = shown.flatMap(([name, { short, placeholder, help, shownDefault }]) => {
    const forms = [...(short ? [`-${short}`] : []), `--${name}`].map(escaped).join(", ");
    const value = placeholder === "" ? "" : ` \\fI${escaped(placeholder)}\\fR`;
    const fallback = shownDefault === undefined ? "" : ` (default ${shownDefault})`;
    return [".TP", `\\fB${forms}\\fR${value}`, escaped(sentence(help + fallback))];
  });
  return [`.SH ${title}`, ...lines];
}

function examples({ examples: list }: Command): readonly string[] {
  if (list.length === 0) return [];
  const lines = list.flatMap(({ command, what }) => [
    ".PP",
    escaped(`${sentence(what).slice(0, -1)}:`),
    ".PP",
    ".RS 4",
    ".nf",
    escaped(`thimble ${command}`),
    ".fi",
    ".RE",
  ]);
  return [".SH EXAMPLES", ...lines];
}

function sentence(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("") + (/[.!?]$/.test(text) ? "" : ".");
}

/** Text as roff prints it: no escapes, no requests at the beginning of a line, real hyphens. */
function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("`", "\\`")
    .replace(/^(['.])/gm, "\\&$1");
}

function quoted(text: string): string {
  return `"${escaped(text).replaceAll('"', '""')}"`;
}
