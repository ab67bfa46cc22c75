import { posix } from "node:path";
import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import { readEnvFiles } from "./env-files.ts";
import { fileFault, readText } from "./files.ts";
import { interpolate } from "./interpolate.ts";
import type { LoadOptions, Sources } from "./load.ts";
import { applyResets, type Resets } from "./reset.ts";
import { goText, isSame } from "./value.ts";

interface IncludeOptions extends LoadOptions {
  readonly loadModel: (sources: Sources, options: LoadOptions) => Mapping;
}

/** Adds to a model what the files hold that it includes. */
export function applyInclude(
  model: Mapping,
  file: string,
  sources: Sources,
  resets: Resets,
  options: IncludeOptions,
): void {
  const include = model.get("include");
  if (include === undefined) return;
  model.delete("include");
  if (include === null) return;
  if (!Array.isArray(include)) {
    throw new Fault("invalid", `\`include\` must be a list, got ${goText(include)}`);
  }
  const trail = [...sources.trail, file];
  for (const entry of include) {
    const imported = loadEntry(readEntry(entry, options), { ...sources, trail }, options);
    applyResets(imported, resets);
    importParts(imported, model);
  }
}

interface Entry {
  readonly paths: string[];
  readonly directory: string;
  readonly envFiles: string[];
}

function readEntry(entry: Value, options: IncludeOptions): Entry {
  const raw: Mapping = isMapping(entry) ? entry : new Map([["path", entry]]);
  const lookup = (name: string) => options.environment.get(name);
  const mapping = options.isInterpolated
    ? interpolate(raw, { lookup, warn: options.warn })
    : interpolate(raw, { lookup, warn: () => undefined });
  const texts = (key: string) => {
    const value = mapping.get(key) ?? null;
    if (value === null) return [];
    return (Array.isArray(value) ? value : [value]).map(goText);
  };
  const [directory = ""] = texts("project_directory");
  return { paths: texts("path"), directory, envFiles: texts("env_file") };
}

function loadEntry(entry: Entry, sources: Sources, options: IncludeOptions): Mapping {
  const { root, trail } = sources;
  const absolute = (path: string) => (posix.isAbsolute(path) ? path : posix.join(root, path));
  const paths = entry.paths.map(absolute);
  const [main] = paths;
  if (main === undefined) throw new Fault("invalid", "`include` needs a path");
  if (trail.includes(main)) {
    const [first, ...others] = [...trail, main];
    throw new Fault(
      "invalid",
      `include cycle detected:\n${first}\n include ${others.join("\n include ")}`,
    );
  }
  const inner = entry.directory === "" ? posix.dirname(main) : absolute(entry.directory);
  const relative = relativeDirectory(entry.directory, root, inner, options);
  const environment = readEnvironment(entry, root, inner, options);
  const files = paths.map((path) => ({ path, text: readText(options.files, path) }));
  return options.loadModel(
    { directory: relative, root: inner, files, trail },
    { ...options, environment, resolvesPaths: true },
  );
}

/** docker compose takes the directory above one that does not exist. */
function relativeDirectory(given: string, root: string, inner: string, options: IncludeOptions) {
  if (posix.isAbsolute(given)) return inner;
  const isThere = given === "" || options.files.kind(inner) === "directory";
  return posix.relative(root, isThere ? inner : posix.dirname(inner)) || ".";
}

/** The environment wins over the variables of an included project's own file. */
function readEnvironment(
  entry: Entry,
  root: string,
  inner: string,
  options: IncludeOptions,
): ReadonlyMap<string, string> {
  const files = entry.envFiles.map((file) =>
    posix.isAbsolute(file) ? file : posix.join(root, file),
  );
  for (const file of files) {
    const kind = options.files.kind(file);
    if (kind === undefined) throw fileFault(file, "ENOENT", "stat");
    if (kind === "directory") throw new Fault("invalid", `${file} is not a file`);
  }
  const own = posix.join(inner, ".env");
  if (files.length === 0 && options.files.kind(own) === "file") files.push(own);
  const found = readEnvFiles(files, options.environment, options);
  return new Map([...found, ...options.environment]);
}

const sections = ["services", "volumes", "networks", "secrets", "configs", "models"];

function importParts(imported: Mapping, model: Mapping): void {
  for (const section of sections) {
    const from = imported.get(section);
    if (!isMapping(from)) continue;
    const old = model.get(section);
    const into: Mapping = isMapping(old) ? old : new Map();
    for (const [name, part] of from) {
      const mine = into.get(name);
      if (mine !== undefined && !isSame(mine, part)) {
        throw new Fault("invalid", `${section}.${name} conflicts with imported resource`);
      }
      into.set(name, part);
    }
    model.set(section, into);
  }
}
