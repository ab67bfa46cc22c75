import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import { goTypeName } from "./go-type.ts";
import { parsePorts } from "./parse-ports.ts";
import { parseVolume } from "./parse-volume.ts";
import { enter, type Path, PathTable, type Place, pathText, valueAt } from "./path.ts";
import { goText, isInteger } from "./value.ts";

interface Manner {
  /** What a variable keeps from being read stays as it is. */
  readonly isLenient: boolean;
  readonly warn: (message: string) => void;
}

type Transform = (value: Value, path: Path, manner: Manner) => Value;

const transforms = new PathTable<Transform>({
  "services.*.build": asBuild,
  "services.*.build.secrets.*": asFileReference,
  "services.*.build.additional_contexts": asKeyValues,
  "services.*.build.ssh": asSsh,
  "services.*.build.ulimits.*": asUlimit,
  "services.*.build.provenance": asText,
  "services.*.build.sbom": asText,
  "services.*.depends_on": asDependsOn,
  "services.*.deploy.resources.reservations.devices.*": asDeviceRequest,
  "services.*.devices.*": asDevice,
  "services.*.dns": asList,
  "services.*.env_file": asEnvFiles,
  "services.*.extends": asExtends,
  "services.*.gpus": asGpus,
  "services.*.gpus.*": asDeviceRequest,
  "services.*.label_file": asList,
  "services.*.models": asNames,
  "services.*.networks": asNames,
  "services.*.ports": asPorts,
  "services.*.secrets.*": asFileReference,
  "services.*.configs.*": asFileReference,
  "services.*.ulimits.*": asUlimit,
  "services.*.volumes.*": asVolume,
  "volumes.*": asResource,
  "networks.*": asResource,
  "secrets.*": asResource,
  "configs.*": asResource,
});

/** Turns short forms into the long ones; with `isLenient`, what a variable keeps from being read stays. */
export function makeCanonical(
  model: Mapping,
  isLenient: boolean,
  warn: (message: string) => void,
): Mapping {
  return transformParts(model, [], { isLenient, warn });
}

const placeOf = (path: Path) => path.reduce(enter<Transform>, transforms.root);

function transformAt(value: Value, path: Path, place: Place<Transform>, manner: Manner): Value {
  if (place.length === 0) return value;
  const one = valueAt(place);
  if (one !== undefined) return one(value, path, manner);
  if (isMapping(value)) return transformParts(value, path, manner, place);
  if (Array.isArray(value)) return transformItems(value, path, manner, place);
  return value;
}

function transformParts(
  mapping: Mapping,
  path: Path,
  manner: Manner,
  place: Place<Transform> = placeOf(path),
): Mapping {
  for (const [key, value] of mapping) {
    const next = enter(place, key);
    if (next.length === 0) continue;
    const isLeaf = value === null || typeof value !== "object";
    if (!isLeaf || valueAt(next) !== undefined) {
      mapping.set(key, transformAt(value, [...path, key], next, manner));
    }
  }
  return mapping;
}

function transformItems(
  items: Value[],
  path: Path,
  manner: Manner,
  place: Place<Transform> = placeOf(path),
): Value[] {
  const next = enter(place, "[]");
  return items.map((item) => transformAt(item, [...path, "[]"], next, manner));
}

const invalidType = (value: Value, path: Path, what: string) =>
  new Fault("invalid", `${pathText(path)}: invalid type ${goTypeName(value)} for ${what}`);

function asBuild(value: Value, path: Path, manner: Manner): Value {
  if (typeof value === "string") return new Map([["context", value]]);
  if (isMapping(value)) return transformParts(value, path, manner);
  throw invalidType(value, path, "build");
}

function asFileReference(value: Value, path: Path): Value {
  if (typeof value === "string") return new Map([["source", value]]);
  if (isMapping(value)) return value;
  throw new Fault("invalid", `${pathText(path)}: unsupported type ${goTypeName(value)}`);
}

function asKeyValues(value: Value, path: Path, manner: Manner): Value {
  if (!Array.isArray(value)) return value;
  const mapping: Mapping = new Map();
  for (const item of value) {
    const text = String(item);
    const at = text.indexOf("=");
    if (at < 0) {
      if (manner.isLenient) return value;
      throw new Fault("invalid", `${pathText(path)}: invalid value ${text}, expected key=value`);
    }
    mapping.set(text.slice(0, at), text.slice(at + 1));
  }
  return mapping;
}

function asSsh(value: Value, path: Path): Value {
  if (isMapping(value)) return value;
  const items = typeof value === "string" ? [value] : value;
  if (!Array.isArray(items)) throw invalidType(value, path, "ssh");
  const mapping: Mapping = new Map();
  for (const item of items) {
    const text = String(item);
    const at = text.indexOf("=");
    if (at < 0 && text !== "default") throw new Fault("invalid", `invalid ssh key "${text}"`);
    mapping.set(at < 0 ? text : text.slice(0, at), at < 0 ? null : text.slice(at + 1));
  }
  return mapping;
}

