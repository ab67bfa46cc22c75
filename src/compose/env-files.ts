import { Fault } from "#base";
import { DotenvError, parseDotenv } from "./dotenv.ts";
import { type Files, readText } from "./files.ts";
import { unsetWarning } from "./interpolate.ts";

interface EnvFileOptions {
  readonly files: Files;
  readonly warn: (message: string) => void;
}

/** The variables of files, a later file over an earlier one; the environment is known in them. */
export function readEnvFiles(
  paths: readonly string[],
  environment: ReadonlyMap<string, string>,
  options: EnvFileOptions,
): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of paths) {
    const lookup = (name: string) => environment.get(name) ?? found.get(name);
    const text = readText(options.files, path);
    for (const [name, value] of readEnvText(path, text, lookup, options.warn)) {
      if (!/^\d/.test(name)) found.set(name, value);
    }
  }
  return found;
}

/** The variables of one file. */
export function readEnvText(
  path: string,
  text: string,
  lookup: (name: string) => string | undefined,
  warn: (message: string) => void,
): Map<string, string> {
  try {
    return parseDotenv(text, { lookup, unset: (name) => warn(unsetWarning(name)) });
  } catch (error) {
    if (!(error instanceof DotenvError)) throw error;
    throw new Fault("invalid", `failed to read ${path}: ${error.message}`, { about: path });
  }
}
