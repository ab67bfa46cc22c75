import { isFault, suggest } from "#base";
import type { Command, Group } from "./command.ts";
import type { CliOptions, Context } from "./context.ts";
import { createContext } from "./create-context.ts";
import { dockerCommands } from "./docker-commands.ts";
import { Exit, failureText } from "./failure.ts";
import { globalFlags, hostFlags } from "./global-flags.ts";
import { FlagError, parseFlags } from "./parse-flags.ts";
import { openSink } from "./stdio.ts";
import { commands } from "./table.ts";

/** Runs one command line (without the program's name); gives the exit status. */
export async function runCli(argv: readonly string[], options: CliOptions): Promise<number> {
  const err = options.stderr ?? openSink(2, options.env);
  let debug = false;
  let failure = 1;
  try {
    const parsed = parse(globalFlags, argv, false, []);
    const { flags } = parsed;
    debug = flags.debug || flags["log-level"] === "debug";
    const context = createContext(withConfig(options, flags.config), hostFlags(parsed));
    if (flags.version) {
      await context.out.write(`thimble version ${options.version}\n`);
      return 0;
    }
    if (parsed.help || parsed.args.length === 0) return await showHelp(context, []);
    const target = find(withoutAlias(context, parsed.args));
    if (target.node.kind === "group") return await showHelp(context, target.path);
    failure = target.node.failure;
    return await runCommand(context, target.node, target.path, target.rest);
  } catch (error) {
    return await report(error, { err, debug, failure });
  }
}

/** As if the variable named the directory of config.json. */
function withConfig(options: CliOptions, directory: string | undefined): CliOptions {
  if (!directory) return options;
  return { ...options, env: { ...options.env, DOCKER_CONFIG: directory } };
}

async function runCommand(
  context: Context,
  node: Command,
  path: readonly string[],
  words: readonly string[],
): Promise<number> {
  const parsed = parse(node.flags, words, node.interspersed, path);
  if (parsed.help) return await showHelp(context, path);
  const { min, max } = node.args;
  const count = parsed.args.length;
  if (count < min || count > max) throw new Exit(1, wrongCount(node, path));
  return await node.run(context, parsed);
}

function parse<F extends Command["flags"]>(
  flags: F,
  words: readonly string[],
  interspersed: boolean,
  path: readonly string[],
) {
  try {
    return parseFlags(flags, words, { interspersed });
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const meant = error.meant ? `\nDid you mean ${error.meant}?\n` : "";
    throw new Exit(125, `${error.message}\n${meant}\n${usageLine(path)}`);
  }
}

/** The words with those of an alias of config.json in place of the first, where that is no command. */
function withoutAlias({ settings }: Context, words: readonly string[]): readonly string[] {
  const [first = "", ...rest] = words;
  if (Object.hasOwn(commands, first) || !Object.hasOwn(settings.aliases, first)) return words;
  return [...(settings.aliases[first] ?? "").split(/\s+/).filter(Boolean), ...rest];
}

interface Target {
  readonly node: Command | Group;
  readonly path: readonly string[];
  readonly rest: readonly string[];
}

/** The command that the words name, through groups. */
function find(given: readonly string[]): Target {
  let node: Command | Group = { kind: "group", summary: "", commands };
  const path: string[] = [];
  const words = withGroupFlagsBehind(given);
  for (const [index, word] of words.entries()) {
    if (node.kind === "command") {
      const variant = variantOf(node, words.slice(index));
      return variant
        ? { node: variant, path: [...path, word], rest: words.slice(index + 1) }
        : { node, path, rest: words.slice(index) };
    }
    if (word === "--help" || word === "-h") return { node, path, rest: [] };
    const next: Command | Group | undefined = Object.hasOwn(node.commands, word)
      ? node.commands[word]
      : undefined;
    if (!next) throw unknownCommand(node, path, word);
    node = next;
    path.push(word);
  }
  return { node, path, rest: [] };
}

