import { byKeyOrder, isMapping, type Mapping, type Output, OutputMap, type Value } from "#yaml";

import { fileObject, network, volume } from "./resource-shapes.ts";
import { service } from "./service-shape.ts";
import { type Form, printMapping, type Shape } from "./shape.ts";

/** The parts of a project by name. */
export interface Project {
  readonly name: string;
  readonly services: ReadonlyMap<string, Mapping>;
  /** Services that no profile activates, or that nobody asked for. */
  readonly disabled: ReadonlyMap<string, Mapping>;
  readonly networks: ReadonlyMap<string, Mapping>;
  readonly volumes: ReadonlyMap<string, Mapping>;
  readonly secrets: ReadonlyMap<string, Mapping>;
  readonly configs: ReadonlyMap<string, Mapping>;
  readonly extensions: Mapping;
}

const sections = [
  ["services", service],
  ["networks", network],
  ["volumes", volume],
  ["secrets", fileObject],
  ["configs", fileObject],
] as const;

/** Gives the parts of a model their types. */
export function decodeProject(model: Mapping, name: string): Project {
  const [services, networks, volumes, secrets, configs] = sections.map(([key, shape]) =>
    decodeSection(model.get(key), shape, key),
  ) as [Parts, Parts, Parts, Parts, Parts];
  const extra: Mapping = new Map();
  for (const [key, part] of model) if (key.startsWith("x-")) extra.set(key, part);
  const disabled = new Map();
  return { name, services, disabled, networks, volumes, secrets, configs, extensions: extra };
}

type Parts = Map<string, Mapping>;

function decodeSection(section: Value | undefined, shape: Shape, key: string): Parts {
  const parts: Parts = new Map();
  if (!isMapping(section)) return parts;
  for (const [name, part] of section) {
    parts.set(name, (shape.decode(part, `${key}[${name}]`) as Mapping | undefined) ?? new Map());
  }
  return parts;
}

/** A project as it is printed: the name, then services and what they use. */
export function printProject(project: Project, form: Form): OutputMap {
  const entries: [string, Output][] = [["name", project.name]];
  for (const [key, shape] of sections) {
    const parts = project[key];
    if (parts.size === 0 && !(key === "services")) continue;
    entries.push([key, printSection(key, parts, shape, form)]);
  }
  const extra = printMapping(project.extensions, form);
  if (form === "yaml") return new OutputMap([...entries, ...extra.entries]);
  const all = [...entries, ...extra.entries];
  return new OutputMap(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function printSection(key: string, parts: ReadonlyMap<string, Mapping>, shape: Shape, form: Form) {
  const names = [...parts.keys()].sort(form === "yaml" ? byKeyOrder : undefined);
  return new OutputMap(
    names.map(
      (name) => [name, shape.print(visible(key, parts.get(name) as Mapping), form)] as const,
    ),
  );
}

/** What a secret holds is never printed; of a config that comes from a variable, the variable is. */
function visible(key: string, part: Mapping): Mapping {
  const hides = key === "secrets" || (key === "configs" && part.has("environment"));
  if (!hides || !part.has("content")) return part;
  const shown = new Map(part);
  shown.delete("content");
  return shown;
}
