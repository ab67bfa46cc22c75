import { posix } from "node:path";
import { Fault } from "#base";
import type { Source } from "./documents.ts";
import { readEnvFiles } from "./env-files.ts";
import { type Files, readText } from "./files.ts";

/** What of the command line and its surroundings says which project is meant. */
export interface ProjectRequest {
  readonly files: Files;
  /** Where the command was called; absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Paths of compose files; "-" is the standard input. Empty to look for them. */
  readonly paths: readonly string[];
  readonly stdin: () => string;
  readonly envFiles: readonly string[];
  readonly directory?: string;
  readonly name?: string;
  readonly profiles: readonly string[];
  readonly warn: (message: string) => void;
}

/** The files of a project, its directory and the variables that its files may use. */
export interface FoundSources {
  readonly directory: string;
  readonly sources: readonly Source[];
  readonly environment: Map<string, string>;
  readonly profiles: readonly string[];
}

const names = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const overrides = [
  "compose.override.yml",
  "compose.override.yaml",
  "docker-compose.override.yml",
  "docker-compose.override.yaml",
];

/**
 * Finds and reads the compose files: those that are given, those of COMPOSE_FILE, or those of the
 * directory and the ones above it. The shell's variables win over those of .env.
 * @throws Fault in docker compose's words
 */
export function findSources(request: ProjectRequest): FoundSources {
  const environment = new Map<string, string>();
  for (const [key, value] of Object.entries(request.env)) {
    if (value !== undefined) environment.set(key, value);
  }
  environment.set("PWD", request.cwd);
  let paths = request.paths;
  addEnvFiles(environment, request, paths);
  if (paths.length === 0) {
    paths =
      pathsOfEnvironment(environment, request.cwd) ?? lookFor(request, directoryOf(request, paths));
  }
  addEnvFiles(environment, request, paths);
  if (paths.length === 0) {
    throw new Fault("not_found", "no configuration file provided: not found");
  }
  const directory = directoryOf(request, paths);
  const sources = paths.map((path): Source => {
    if (path === "-") return { path, text: request.stdin() };
    const absolute = posix.resolve(request.cwd, path);
    return { path: absolute, text: readText(request.files, absolute) };
  });
  return { directory, sources, environment, profiles: profilesOf(request, environment) };
}

function profilesOf(request: ProjectRequest, environment: ReadonlyMap<string, string>) {
  if (request.profiles.length > 0) return request.profiles;
  return (environment.get("COMPOSE_PROFILES") ?? "").split(",").map((profile) => profile.trim());
}

function directoryOf(request: ProjectRequest, paths: readonly string[]): string {
  if (request.directory !== undefined && request.directory !== "") {
    return posix.resolve(request.cwd, request.directory);
  }
  const first = paths.find((path) => path !== "-");
  return first === undefined ? request.cwd : posix.dirname(posix.resolve(request.cwd, first));
}

function addEnvFiles(
  environment: Map<string, string>,
  request: ProjectRequest,
  paths: readonly string[],
): void {
  const { files, warn } = request;
  let envFiles = request.envFiles.map((path) => posix.resolve(request.cwd, path));
  if (envFiles.length === 0) {
    const disabled = request.env.COMPOSE_DISABLE_ENV_FILE;
    if (disabled !== undefined && isTrue(disabled)) return;
    const own = posix.join(directoryOf(request, paths), ".env");
    envFiles = files.kind(own) === "file" ? [own] : [];
  }
  for (const path of envFiles) {
    const kind = files.kind(path);
    if (kind === undefined) throw new Fault("not_found", `couldn't find env file: ${path}`);
    if (kind === "directory") throw new Fault("invalid", `${path} is a directory`);
  }
  for (const [name, value] of readEnvFiles(envFiles, environment, { files, warn })) {
    if (!environment.has(name)) environment.set(name, value);
  }
}

function isTrue(text: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  const problem = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw new Fault("invalid", problem);
}

function pathsOfEnvironment(environment: ReadonlyMap<string, string>, cwd: string) {
  const value = environment.get("COMPOSE_FILE");
  if (value === undefined) return undefined;
  const separator = environment.get("COMPOSE_PATH_SEPARATOR") || ":";
  return value.split(separator).map((path) => (path === "-" ? path : posix.resolve(cwd, path)));
}

function lookFor({ files, warn }: ProjectRequest, start: string): string[] {
  for (let directory = start; ; directory = posix.dirname(directory)) {
    const existing = (candidates: readonly string[]) =>
      candidates
        .map((name) => posix.join(directory, name))
        .filter((path) => files.kind(path) !== undefined);
    const found = existing(names);
    const [winner] = found;
    if (winner !== undefined) {
      if (found.length > 1) {
        warn(`Found multiple config files with supported names: ${found.join(", ")}`);
        warn(`Using ${winner}`);
      }
      const extra = existing(overrides);
      if (extra.length > 1) {
        warn(`Found multiple override files with supported names: ${extra.join(", ")}`);
        warn(`Using ${extra[0]}`);
      }
      return [winner, ...extra.slice(0, 1)];
    }
    if (directory === "/") return [];
  }
}
