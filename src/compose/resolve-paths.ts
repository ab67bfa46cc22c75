import { posix } from "node:path";
import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import type { Files } from "./files.ts";
import { enter, PathTable, type Place, valueAt } from "./path.ts";

type Resolver = (value: Value, base: Base) => Value;

/** Whence relative paths count, and the home directory that "~" means. */
export interface Base {
  readonly directory: string;
  readonly home: string;
  readonly files: Files;
}

const resolvers = new PathTable<Resolver>({
  "services.*.build.context": resolveContext,
  "services.*.build.additional_contexts.*": resolveContext,
  "services.*.build.ssh.*": resolvePath,
  "services.*.env_file.*.path": resolvePath,
  "services.*.label_file.*": resolvePath,
  "services.*.extends.file": resolvePath,
  "services.*.develop.watch.*.path": (value, base) => {
    const path = resolvePath(value, base);
    return typeof path === "string" && path.startsWith("/") ? base.files.real(path) : path;
  },
  "services.*.volumes.*": resolveMount,
  "configs.*.file": resolvePath,
  "secrets.*.file": resolvePath,
  "volumes.*": resolveDevice,
});

/** Makes the relative paths of a model count from a directory, which may be relative itself. */
export function resolvePaths(model: Mapping, base: Base): void {
  visit(model, resolvers.root, base);
}

function visit(value: Value, place: Place<Resolver>, base: Base): Value {
  if (place.length === 0) return value;
  const resolver = valueAt(place);
  if (resolver !== undefined) return resolver(value, base);
  if (isMapping(value)) {
    for (const [key, part] of value) value.set(key, visit(part, enter(place, key), base));
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) value[i] = visit(item, enter(place, "[]"), base);
  }
  return value;
}

/** A path under a directory, as Go's filepath.Join cleans it. */
function joinPath(directory: string, path: string): string {
  const joined = posix.join(directory, path);
  return joined.length > 1 ? joined.replace(/\/+$/, "") : joined;
}

function resolvePath(value: Value, base: Base): Value {
  if (typeof value !== "string") return value;
  const path = expandHome(value, base.home);
  if (path.startsWith("/") || /^([a-zA-Z]:[\\/]|\\\\)/.test(path)) return path;
  return joinPath(base.directory, path);
}

function expandHome(path: string, home: string): string {
  return path.startsWith("~") ? joinPath(home, path.slice(1)) : path;
}

const remote = /^(https?|git|ssh):\/\/|^github\.com\/|^git@|^service:|:\/\//;

function resolveContext(value: Value, base: Base): Value {
  return typeof value === "string" && remote.test(value) ? value : resolvePath(value, base);
}

function resolveMount(value: Value, base: Base): Value {
  if (!isMapping(value) || value.get("type") !== "bind") return value;
  const source = value.get("source");
  if (source === undefined) {
    const problem = `invalid mount config for type "bind": field Source must not be empty`;
    throw new Fault("invalid", problem);
  }
  return value.set("source", resolvePath(source, base));
}

/** A volume of the driver "local" with the option "bind" is a directory of the host. */
function resolveDevice(value: Value, base: Base): Value {
  const options = isMapping(value) ? value.get("driver_opts") : undefined;
  if (!isMapping(options) || options.get("o") !== "bind") return value;
  const device = options.get("device");
  if (device !== undefined) options.set("device", resolvePath(device, base));
  return value;
}
