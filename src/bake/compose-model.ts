import { Fault, isFault } from "#base";
import {
  decodeNode,
  Float,
  isMapping as isYamlMapping,
  parseNodes,
  type Value,
  YamlError,
} from "#yaml";
import type { DefinitionFile } from "./definition-file.ts";
import { interpolate } from "./interpolate.ts";

/** A mapping of YAML. */
export type Mapping = Readonly<Record<string, unknown>>;

/** What of compose files matters for builds. */
export interface ComposeModel {
  readonly services: ReadonlyMap<string, Mapping>;
  readonly secrets: Mapping;
}

const maxBytes = 4 << 20;

/** Whether a value is a mapping. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(message: string): never {
  throw new Fault("invalid", message);
}

/** Compose files merged in their order, with their variables replaced. */
export function readCompose(
  files: readonly DefinitionFile[],
  lookUp: (name: string) => string | undefined,
): ComposeModel {
  let merged: Mapping = {};
  for (const file of files) merged = merge(merged, readFile(file, lookUp));
  const { services = {}, secrets = {} } = merged;
  if (!isMapping(services)) refuse("services must be a mapping");
  if (!isMapping(secrets)) refuse("secrets must be a mapping");
  if (!("services" in merged) && !("secrets" in merged)) refuse("empty compose file");
  const wrong = Object.keys(services).find((name) => !/^[a-zA-Z0-9._-]+$/.test(name));
  if (wrong !== undefined) refuse(`services additional properties '${wrong}' not allowed`);
  const resolved = new Map<string, Mapping>();
  for (const name of Object.keys(services).sort()) {
    resolved.set(name, extended(name, services, []));
  }
  return { services: resolved, secrets };
}

function readFile(
  { name, bytes }: DefinitionFile,
  lookUp: (name: string) => string | undefined,
): Mapping {
  if (bytes.length > maxBytes)
    throw new Fault("exhausted", `${name} has more than ${maxBytes} bytes`);
  const value = parse(name, Buffer.from(bytes).toString());
  if (value === null || value === undefined) refuse("empty compose file");
  if (!isMapping(value)) refuse("top-level object must be a mapping");
  const { services, secrets, include } = value;
  if (include !== undefined) {
    throw new Fault("unsupported", `${name}: include of other compose files is not supported`);
  }
  return {
    ...(services === undefined ? {} : { services: replaced(services, "services", lookUp) }),
    ...(secrets === undefined ? {} : { secrets: replaced(secrets, "secrets", lookUp) }),
  } as Mapping;
}

/** The first document of a text; undefined for none. */
function parse(name: string, text: string): unknown {
  try {
    const [first] = parseNodes(text);
    return first && plain(decodeNode(first));
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    return refuse(`failed to parse ${name}: ${error.message}`);
  }
}

function plain(value: Value): unknown {
  if (isYamlMapping(value)) {
    return Object.fromEntries([...value].map(([key, part]) => [key, plain(part)]));
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Float) return value.value;
  return typeof value === "bigint" ? Number(value) : value;
}

function replaced(
  value: unknown,
  path: string,
  lookUp: (name: string) => string | undefined,
): unknown {
  if (typeof value === "string") {
    try {
      return interpolate(value, lookUp);
    } catch (error) {
      if (!isFault(error, "invalid")) throw error;
      refuse(`error while interpolating ${path}: ${error.message}`);
    }
  }
  if (Array.isArray(value)) return value.map((item) => replaced(item, `${path}.[]`, lookUp));
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, replaced(item, `${path}.${key}`, lookUp)]),
  );
}

/** Mappings are merged, lists joined, and all else is replaced. */
function merge(first: Mapping, added: Mapping): Mapping {
  const merged: Record<string, unknown> = { ...first };
  for (const [key, value] of Object.entries(added)) {
    const before = Object.hasOwn(merged, key) ? merged[key] : undefined;
    if (isMapping(before) && isMapping(value)) merged[key] = merge(before, value);
    else if (Array.isArray(before) && Array.isArray(value)) {
      merged[key] = [...before, ...value.filter((item) => !before.includes(item))];
    } else if (key === "build" && typeof before === "string" && isMapping(value)) {
      merged[key] = merge({ context: before }, value);
    } else if (value !== undefined) merged[key] = value;
  }
  return merged;
}

function extended(name: string, services: Mapping, path: readonly string[]): Mapping {
  const service = Object.hasOwn(services, name) ? services[name] : undefined;
  if (service === null) return {};
  if (!isMapping(service)) refuse(`services.${name} must be a mapping`);
  const { extends: base, ...own } = service;
  if (base === undefined) return own;
  const from = isMapping(base) ? base.service : base;
  if (isMapping(base) && base.file !== undefined) {
    throw new Fault("unsupported", `services.${name}: extends of another file is not supported`);
  }
  if (typeof from !== "string" || !Object.hasOwn(services, from)) {
    refuse(
      `cannot extend service ${JSON.stringify(name)}: service ${JSON.stringify(from)} not found`,
    );
  }
  if (path.includes(from)) refuse(`Circular reference: ${[...path, name].join(" extends ")}`);
  return merge(extended(from, services, [...path, name]), own);
}
