import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import { goTypeName } from "./go-type.ts";
import { parseVolume } from "./parse-volume.ts";
import { enter, PathTable, type Place, valueAt } from "./path.ts";
import { goText, isInteger } from "./value.ts";

/** The key under which an entry of a list counts once. */
type Index = (entry: Value, path: string) => string;

const indexes = new PathTable<Index>({
  "networks.*.labels": byName,
  "networks.*.ipam.options": byName,
  "services.*.annotations": byName,
  "services.*.build.args": byName,
  "services.*.build.additional_contexts": byName,
  "services.*.build.platforms": byName,
  "services.*.build.tags": byName,
  "services.*.build.labels": byName,
  "services.*.cap_add": byName,
  "services.*.cap_drop": byName,
  "services.*.configs": byMountIn(""),
  "services.*.deploy.labels": byName,
  "services.*.devices": byDevice,
  "services.*.dns": byName,
  "services.*.dns_opt": byName,
  "services.*.dns_search": byName,
  "services.*.environment": byName,
  "services.*.env_file": byEnvFile,
  "services.*.expose": byNumber,
  "services.*.labels": byName,
  "services.*.links": byName,
  "services.*.networks.*.aliases": byName,
  "services.*.networks.*.link_local_ips": byName,
  "services.*.ports": byPort,
  "services.*.profiles": byName,
  "services.*.secrets": byMountIn("/run/secrets"),
  "services.*.sysctls": byName,
  "services.*.tmpfs": byName,
  "services.*.volumes": byTarget,
});

/** Removes from lists what a later entry defines anew; the later one takes the place of the first. */
export function enforceUnicity(model: Mapping): Mapping {
  visit(model, [], indexes.root);
  return model;
}

function visit(mapping: Mapping, path: string[], place: Place<Index>): void {
  for (const [key, value] of mapping) {
    if (value === null || typeof value !== "object") continue;
    const next = enter(place, key);
    if (next.length === 0) continue;
    if (isMapping(value)) visit(value, [...path, key], next);
    if (!Array.isArray(value)) continue;
    const index = valueAt(next);
    if (index !== undefined) mapping.set(key, uniqueItems(value, index, [...path, key].join(".")));
  }
}

function uniqueItems(items: Value[], index: Index, path: string): Value[] {
  const places = new Map<string, number>();
  const kept: Value[] = [];
  for (const [i, item] of items.entries()) {
    const key = index(item, `${path}.[${i}]`);
    const place = places.get(key);
    if (place === undefined) {
      places.set(key, kept.length);
      kept.push(item);
    } else kept[place] = item;
  }
  return kept;
}

function byName(entry: Value, path: string): string {
  if (typeof entry !== "string") {
    throw new Fault("invalid", `${path}: unexpected type ${goTypeName(entry)}`);
  }
  const at = entry.indexOf("=");
  return at < 0 ? entry : entry.slice(0, at);
}

function byTarget(entry: Value, path: string): string {
  if (typeof entry === "string") return String(parseVolume(entry).get("target"));
  if (!isMapping(entry)) return "";
  const target = entry.get("target");
  if (typeof target === "string") return target;
  throw new Fault("invalid", `service volume ${path} is missing a mount target`);
}

function byDevice(entry: Value, path: string): string {
  if (typeof entry === "string") {
    const [source = "", target = source] = entry.split(":");
    return target;
  }
  if (!isMapping(entry)) return "";
  const target = entry.get("target");
  if (typeof target === "string") return target;
  throw new Fault("invalid", `service device ${path} is missing a mount target`);
}

function byNumber(entry: Value, path: string): string {
  if (typeof entry === "string" || isInteger(entry)) return String(entry);
  throw new Fault("invalid", `${path}: unsupported expose value ${verbS(entry)}`);
}

/** A value that is no text as Go's fmt prints it with %s. */
function verbS(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(verbS).join(" ")}]`;
  return typeof value === "string" ? value : `%!s(${goTypeName(value)}=${goText(value)})`;
}

function byMountIn(directory: string): Index {
  return (entry, path) => {
    if (typeof entry === "string") return `${directory}/${entry}`;
    if (!isMapping(entry)) {
      throw new Fault("invalid", `${path}: unsupported expose value ${verbS(entry)}`);
    }
    const target = entry.get("target");
    return target === undefined
      ? `${directory}/${goText(entry.get("source") ?? null)}`
      : goText(target);
  };
}

function byEnvFile(entry: Value, path: string): string {
  if (typeof entry === "string") return entry;
  const file = isMapping(entry) ? entry.get("path") : undefined;
  if (file !== undefined) return goText(file);
  throw new Fault("invalid", `environment path attribute ${path} is missing`);
}

function byPort(entry: Value, path: string): string {
  if (!isMapping(entry)) return typeof entry === "string" || isInteger(entry) ? String(entry) : "";
  const target = entry.get("target");
  if (target === undefined) {
    throw new Fault("invalid", `service ports ${path} is missing a target port`);
  }
  const text = (key: string, other: string) => {
    const value = entry.get(key);
    return value === undefined ? other : goText(value);
  };
  const address = text("host_ip", "0.0.0.0");
  return `${address}:${text("published", "")}:${goText(target)}/${text("protocol", "tcp")}`;
}
