import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import { type Path, PathTable, pathText } from "./path.ts";
import { byBytes, goText, isSame } from "./value.ts";

type Merger = (base: Value, over: Value, path: Path) => Value;

/** How values at these places merge; elsewhere mappings merge by key, lists are joined, scalars replaced. */
const mergers = new PathTable<Merger>({
  "networks.*.ipam.config": mergeAddressPools,
  "networks.*.labels": joinLists,
  "volumes.*.labels": joinLists,
  "services.*.annotations": joinLists,
  "services.*.build": mergeBuild,
  "services.*.build.args": joinLists,
  "services.*.build.additional_contexts": joinLists,
  "services.*.build.extra_hosts": mergeExtraHosts,
  "services.*.build.labels": joinLists,
  "services.*.command": replace,
  "services.*.depends_on": mergeDependsOn,
  "services.*.deploy.labels": joinLists,
  "services.*.dns": joinLists,
  "services.*.dns_opt": joinLists,
  "services.*.dns_search": joinLists,
  "services.*.entrypoint": replace,
  "services.*.env_file": joinLists,
  "services.*.label_file": joinLists,
  "services.*.environment": joinLists,
  "services.*.extra_hosts": mergeExtraHosts,
  "services.*.healthcheck.test": replace,
  "services.*.labels": joinLists,
  "services.*.volumes.*.volume.labels": joinLists,
  "services.*.logging": mergeLogging,
  "services.*.models": mergeByName,
  "services.*.networks": mergeByName,
  "services.*.sysctls": joinLists,
  "services.*.tmpfs": joinLists,
  "services.*.ulimits.*": mergeUlimit,
});

/** Lays one model over another; the base is changed. */
export function mergeModels(base: Mapping, over: Mapping): Mapping {
  return mergeMappings(base, over, []);
}

/** Lays a service over the one that it extends; the base is changed. */
export function mergeService(base: Mapping, over: Mapping): Mapping {
  return mergeMappings(base, over, ["services", "x"]);
}

function mergeValues(base: Value, over: Value, path: Path): Value {
  const merger = mergers.find(path);
  if (merger !== undefined) return merger(base, over, path);
  if (isMapping(base)) {
    if (over === null) return base;
    if (!isMapping(over)) throw new Fault("invalid", `cannot override ${pathText(path)}`);
    return mergeMappings(base, over, path);
  }
  if (Array.isArray(base)) {
    if (over === null) return base;
    if (!Array.isArray(over)) throw new Fault("invalid", `cannot override ${pathText(path)}`);
    return [...base, ...over];
  }
  return over;
}

function mergeMappings(base: Mapping, over: Mapping, path: Path): Mapping {
  for (const [key, value] of over) {
    const old = base.get(key);
    base.set(key, old === undefined ? value : mergeValues(old, value, [...path, key]));
  }
  return base;
}

function replace(_base: Value, over: Value): Value {
  return over;
}

/** Joins what may be a mapping, a list or a single text as a list of KEY=value; later ones win when doubles go. */
function joinLists(base: Value, over: Value): Value {
  return [...asList(base), ...asList(over)];
}

function asList(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  if (typeof value === "string") return [value];
  if (!isMapping(value)) return [];
  const list: string[] = [];
  for (const [key, part] of value) {
    if (part === null) list.push(key);
    else if (Array.isArray(part)) list.push(...part.map((one) => `${key}=${goText(one)}`));
    else list.push(`${key}=${goText(part)}`);
  }
  return list.sort(byBytes);
}

function mergeExtraHosts(base: Value, over: Value): Value {
  const list = asList(base);
  return [...list, ...asList(over).filter((one) => !list.includes(one))];
}

function mergeBuild(base: Value, over: Value, path: Path): Value {
  return mergeMappings(asBuild(base), asBuild(over), path);
}

function asBuild(value: Value): Mapping {
  if (typeof value === "string") return new Map([["context", value]]);
  return isMapping(value) ? value : new Map();
}

function asMapping(value: Value, missing: () => Value): Mapping {
  if (isMapping(value)) return value;
  const names = Array.isArray(value) ? value.map((name) => String(name)) : [];
  return new Map(names.map((name) => [name, missing()]));
}

function mergeDependsOn(base: Value, over: Value, path: Path): Value {
  const started = () =>
    new Map<string, Value>([
      ["condition", "service_started"],
      ["required", true],
    ]);
  return mergeMappings(asMapping(base, started), asMapping(over, started), path);
}

function mergeByName(base: Value, over: Value, path: Path): Value {
  const merged = asMapping(base, () => null);
  return mergeMappings(
    merged,
    asMapping(over, () => null),
    path,
  );
}

/** Options of a log driver mean nothing to another one. */
function mergeLogging(base: Value, over: Value, path: Path): Value {
  if (!isMapping(base) || !isMapping(over)) return over;
  const [old, driver] = [base.get("driver"), over.get("driver")];
  const isSameDriver = old === undefined || driver === undefined || isSame(old, driver);
  return isSameDriver ? mergeMappings(base, over, path) : over;
}

function mergeUlimit(base: Value, over: Value, path: Path): Value {
  return isMapping(base) && isMapping(over) ? mergeMappings(base, over, path) : over;
}

/** Pools of addresses merge by their subnet. */
function mergeAddressPools(base: Value, over: Value, path: Path): Value {
  const pools: Mapping[] = [];
  const place = (pool: Mapping) =>
    pools.findIndex((one) => isSame(one.get("subnet"), pool.get("subnet")));
  for (const old of Array.isArray(base) ? base.filter(isMapping) : []) {
    for (const pool of Array.isArray(over) ? over.filter(isMapping) : []) {
      if (!isSame(old.get("subnet"), pool.get("subnet"))) {
        const at = place(pool);
        if (at < 0) pools.push(pool);
        else pools[at] = pool;
        continue;
      }
      const merged = mergeMappings(old, pool, path);
      const at = place(merged);
      if (at < 0) pools.push(merged);
      else pools[at] = merged;
    }
  }
  return pools;
}
