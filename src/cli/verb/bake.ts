import { existsSync } from "node:fs";
import { homedir } from "node:os";
import {
  attestText,
  type DefinitionFile,
  finishTargets,
  listTargets,
  listVariables,
  type ParsedFiles,
  parseDefinitions,
  printTargets,
  resolveTargets,
} from "#bake";
import { isFault, parseBool } from "#base";
import { excerpt } from "#dockerfile";
import { HclFault } from "#hcl";
import { formatPlatform, hostPlatform } from "#image";
import { readBakeFiles, readDotenv } from "../bake-files.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { csvFields } from "../csv-fields.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import type { bakeFlags } from "../table/bake.ts";

type Flags = Values<typeof bakeFlags>;

export const bake: Verb<typeof bakeFlags> = async (context, { flags, args }) => {
  if (flags.print && flags.list !== undefined) {
    throw new Exit(1, "ERROR: --print and --list are mutually exclusive");
  }
  const [first] = args;
  if (first !== undefined && /^(?:https?|git|ssh):\/\/|^git@/.test(first)) {
    throw new Exit(1, `thimble: definitions at a URL are not read: ${first}`);
  }
  const files = await readBakeFiles(context, flags.file);
  try {
    return await run(context, { flags, files, names: args.length > 0 ? args : ["default"] });
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    throw new Exit(1, `${sourceLines(error, files)}ERROR: ${error.message}`);
  }
};

interface Work {
  readonly flags: Flags;
  readonly files: readonly DefinitionFile[];
  readonly names: readonly string[];
}

async function run(context: Context, { flags, files, names }: Work): Promise<number> {
  const lookUp = variables(context.env, flags.var);
  const parsed = parseDefinitions(files, {
    lookUp,
    dotenv: await readDotenv(),
    now: () => new Date(),
    homeDirectory: homedir(),
    builtins: new Map([
      ["BAKE_CMD_CONTEXT", "cwd://"],
      ["BAKE_LOCAL_PLATFORM", formatPlatform(hostPlatform())],
    ]),
  });
  if (flags.list !== undefined) {
    await context.out.write(listed(parsed, flags.list));
    return 0;
  }
  const overrides = overridesOf(flags);
  const resolved = resolveTargets(parsed.definition, { names, overrides, lookUp });
  const finished = finishTargets(resolved, {
    env: context.env,
    hasPath: (path) => existsSync(path),
  });
  if (!flags.print) {
    const { runTargets } = await import("../build/bake-run.ts");
    return await runTargets(context, finished);
  }
  await context.out.write(printTargets(finished));
  return 0;
}

/** The lines of the file that a fault is about, as buildx shows them. */
function sourceLines(error: unknown, files: readonly DefinitionFile[]): string {
  const range = error instanceof HclFault ? error.range : undefined;
  const file = files.find(({ name }) => name === range?.file);
  if (!range || !file) return "";
  const text = Buffer.from(file.bytes).toString();
  return excerpt(file.name, text, [{ start: range.start.line, end: range.end.line }]);
}

/** Variables that are set for this run, and those of the environment, unless these are turned off. */
function variables(
  env: Context["env"],
  given: readonly string[],
): (name: string) => string | undefined {
  const own = new Map<string, string>();
  for (const each of given) {
    const equals = each.indexOf("=");
    const shown = JSON.stringify(each);
    if (equals < 0) throw new Exit(1, `ERROR: invalid variable ${shown}, expected key=value`);
    if (equals === 0) throw new Exit(1, `ERROR: invalid variable ${shown}, key is empty`);
    own.set(each.slice(0, equals), each.slice(equals + 1));
  }
  const isOff = isTrue(env.BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP);
  return (name) => own.get(name) ?? (isOff ? undefined : env[name]);
}

function isTrue(text: string | undefined): boolean {
  try {
    return text !== undefined && parseBool(text);
  } catch {
    return false;
  }
}

/** The short flags, as what they are short for. */
function overridesOf(flags: Flags): string[] {
  const overrides = [...flags.set];
  if (flags.push) overrides.push("*.push=true");
  if (flags.load) overrides.push("*.load=true");
  const call = flags.check ? "check" : flags.call;
  if (call !== undefined && call !== "build")
    overrides.push(`*.call=${call === "check" ? "lint" : call}`);
  if (flags["no-cache"]) overrides.push("*.no-cache=true");
  if (flags.pull) overrides.push("*.pull=true");
  for (const type of ["sbom", "provenance"] as const) {
    const text = flags[type];
    if (text) overrides.push(`*.attest=${attestText(type, text)}`);
  }
  return overrides;
}

/** "targets", or "type=variables,format=json". */
function listed({ definition, variables: all }: ParsedFiles, text: string): string {
  let type = "";
  let format = "table";
  const fields = csvFields(text);
  if (fields.length === 1 && !text.startsWith("type=")) type = text;
  else {
    for (const field of fields) {
      const [key = "", value] = field.split("=", 2);
      if (value === undefined) throw new Exit(1, `ERROR: invalid value ${field}`);
      if (key.trim().toLowerCase() === "type") type = value;
      else if (key.trim().toLowerCase() === "format") format = value;
      else throw new Exit(1, `ERROR: unexpected key '${key}' in '${field}'`);
    }
  }
  if (type !== "targets" && type !== "variables") {
    throw new Exit(1, `ERROR: invalid list type ${JSON.stringify(type)}`);
  }
  if (format !== "table" && format !== "json") {
    throw new Exit(1, `ERROR: invalid list format ${JSON.stringify(format)}`);
  }
  return type === "targets" ? listTargets(definition, format) : listVariables(all, format);
}
