import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { type DefinitionFile, defaultFiles } from "#bake";
import { collect } from "#base";
import type { Context } from "./context.ts";
import { Exit } from "./failure.ts";
import { reasonOf } from "./local-file.ts";

const maxFileBytes = 4 << 20;

/** The files that define targets: those that are named, else those of BUILDX_BAKE_FILE, else the usual ones that are there. */
export async function readBakeFiles(
  context: Context,
  given: readonly string[],
): Promise<DefinitionFile[]> {
  const named = given.length > 0 ? given : environmentFiles(context.env);
  const files: DefinitionFile[] = [];
  for (const name of named.length > 0 ? named : defaultFiles) {
    const path = name.replace(/^cwd:\/\//, "");
    if (path === "-") {
      const bytes = await collect(context.stdin.read(), maxFileBytes, "standard input");
      files.push({ name: path, bytes });
      continue;
    }
    const bytes = await readFileBytes(path, named.length === 0);
    if (bytes) files.push({ name: path, bytes });
  }
  if (files.length === 0) throw new Exit(1, "ERROR: couldn't find a bake definition");
  return files;
}

function environmentFiles(env: Context["env"]): string[] {
  const separator = env.BUILDX_BAKE_PATH_SEPARATOR || ":";
  return (env.BUILDX_BAKE_FILE ?? "")
    .split(separator)
    .map((path) => path.trim())
    .filter((path) => path !== "");
}

/** The bytes of a file; undefined for one that is not there, if it may be missing. */
async function readFileBytes(path: string, mayBeMissing: boolean): Promise<Uint8Array | undefined> {
  try {
    if ((await stat(path)).isDirectory()) {
      throw new Exit(1, `ERROR: read ${path}: is a directory`);
    }
    return await collect(createReadStream(path), maxFileBytes, path);
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (mayBeMissing && code === "ENOENT") return undefined;
    if (error instanceof Exit || code === "exhausted") throw error;
    throw new Exit(1, `ERROR: open ${path}: ${reasonOf(error)}`);
  }
}

/** The variables of the file .env, where it is there: "NAME=VALUE" a line, in quotes or without. */
export async function readDotenv(): Promise<ReadonlyMap<string, string>> {
  const bytes = await readFileBytes(".env", true);
  const variables = new Map<string, string>();
  for (const line of Buffer.from(bytes ?? [])
    .toString()
    .split(/\r?\n/)) {
    const [, name, value = ""] =
      /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) continue;
    const quoted = /^(["'])(.*)\1(?:\s+#.*)?$/.exec(value)?.[2];
    variables.set(name, quoted ?? value.replace(/\s+#.*$/, ""));
  }
  return variables;
}
