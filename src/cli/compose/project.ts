import { closeSync, openSync, readFileSync, readSync, realpathSync, statSync } from "node:fs";
import { collect } from "#base";
import {
  type FileProblem,
  type Files,
  maxFileBytes,
  openProject,
  type Project,
  type ProjectRequest,
} from "#compose";
import type { Context } from "../context.ts";
import type { Values } from "../flag.ts";
import type { projectFlags } from "../table/compose-project.ts";

/** The values of the flags that say which project is meant. */
export type ProjectFlags = Values<typeof projectFlags>;

/**
 * What `read` makes of the project that flags and environment name. Warnings about its files are on
 * the standard error by the time this settles, also when reading fails.
 * @throws Fault of `read`, in docker compose's words
 */
export async function readProject<T>(
  context: Context,
  flags: ProjectFlags,
  read: (request: ProjectRequest) => T,
): Promise<T> {
  const warnings: string[] = [];
  const request = await requestOf(context, flags, (message) => warnings.push(message));
  try {
    return read(request);
  } finally {
    for (const message of warnings) await context.err.write(warningLine(message));
  }
}

/** The name of the project; its files are read only where neither flags nor environment name it. */
export async function projectName(context: Context, flags: ProjectFlags): Promise<string> {
  const given = flags["project-name"] || context.env.COMPOSE_PROJECT_NAME;
  if (given) return given;
  const read = (request: ProjectRequest) => openProject(request).project.name;
  return await readProject(context, flags, read);
}

/**
 * A project with these services and those that they need, or only its name where that is given and no
 * file is.
 */
export async function projectOrName(
  context: Context,
  flags: ProjectFlags,
  services: readonly string[],
): Promise<{ readonly name: string; readonly project?: Project }> {
  const { name, opened } = await openedOrName(context, flags, (request) =>
    openProject(request, { resolvesEnvironment: false }, services),
  );
  return opened === undefined ? { name } : { name, project: opened.project };
}

/** What `open` makes of a project's files, or only its name where that is given and no file is. */
export async function openedOrName<T extends { readonly project: Project }>(
  context: Context,
  flags: ProjectFlags,
  open: (request: ProjectRequest) => T,
): Promise<{ readonly name: string; readonly opened?: T }> {
  const given = flags["project-name"];
  if (given && flags.file.length === 0) return { name: given.toLowerCase() };
  const read = (request: ProjectRequest) => {
    try {
      const opened = open(request);
      return { name: opened.project.name, opened };
    } catch (error) {
      const name = context.env.COMPOSE_PROJECT_NAME;
      if (!name) throw error;
      return { name };
    }
  };
  return await readProject(context, flags, read);
}

/** A warning as docker compose prints it where no terminal is. */
export function warningLine(message: string): string {
  const time = new Date().toISOString().replace(/\.\d+/, "");
  return `time="${time}" level=warning msg=${JSON.stringify(message)}\n`;
}

async function requestOf(
  context: Context,
  flags: ProjectFlags,
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
