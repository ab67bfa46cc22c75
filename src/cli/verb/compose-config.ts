import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { collect, Fault } from "#base";
import {
  environmentLines,
  type FileProblem,
  type Files,
  imageNames,
  type ModelOptions,
  maxFileBytes,
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

export const composeConfig: Verb<typeof configFlags> = async (context, { flags, args }) => {
  const warnings: string[] = [];
  const request = await requestOf(context, flags, (message) => warnings.push(message));
  try {
    await write(context, flags, print(request, flags, args));
  } finally {
    for (const message of warnings) await context.err.write(warningLine(message));
  }
  return 0;
};

/** A warning as docker compose prints it where no terminal is. */
function warningLine(message: string): string {
  const time = new Date().toISOString().replace(/\.\d+/, "");
  return `time="${time}" level=warning msg=${JSON.stringify(message)}\n`;
}

async function requestOf(
  context: Context,
  flags: Values<typeof configFlags>,
  warn: (message: string) => void,
): Promise<ProjectRequest> {
  const isPiped = flags.file.includes("-") || context.env.COMPOSE_FILE === "-";
  const stdin = isPiped
    ? (await collect(context.stdin.read(), maxFileBytes, "the compose file")).toString()
    : "";
  const { "project-directory": directory, "project-name": name } = flags;
  return {
    files: localFiles,
    cwd: process.cwd(),
    env: context.env,
    paths: flags.file,
    stdin: () => stdin,
    envFiles: flags["env-file"],
    profiles: flags.profile,
    ...(directory === undefined ? {} : { directory }),
    ...(name === undefined ? {} : { name }),
    warn,
  };
}

const localFiles: Files = {
  read(path) {
    try {
      return readLimited(path);
    } catch (error) {
      return { errno: String((error as { code?: unknown }).code ?? error) };
    }
  },
  kind(path) {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    return found.isDirectory() ? "directory" : "file";
  },
  real(path) {
    try {
      return realpathSync(path);
    } catch {
      return path;
    }
  },
};

/** A pipe has no size before it is read, so that a file is measured and a pipe is counted. */
function readLimited(path: string): string | FileProblem {
  const { size } = statSync(path);
  if (size > maxFileBytes) return tooLarge;
  if (size > 0) return readFileSync(path, "utf8");
  const fd = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const chunk = Buffer.alloc(64 * 1024);
      const count = readSync(fd, chunk);
      if (count === 0) return Buffer.concat(chunks).toString();
      total += count;
      if (total > maxFileBytes) return tooLarge;
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    closeSync(fd);
  }
}

const tooLarge: FileProblem = { errno: "EFBIG" };

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
