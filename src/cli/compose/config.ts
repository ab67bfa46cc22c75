import { writeFileSync } from "node:fs";
import { Fault } from "#base";
import {
  environmentLines,
  imageNames,
  type ModelOptions,
  modelVariables,
  networkNames,
  type ProjectRequest,
  printConfig,
  printVariables,
  profileNames,
  serviceHashes,
  serviceNames,
  volumeNames,
} from "#compose";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import type { Values } from "../flag.ts";
import { alignColumns } from "../listing.ts";
import { reasonOf } from "../local-file.ts";
import type { configFlags } from "../table/compose.ts";
import { readProject } from "./project.ts";

export const composeConfig: Verb<typeof configFlags> = async (context, { flags, args }) => {
  const text = await readProject(context, flags, (request) => print(request, flags, args));
  await write(context, flags, text);
  return 0;
};

/** What the flags ask for: a list, or the project. */
function print(
  request: ProjectRequest,
  flags: Values<typeof configFlags>,
  services: readonly string[],
): string {
  const options: ModelOptions = {
    isInterpolated: !flags["no-interpolate"],
    isNormalized: !flags["no-normalize"] && !flags.compatibility,
    isConsistent: !flags["no-consistency"],
    resolvesPaths: !flags["no-path-resolution"],
    keepsUnused: flags["all-resources"],
  };
  const lines = (all: readonly string[]) => all.map((line) => `${line}\n`).join("");
  if (flags.services) return lines(serviceNames(request, options));
  if (flags.volumes) return lines(volumeNames(request, options));
  if (flags.networks) return lines(networkNames(request, options));
  if (flags.hash) {
    return lines(serviceHashes(request, options, flags.hash).map((pair) => pair.join(" ")));
  }
  if (flags.profiles) return lines(profileNames(request, options, services));
  if (flags.images) return lines(imageNames(request, options, services));
  if (flags.variables) return variablesText(request, options, flags.format);
  if (flags.environment) return lines(environmentLines(request, options, services));
  return printConfig(request, options, services, flags.format || "yaml");
}

function variablesText(
  request: ProjectRequest,
  options: ModelOptions,
  format: string | undefined,
): string {
  const variables = modelVariables(request, options);
  if (format === "json" || format === "yaml") return printVariables(variables, format);
  const rows = variables.map((variable) => [
    variable.name,
    String(variable.required),
    variable.defaultValue,
    variable.presenceValue,
  ]);
  const table = [["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"], ...rows];
  return alignColumns(table, 20)
    .map((line) => `${line}\n`)
    .join("");
}

async function write(
  context: Context,
  flags: Values<typeof configFlags>,
  text: string,
): Promise<void> {
  if (flags.quiet) return;
  if (flags.output === undefined || flags.output === "") {
    await context.out.write(text);
    return;
  }
  try {
    writeFileSync(flags.output, text);
  } catch (cause) {
    const problem = `open ${flags.output}: ${reasonOf(cause)}`;
    throw new Fault("invalid", problem, { about: flags.output, cause });
  }
}
