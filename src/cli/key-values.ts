import { Fault } from "#base";
import { readText } from "./local-file.ts";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The environment as `run` and `exec` send it: the files' variables first, then those of
 * `-e`. A name alone takes its value from `env`; without one there, a file leaves it out
 * and `-e NAME` stays as it is, by which the engine removes the image's variable.
 */
export function readEnvironment(
  files: readonly string[],
  words: readonly string[],
  env: Env,
): readonly string[] {
  const fromFiles = files.flatMap((path) =>
    readLines(path).flatMap((line) => {
      const equals = line.indexOf("=");
      const name = equals < 0 ? line : line.slice(0, equals);
      if (name === "") throw invalid(path, `no variable name on line '${line}'`);
      if (/\s/.test(name)) throw invalid(path, `variable '${name}' contains whitespaces`);
      if (equals >= 0) return [line];
      const value = env[name.trim()];
      return value === undefined ? [] : [`${name.trim()}=${value}`];
    }),
  );
  const fromWords = words.map((word) => {
    if (word === "" || word.startsWith("=")) {
      throw new Fault("invalid", `invalid environment variable: ${word}`, { about: word });
    }
    const value = word.includes("=") ? undefined : env[word];
    return value === undefined ? word : `${word}=${value}`;
  });
  return [...fromFiles, ...fromWords];
}

/** Labels of files and of `-l`; without "=" the value is empty. The last of a key wins. */
export function readLabels(
  files: readonly string[],
  words: readonly string[],
): Readonly<Record<string, string>> {
  return keyValues([...files.flatMap(readLines), ...words]);
}

/** "KEY=VALUE" words as a record; a key alone has the value "". */
export function keyValues(words: readonly string[]): Readonly<Record<string, string>> {
  const record: Record<string, string> = {};
  for (const word of words) {
    const equals = word.indexOf("=");
    const key = equals < 0 ? word : word.slice(0, equals);
    if (key === "") throw new Fault("invalid", `invalid label '${word}': empty name`);
    record[key] = equals < 0 ? "" : word.slice(equals + 1);
  }
  return record;
}

/** The lines of a file that say something: no blank ones, no comments, no byte order mark. */
function readLines(path: string): string[] {
  return readText(path)
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function invalid(path: string, why: string): Fault {
  return new Fault("invalid", `invalid env file (${path}): ${why}`, { about: path });
}
