import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { collect } from "#base";
import { ignoreFileFor, maxDockerfileBytes } from "#dockerfile";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { reasonOf } from "../local-file.ts";

/** A Dockerfile, and what its context leaves out. */
export interface BuildFile {
  readonly text: string;
  /** For messages: the path as it was given, or "stdin". */
  readonly shownName: string;
  /** The name alone. */
  readonly name: string;
  /** The text of the .dockerignore; undefined when there is none. */
  readonly ignored: string | undefined;
}

/**
 * Reads the Dockerfile of a context, or of standard input for "-", and the .dockerignore that
 * belongs to it: NAME.dockerignore beside the Dockerfile, else that of the context.
 */
export async function readBuildFile(
  context: Context,
  { path, file }: { readonly path: string; readonly file: string | undefined },
): Promise<BuildFile> {
  if (path === "-" && file !== undefined && file !== "-") {
    throw new Exit(1, "thimble: the Dockerfile comes from standard input, so -f cannot name one");
  }
  if (path !== "-" && !(await isDirectory(path))) {
    throw new Exit(
      1,
      `ERROR: failed to build: unable to prepare context: path "${path}" not found`,
    );
  }
  const common = path === "-" ? undefined : join(path, ".dockerignore");
  if (path === "-" || file === "-") {
    const bytes = await collect(context.stdin.read(), maxDockerfileBytes, "the Dockerfile");
    const ignored = common === undefined ? undefined : await readIfThere(common);
    return { text: bytes.toString(), shownName: "stdin", name: "Dockerfile", ignored };
  }
  const found = file ?? (await defaultFile(path));
  const text = await readIfThere(found);
  if (text === undefined) {
    throw new Exit(1, unreadable(found, "no such file or directory"));
  }
  const own = await readIfThere(ignoreFileFor(found));
  const ignored = own ?? (common === undefined ? undefined : await readIfThere(common));
  return { text, shownName: found, name: basename(found), ignored };
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}

/** "Dockerfile"; where there is none, "dockerfile", which BuildKit takes too. */
async function defaultFile(directory: string): Promise<string> {
  const [usual, lower] = [join(directory, "Dockerfile"), join(directory, "dockerfile")];
  const isThere = async (path: string) => (await stat(path).catch(() => undefined)) !== undefined;
  return !(await isThere(usual)) && (await isThere(lower)) ? lower : usual;
}

/** The text of a file; undefined when it does not exist. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const bytes = await collect(createReadStream(path), maxDockerfileBytes, path);
    if (bytes.includes(0)) throw new Error("it is a binary file, and no text");
    return bytes.toString();
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "exhausted") throw error;
    throw new Exit(1, unreadable(path, reasonOf(error)));
  }
}

function unreadable(path: string, reason: string): string {
  return `ERROR: failed to build: failed to solve: failed to read dockerfile: open ${path}: ${reason}`;
}
