import type { Command, Group } from "./command.ts";
import type { Completion, Flag, Flags } from "./flag.ts";
import { globalFlags } from "./global-flags.ts";
import { commands } from "./table.ts";

/** Names that only an engine, or the user's files, know. */
export interface NameSource {
  containers(all: boolean): Promise<readonly string[]>;
  contexts(): Promise<readonly string[]>;
  images(): Promise<readonly string[]>;
  networks(): Promise<readonly string[]>;
  volumes(): Promise<readonly string[]>;
}

/** The candidates for the last of the words. [":file"] asks the shell for file names. */
export async function candidates(
  words: readonly string[],
  names: NameSource,
): Promise<readonly string[]> {
  const last = words.at(-1) ?? "";
  const { node, rest } = walk(words.slice(0, -1));
  const flags = node.kind === "command" ? node.flags : globalFlags;
  const waiting = flagWaiting(flags, node.kind === "command" ? rest : words.slice(0, -1));
  const all = waiting
    ? await named(waiting.complete, names, last)
    : last.startsWith("-")
      ? flagWords(flags)
      : node.kind === "group"
        ? visible(node)
        : [
            ...(await named(node.complete, names, last)),
            ...(rest.length === 0 ? Object.keys(node.variants) : []),
          ];
  if (all[0] === ":file") return all;
  return [...new Set(all)].filter((word) => word.startsWith(last)).sort();
}

function walk(words: readonly string[]): { node: Command | Group; rest: readonly string[] } {
  let node: Command | Group = { kind: "group", summary: "", commands };
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    if (node.kind === "command") {
      const variant: Command | undefined = node.variants[word];
      if (!variant) break;
      node = variant;
      continue;
    }
    if (flagWaiting(globalFlags, [word])) at++;
    else if (!word.startsWith("-")) {
      const next: Command | Group | undefined = node.commands[word];
      if (!next) break;
      node = next;
    }
  }
  return { node, rest: words.slice(at) };
}

/** The flag that stands last and still waits for its value. */
function flagWaiting(flags: Flags, words: readonly string[]): Flag<unknown> | undefined {
  const last = words.at(-1);
  if (!last?.startsWith("-") || last.includes("=")) return undefined;
  const flag = last.startsWith("--")
    ? flags[last.slice(2)]
    : Object.values(flags).find(({ short }) => short === last.at(-1));
  return flag && flag.placeholder !== "" ? flag : undefined;
}

async function named(
  completion: Completion | undefined,
  names: NameSource,
  last: string,
): Promise<readonly string[]> {
  if (completion === undefined) return [];
  if (completion === "copy") {
    if (/^[./~]/.test(last)) return [":file"];
    return (await names.containers(true)).map((name) => `${name}:`);
  }
  if (completion === "file") return [":file"];
  if (completion === "context") return await names.contexts();
  if (completion === "container") return await names.containers(true);
  if (completion === "running") return await names.containers(false);
  if (completion === "image") return await names.images();
  if (completion === "network") return await names.networks();
  if (completion === "volume") return await names.volumes();
  return completion;
}

function flagWords(flags: Flags): string[] {
  const shown = Object.entries(flags).filter(([, { hidden }]) => !hidden);
  return [...shown.map(([name]) => `--${name}`), "--help"];
}

function visible(node: Group): string[] {
  return Object.entries(node.commands)
    .filter(([, entry]) => entry.kind === "group" || !entry.hidden)
    .map(([name]) => name);
}
