import { Fault } from "#base";
import { isMapping, type Mapping } from "#yaml";

/** Checks what a schema cannot: sources of secrets and configs, options of external resources, watched paths. */
export function checkModel(model: Mapping): void {
  for (const [name, volume] of partsOf(model, "volumes")) checkExternal(volume, `volumes.${name}`);
  for (const [name, config] of partsOf(model, "configs")) {
    checkSources(config, `configs.${name}`, ["file", "environment", "content"]);
  }
  for (const [name, secret] of partsOf(model, "secrets")) {
    checkSources(secret, `secrets.${name}`, ["file", "environment"]);
  }
  for (const [name, service] of partsOf(model, "services")) checkWatches(service, name);
}

function partsOf(model: Mapping, section: string): [string, Mapping][] {
  const parts = model.get(section);
  if (!isMapping(parts)) return [];
  return [...parts].filter((entry): entry is [string, Mapping] => isMapping(entry[1]));
}

function checkExternal(part: Mapping, path: string): void {
  if (part.get("external") !== true) return;
  for (const key of part.keys()) {
    if (key === "name" || key === "external" || key.startsWith("x-")) continue;
    throw new Fault("invalid", `${path}: conflicting parameters "external" and "${key}" specified`);
  }
}

function checkSources(part: Mapping, path: string, keys: readonly string[]): void {
  const count = keys.filter((key) => part.has(key)).length;
  if (count > 1) {
    throw new Fault("invalid", `${path}: ${keys.join("|")} attributes are mutually exclusive`);
  }
  if (count === 0 && !part.has("driver") && !part.has("external")) {
    throw new Fault("invalid", `${path}: one of ${keys.join("|")} must be set`);
  }
}

function checkWatches(service: Mapping, name: string): void {
  const develop = service.get("develop");
  const watch = isMapping(develop) ? develop.get("watch") : undefined;
  for (const rule of Array.isArray(watch) ? watch : []) {
    if (isMapping(rule) && rule.get("path") === "") {
      throw new Fault("invalid", `services.${name}.develop.watch.[].path: value can't be blank`);
    }
  }
}
