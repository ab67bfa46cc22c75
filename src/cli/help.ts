import type { Command, Group } from "./command.ts";
import type { Flags } from "./flag.ts";
import { globalFlags } from "./global-flags.ts";
import type { Style } from "./style.ts";
import { commands, commonCommands } from "./table.ts";

export interface HelpLayout {
  readonly columns: number;
  readonly style: Style;
}

/** The help of the command or group at `path`; [] is the overview. */
export function helpText(path: readonly string[], layout: HelpLayout): string {
  if (path.length === 0) return overview(layout);
  const node = commandAt(path);
  if (!node) return overview(layout);
  return node.kind === "group" ? groupHelp(path, node, layout) : commandHelp(path, node, layout);
}

/** The command or group that the words name. */
export function commandAt(path: readonly string[]): Command | Group | undefined {
  let node: Command | Group | undefined = { kind: "group", summary: "", commands };
  for (const word of path) {
    const below: Group["commands"] =
      node?.kind === "group" ? node.commands : (node?.variants ?? {});
    if (!Object.hasOwn(below, word)) return undefined;
    node = below[word];
  }
  return node;
}

/** The help of one command, laid out for a terminal of the layout's width. */
export function commandHelp(
  path: readonly string[],
  node: Pick<Command, "usage" | "summary" | "flags" | "examples"> &
    Partial<Pick<Command, "variants">>,
  layout: HelpLayout,
): string {
  const { style } = layout;
  const name = ["thimble", ...path].join(" ");
  const parts = [`${style.bold("Usage:")}  ${name} ${node.usage}`.trimEnd(), node.summary];
  const aliases = otherNames(node);
  if (aliases.length > 1) parts.push(`${style.bold("Aliases:")}\n  ${aliases.join(", ")}`);
  const options = optionLines(node.flags, layout);
  if (options !== "") parts.push(`${style.bold("Options:")}\n${options}`);
  const { variants = {} } = node;
  const names = Object.keys(variants);
  if (names.length > 0)
    parts.push(`${style.bold("Commands:")}\n${summaries(names, variants, layout)}`);
  if (node.examples.length > 0) {
    const lines = node.examples.map(
      ({ command, what }) => `  ${style.dim(`# ${what}`)}\n  ${style.cyan(`thimble ${command}`)}`,
    );
    parts.push(`${style.bold("Examples:")}\n${lines.join("\n\n")}`);
  }
  return `${parts.join("\n\n")}\n`;
}

/** Each flag's short and long form, its value, and its meaning, wrapped to the terminal. */
function optionLines(flags: Flags, layout: HelpLayout): string {
  const rows = Object.entries(flags)
    .filter(([, flag]) => !flag.hidden)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => {
      const short = flag.short ? `-${flag.short}, ` : "    ";
      const value = flag.placeholder === "" ? "" : ` ${flag.placeholder}`;
      const fallback = flag.shownDefault === undefined ? "" : ` (default ${flag.shownDefault})`;
      return { left: `  ${short}--${name}${value}`, right: flag.help + fallback };
    });
  const width = Math.max(0, ...rows.map(({ left }) => left.length)) + 3;
  return rows
    .map(({ left, right }) => {
      const lines = wrap(right, Math.max(30, layout.columns - width));
      return left.padEnd(width) + lines.join(`\n${" ".repeat(width)}`);
    })
    .join("\n");
}

function overview(layout: HelpLayout): string {
  const { style } = layout;
  const section = (title: string, names: readonly string[]) =>
    `${style.bold(title)}\n${summaries(names, commands, layout)}`;
  const visible = Object.keys(commands).filter((name) => !isHidden(commands[name]));
  const groups = visible.filter((name) => commands[name]?.kind === "group");
  const rest = visible.filter((name) => !groups.includes(name) && !commonCommands.includes(name));
  return `${[
    `${style.bold("Usage:")}  thimble [OPTIONS] COMMAND`,
    "Very small Linux containers, all the way down",
    section("Common Commands:", commonCommands),
    section("Management Commands:", groups),
    section("Commands:", rest),
    `${style.bold("Global Options:")}\n${optionLines(globalFlags, layout)}`,
    "Run 'thimble COMMAND --help' for more information on a command.",
  ].join("\n\n")}\n`;
}

function groupHelp(path: readonly string[], node: Group, layout: HelpLayout): string {
  const name = ["thimble", ...path].join(" ");
  const names = Object.keys(node.commands).filter((word) => !isHidden(node.commands[word]));
  return `${[
    `${layout.style.bold("Usage:")}  ${name} COMMAND`,
    node.summary,
    `${layout.style.bold("Commands:")}\n${summaries(names, node.commands, layout)}`,
    `Run '${name} COMMAND --help' for more information on a command.`,
  ].join("\n\n")}\n`;
}

function summaries(
  names: readonly string[],
  nodes: Readonly<Record<string, Command | Group>>,
  layout: HelpLayout,
): string {
  const width = Math.max(12, ...names.map((name) => name.length + 2));
  const indent = " ".repeat(width + 2);
  return names
    .map((name) => {
      const lines = wrap(nodes[name]?.summary ?? "", Math.max(30, layout.columns - indent.length));
      return `  ${name.padEnd(width)}${lines.join(`\n${indent}`)}`;
    })
    .join("\n");
}

/** All the ways to call the same command: "thimble container ls, thimble ps". */
function otherNames(node: unknown): string[] {
  const names: string[] = [];
  for (const [name, entry] of Object.entries(commands)) {
    if (entry === node) names.push(`thimble ${name}`);
    if (entry.kind !== "group") continue;
    for (const [word, inner] of Object.entries(entry.commands)) {
      if (inner === node) names.push(`thimble ${name} ${word}`);
    }
  }
  return names;
}

function isHidden(node: Command | Group | undefined): boolean {
  return node?.kind === "command" && node.hidden;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