/** The words with the flags that stand between a group and its command behind the command. */
function withGroupFlagsBehind(words: readonly string[]): readonly string[] {
  const [name = "", ...rest] = words;
  const node = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (node?.kind !== "group" || node.flags === undefined || !rest[0]?.startsWith("-")) return words;
  const { args, help, long } = parse(node.flags, rest, false, [name]);
  if (help) return [name, "--help"];
  const [command, ...others] = args;
  // A letter may mean something else behind the command: `compose -f FILE logs -f`.
  return command === undefined ? [name] : [name, command, ...long, ...others];
}

/** The command that the first of the words names, where they are more than the one before it takes. */
function variantOf(node: Command, words: readonly string[]): Command | undefined {
  const [word = ""] = words;
  const isMore = words.length > node.args.max || words.includes("--help") || words.includes("-h");
  return isMore && Object.hasOwn(node.variants, word) ? node.variants[word] : undefined;
}

function unknownCommand(node: Group, path: readonly string[], word: string): Exit {
  const name = ["thimble", ...path].join(" ");
  if (word.startsWith("-")) {
    return new Exit(125, `unknown flag: ${word}\n\n${usageLine(path)}`);
  }
  if (dockerCommands[path.join(" ")]?.includes(word)) {
    const command = [...path, word].join(" ");
    return new Exit(
      1,
      `thimble: docker has the command '${command}', but this version of thimble does not have it yet\n\nRun '${name} --help' for the commands that it has`,
    );
  }
  const meant = suggest(word, Object.keys(node.commands));
  const hint = meant ? `Did you mean "${name} ${meant}"?\n\n` : "";
  return new Exit(
    1,
    `thimble: unknown command: ${name} ${word}\n\n${hint}Run '${name} --help' for more information`,
  );
}

/** @param look as docker begins its last line: with "See" where any number of arguments is taken */
function usageLine(path: readonly string[], look: "Run" | "See" = "Run"): string {
  const name = ["thimble", ...path].join(" ");
  let node: Command | Group | undefined = { kind: "group", summary: "", commands };
  for (const word of path)
    node = node?.kind === "group" ? node.commands[word] : node?.variants[word];
  const rest = node?.kind === "command" ? node.usage : "[OPTIONS] COMMAND [ARG...]";
  return `Usage:  ${name} ${rest}\n\n${look} '${name} --help' for more information`;
}

function wrongCount(node: Command, path: readonly string[]): string {
  const { min, max } = node.args;
  const name = ["thimble", ...path].join(" ");
  const plural = (count: number) => `${count} argument${count === 1 ? "" : "s"}`;
  const needs =
    max === 0
      ? "accepts no arguments"
      : min === max
        ? `requires ${plural(min)}`
        : min === 0
          ? `requires at most ${plural(max)}`
          : max === Number.POSITIVE_INFINITY
            ? `requires at least ${plural(min)}`
            : `requires at least ${min} and at most ${plural(max)}`;
  return `thimble: '${name}' ${needs}\n\n${usageLine(path, max === Number.POSITIVE_INFINITY ? "See" : "Run")}`;
}

async function showHelp(context: Context, path: readonly string[]): Promise<number> {
  const { helpText } = await import("./help.ts");
  await context.out.write(helpText(path, { style: context.style, columns: context.out.columns }));
  return 0;
}

/** Prints why a command failed; gives its exit status. */
async function report(
  error: unknown,
  options: { err: NonNullable<CliOptions["stderr"]>; debug: boolean; failure: number },
): Promise<number> {
  const { err, debug, failure } = options;
  if (error instanceof Exit) {
    if (error.message !== "") await err.write(`${error.message}\n`);
    return error.status ?? failure;
  }
  // The other end of the output is closed: docker dies of SIGPIPE then, without a word.
  if (isFault(error, "canceled")) return 141;
  const text = failureText(error);
  await err.write(
    failure === 125
      ? `thimble: ${text}\n\nRun 'thimble run --help' for more information\n`
      : `${text}\n`,
  );
  if (debug && error instanceof Error) await err.write(`${error.stack}\n`);
  return failure;
}
