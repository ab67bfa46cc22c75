import { isMapping, type Mapping, type Value } from "#yaml";
import { cleanTarget } from "./fill.ts";
import type { Lookup } from "./template.ts";

/** Adds to a model what Compose implies: the default network, dependencies, names of resources. */
export function normalize(model: Mapping, name: string, lookup: Lookup): void {
  addDefaultNetwork(model);
  const services = model.get("services");
  if (isMapping(services)) {
    for (const service of services.values())
      if (isMapping(service)) normalizeService(service, lookup);
  }
  for (const section of ["networks", "volumes", "configs", "secrets"])
    nameParts(model, section, name);
}

function addDefaultNetwork(model: Mapping): void {
  const services = model.get("services");
  if (!isMapping(services)) return;
  let isUsed = false;
  for (const service of services.values()) {
    if (!isMapping(service) || service.has("provider") || service.has("network_mode")) continue;
    const networks = service.get("networks");
    if (!isMapping(networks) || networks.size === 0) {
      service.set("networks", new Map([["default", null]]));
      isUsed = true;
    } else if (networks.has("default")) isUsed = true;
  }
  const old = model.get("networks");
  const networks: Mapping = isMapping(old) ? old : new Map();
  if (isUsed && !networks.has("default")) networks.set("default", null);
  if (networks.size > 0) model.set("networks", networks);
}

function normalizeService(service: Mapping, lookup: Lookup): void {
  if (service.get("pull_policy") === "if_not_present") service.set("pull_policy", "missing");
  const build = service.get("build");
  if (isMapping(build)) {
    if ((build.get("context") ?? null) === null) build.set("context", ".");
    const inline = build.get("dockerfile_inline") ?? null;
    if (inline === null && (build.get("dockerfile") ?? null) === null) {
      build.set("dockerfile", "Dockerfile");
    }
    const args = build.get("args");
    if (args !== undefined) build.set("args", resolveVariables(args, lookup, false));
  }
  const environment = service.get("environment");
  if (environment !== undefined) {
    service.set("environment", resolveVariables(environment, lookup, true));
  }
  const volumes = service.get("volumes");
  for (const volume of Array.isArray(volumes) ? volumes : []) {
    const target = isMapping(volume) ? volume.get("target") : undefined;
    if (typeof target === "string") (volume as Mapping).set("target", cleanTarget(target));
  }
  addDependencies(service);
}

/** Gives variables without a value that of the environment; the others go, unless they are kept. */
function resolveVariables(value: Value, lookup: Lookup, isKept: boolean): Value {
  if (isMapping(value)) {
    const resolved: Mapping = new Map();
    for (const [key, part] of value) {
      const found = part ?? lookup(key) ?? null;
      if (found !== null || isKept) resolved.set(key, found);
    }
    return resolved;
  }
  if (!Array.isArray(value)) return value;
  return value.flatMap((item) => {
    if (typeof item !== "string" || item.includes("=")) return [item];
    const found = lookup(item);
    if (found !== undefined) return [`${item}=${found}`];
    return isKept ? [item] : [];
  });
}

function addDependencies(service: Mapping): void {
  const old = service.get("depends_on");
  const dependencies: Mapping = isMapping(old) ? old : new Map();
  const add = (name: string, restart: boolean) => {
    if (dependencies.has(name)) return;
    const parts: [string, Value][] = [
      ["condition", "service_started"],
      ["restart", restart],
      ["required", true],
    ];
    dependencies.set(name, new Map(parts));
  };
  for (const link of listOf(service, "links")) {
    const parts = link.split(":");
    add(parts.length === 2 ? (parts[0] as string) : link, true);
  }
  for (const key of ["network_mode", "ipc", "pid", "uts", "cgroup"]) {
    const value = service.get(key);
    if (typeof value === "string" && value.startsWith("service:")) add(value.slice(8), true);
  }
  for (const from of listOf(service, "volumes_from")) {
    if (!from.startsWith("container:")) add(from.split(":")[0] as string, false);
  }
  if (dependencies.size > 0) service.set("depends_on", dependencies);
}

function listOf(service: Mapping, key: string): string[] {
  const value = service.get(key);
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function nameParts(model: Mapping, section: string, project: string): void {
  const parts = model.get(section);
  if (!isMapping(parts)) return;
  for (const [key, value] of parts) {
    const part: Mapping = isMapping(value) ? value : new Map();
    if ((part.get("name") ?? null) === null) {
      part.set("name", part.get("external") === true ? key : `${project}_${key}`);
    }
    parts.set(key, part);
  }
}