function asUlimit(value: Value, path: Path): Value {
  if (isMapping(value) || isInteger(value)) return value;
  if (typeof value === "string" && value.includes("$")) return value;
  throw invalidType(value, path, "ulimits");
}

function asText(value: Value): Value {
  return typeof value === "string" || value === null ? value : goText(value);
}

function asDependsOn(value: Value, path: Path): Value {
  if (Array.isArray(value)) {
    return new Map(value.map((name) => [String(name), started(new Map())]));
  }
  if (!isMapping(value)) throw invalidType(value, path, "depend_on");
  for (const dependency of value.values()) if (isMapping(dependency)) started(dependency);
  return value;
}

function started(dependency: Mapping): Mapping {
  if (!dependency.has("condition")) dependency.set("condition", "service_started");
  if (!dependency.has("required")) dependency.set("required", true);
  return dependency;
}

function asDeviceRequest(value: Value, path: Path): Value {
  if (!isMapping(value)) throw invalidType(value, path, "device request");
  if (value.has("count") && value.has("device_ids")) {
    const problem = `"count" and "device_ids" attributes are exclusive`;
    throw new Fault("invalid", `${pathText(path)}: ${problem}`);
  }
  return value;
}

function asDevice(value: Value, path: Path, manner: Manner): Value {
  if (isMapping(value)) return value;
  if (typeof value !== "string") throw invalidType(value, path, "service volume mount");
  const parts = value.split(":");
  const [source = "", target = source, permissions = "rwm"] = parts;
  if (parts.length > 3) {
    if (manner.isLenient) return value;
    throw new Fault("invalid", `confusing device mapping, please use long syntax: ${value}`);
  }
  return new Map([
    ["source", source],
    ["target", target],
    ["permissions", permissions],
  ]);
}

function asList(value: Value): Value {
  return typeof value === "string" ? [value] : value;
}

function asEnvFiles(value: Value, path: Path): Value {
  const items = typeof value === "string" ? [value] : value;
  if (!Array.isArray(items)) {
    throw new Fault("invalid", `${pathText(path)}: invalid type ${goTypeName(value)} for env_file`);
  }
  return items.map((item) => {
    const file: Mapping = isMapping(item) ? item : new Map([["path", item]]);
    if (!file.has("required")) file.set("required", true);
    return file;
  });
}

function asExtends(value: Value, path: Path): Value {
  if (typeof value === "string") return new Map([["service", value]]);
  if (isMapping(value)) return value;
  throw invalidType(value, path, "extends");
}

function asGpus(value: Value, path: Path, manner: Manner): Value {
  if (typeof value === "string") return [new Map([["count", "all"]])];
  if (Array.isArray(value)) return transformItems(value, path, manner);
  throw invalidType(value, path, "gpus");
}

function asNames(value: Value): Value {
  return Array.isArray(value) ? new Map(value.map((name) => [String(name), null])) : value;
}

function asPorts(value: Value, path: Path, manner: Manner): Value {
  if (!Array.isArray(value)) throw invalidType(value, path, "port");
  const ports: Value[] = [];
  for (const item of value) {
    if (isMapping(item)) ports.push(item);
    else if (typeof item === "string") {
      if (manner.isLenient && item.includes("$")) return value;
      ports.push(...parsePorts(item));
    } else if (isInteger(item)) ports.push(...parsePorts(String(item)));
    else throw invalidType(item, path, "port");
  }
  return ports;
}

function asVolume(value: Value, path: Path, manner: Manner): Value {
  if (isMapping(value)) return value;
  if (typeof value !== "string") throw invalidType(value, path, "service volume mount");
  try {
    return parseVolume(value);
  } catch (error) {
    if (manner.isLenient) return value;
    throw error;
  }
}

/** "external: {name: x}" is the old form of "external: true, name: x". */
function asResource(value: Value, path: Path, manner: Manner): Value {
  if (value === null) return null;
  if (!isMapping(value)) {
    throw invalidType(value, path, "resource");
  }
  transformParts(value, path, manner);
  const external = value.get("external");
  if (!isMapping(external)) return value;
  const outer = value.get("name");
  const inner = external.get("name");
  if (inner !== undefined) {
    const place = pathText(path);
    manner.warn(`${place}: external.name is deprecated. Please set name and external: true`);
  }
  if (outer !== undefined && inner !== undefined && outer !== inner) {
    throw new Fault("invalid", `${pathText(path)}: name and external.name conflict; only use name`);
  }
  value.set("external", true);
  if (inner !== undefined) value.set("name", inner);
  return value;
}
