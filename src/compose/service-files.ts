import { posix } from "node:path";
import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import { parseRawEnv } from "./dotenv.ts";
import { readEnvText } from "./env-files.ts";
import { fileFault, readText } from "./files.ts";
import type { LoadOptions } from "./load.ts";

/** A service with the variables of its env files, over which its own stand. */
export function withEnvFiles(service: Mapping, options: LoadOptions): Mapping {
  const { environment } = options;
  const own: Mapping = new Map();
  const written = service.get("environment");
  for (const [key, value] of isMapping(written) ? written : []) {
    own.set(key, value ?? environment.get(key) ?? null);
  }
  const found: Mapping = new Map();
  const files = service.get("env_file");
  for (const file of Array.isArray(files) ? files.filter(isMapping) : []) {
    for (const [key, value] of readEnvFile(file, own, options)) found.set(key, value);
  }
  const result = new Map(service);
  result.delete("env_file");
  const all: Mapping = new Map([...found, ...own]);
  if (all.size > 0 || isMapping(written)) result.set("environment", all);
  return result;
}

function readEnvFile(file: Mapping, own: Mapping, options: LoadOptions): Map<string, string> {
  const written = String(file.get("path"));
  const path = posix.resolve(options.cwd, written);
  if (options.files.kind(path) === undefined) {
    if (file.get("required") !== true) return new Map();
    throw missing("env", written);
  }
  const lookup = (name: string) => {
    const value = own.get(name);
    return options.environment.get(name) ?? (typeof value === "string" ? value : undefined);
  };
  const format = file.get("format");
  const text = readText(options.files, path);
  if (format === undefined || format === "") return readEnvText(path, text, lookup, options.warn);
  if (format === "raw") return parseRawEnv(text, lookup);
  throw new Fault("invalid", `unsupported env_file format "${String(format)}"`);
}

function missing(kind: string, path: string): Fault {
  const cause = fileFault(path, "ENOENT", "stat").message;
  return new Fault("not_found", `${kind} file ${path} not found: ${cause}`, { about: path });
}

/** The absolute paths of a service's label files; undefined where it names none. */
export function labelFiles(service: Mapping, options: LoadOptions): string[] | undefined {
  const files = service.get("label_file");
  return Array.isArray(files)
    ? files.map((file) => posix.resolve(options.cwd, String(file)))
    : undefined;
}

/** A service with the labels of its label files, over which its own stand. */
export function withLabelFiles(service: Mapping, options: LoadOptions): Mapping {
  const files = labelFiles(service, options);
  if (files === undefined) return service;
  const found: Mapping = new Map();
  for (const file of files) {
    if (options.files.kind(file) === undefined) throw missing("label", file);
    const text = readText(options.files, file);
    const lookup = (name: string) => options.environment.get(name);
    for (const [key, value] of readEnvText(file, text, lookup, options.warn)) found.set(key, value);
  }
  const own = service.get("labels");
  const labels: Value = new Map([...found, ...(isMapping(own) ? own : [])]);
  const result = new Map(service);
  result.delete("label_file");
  return result.set("labels", labels);
}
