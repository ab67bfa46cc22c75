import { Fault } from "#base";
import { emitYaml, isMapping, type Mapping, OutputMap, type Value } from "#yaml";
import { checkContainerNames } from "./consistency.ts";
import type { ProjectRequest } from "./find-sources.ts";
import { serviceHash } from "./hash.ts";
import { emitJson } from "./json.ts";
import { type ModelOptions, openModel, openProject } from "./open-project.ts";
import { type Project, printProject } from "./project/project.ts";
import { printAny } from "./project/shape.ts";
import { inOrder } from "./select.ts";
import { type Variable, variablesOf } from "./template.ts";
import { byBytes } from "./value.ts";

/** The formats in which a project is printed. */
type ConfigFormat = "yaml" | "json";

/** A project as docker compose's `config` prints it. */
export function printConfig(
  request: ProjectRequest,
  options: ModelOptions,
  services: readonly string[],
  format: string,
): string {
  if (options.isInterpolated === false) {
    const { model } = openModel(request, options);
    const output = printAny(model, checkFormat(format));
    return format === "json" ? emitJson(output, "  ") : emitYaml(output);
  }
  const { project } = openProject(request, options, services);
  if (options.isConsistent !== false) checkContainerNames(project);
  const output = printProject(project, checkFormat(format));
  const text = format === "json" ? emitJson(output, "  ") : emitYaml(output);
  return text.replaceAll("$", "$$$$");
}

function checkFormat(format: string): ConfigFormat {
  if (format === "yaml" || format === "json") return format;
  throw new Fault("invalid", `unsupported format "${format}"`);
}

/** The names of services, those that others depend on first. */
export function serviceNames(request: ProjectRequest, options: ModelOptions): string[] {
  if (options.isInterpolated === false) {
    const services = openModel(request, options).model.get("services");
    return isMapping(services) ? [...services.keys()].sort(byBytes) : [];
  }
  const { project } = openProject(request, unresolved(options));
  return inOrder(project, [...project.services.keys()].sort(byBytes));
}

const unresolved = (options: ModelOptions) => ({ ...options, resolvesEnvironment: false });

/** The keys of the volumes that services use. */
export function volumeNames(request: ProjectRequest, options: ModelOptions): string[] {
  return [...openProject(request, unresolved(options)).project.volumes.keys()].sort(byBytes);
}

/** The keys of the networks that services use. */
export function networkNames(request: ProjectRequest, options: ModelOptions): string[] {
  return [...openProject(request, unresolved(options)).project.networks.keys()].sort(byBytes);
}

/** The images of the services; one that is only built is named after project and service. */
export function imageNames(
  request: ProjectRequest,
  options: ModelOptions,
  services: readonly string[],
): string[] {
  const { project } = openProject(request, unresolved(options), services);
  return [...project.services]
    .sort(([a], [b]) => byBytes(a, b))
    .map(([name, service]) => String(service.get("image") ?? `${project.name}-${name}`));
}

/** The profiles of all services, active or not. */
export function profileNames(
  request: ProjectRequest,
  options: ModelOptions,
  services: readonly string[],
): string[] {
  const { all } = openProject(request, unresolved(options), services);
  const profiles = new Set<string>();
  for (const service of [...all.services.values(), ...all.disabled.values()]) {
    const own = service.get("profiles");
    for (const profile of Array.isArray(own) ? own : []) profiles.add(String(profile));
  }
  return [...profiles].sort(byBytes);
}

/** Hashes of the named services, or of all ("*"), as pairs of name and hash. */
export function serviceHashes(
  request: ProjectRequest,
  options: ModelOptions,
  names: string,
): [name: string, hash: string][] {
  const { project } = openProject(request, unresolved(options));
  const wanted = names === "*" ? [...project.services.keys()] : names.split(",");
  return wanted.sort(byBytes).map((name) => [name, serviceHash(serviceOf(project, name))]);
}

function serviceOf(project: Project, name: string): Mapping {
  const service = project.services.get(name);
  if (service !== undefined) return service;
  if (project.disabled.has(name)) {
    throw new Fault("not_found", `no such service: ${name}: disabled`);
  }
  throw new Fault("not_found", `no such service: ${name}: not found`);
}

/** The variables that files may use, as NAME=VALUE. */
export function environmentLines(
  request: ProjectRequest,
  options: ModelOptions,
  services: readonly string[],
): string[] {
  const { environment } = openProject(request, options, services);
  return [...environment].map(([name, value]) => `${name}=${value}`).sort(byBytes);
}

/** The variables that the files of a project use, by name. */
export function modelVariables(request: ProjectRequest, options: ModelOptions): Variable[] {
  const { model } = openModel(request, { ...options, isInterpolated: false });
  const found = new Map<string, Variable>();
  collect(model, found);
  return [...found.values()].sort((a, b) => byBytes(a.name, b.name));
}

function collect(value: Value, found: Map<string, Variable>): void {
  if (typeof value === "string") {
    for (const variable of variablesOf(value)) found.set(variable.name, variable);
  } else if (Array.isArray(value)) for (const item of value) collect(item, found);
  else if (isMapping(value)) for (const part of value.values()) collect(part, found);
}

/** Variables in JSON or YAML, as docker compose prints them. */
export function printVariables(variables: readonly Variable[], format: ConfigFormat): string {
  const fields = (variable: Variable) =>
    [
      ["Name", variable.name],
      ["DefaultValue", variable.defaultValue],
      ["PresenceValue", variable.presenceValue],
      ["Required", variable.required],
    ] as const;
  const map = (toKey: (key: string) => string) =>
    new OutputMap(
      variables.map((variable) => [
        variable.name,
        new OutputMap(fields(variable).map(([key, value]) => [toKey(key), value])),
      ]),
    );
  if (format === "json")
    return `${emitJson(
      map((key) => key),
      "    ",
    )}\n\n`;
  return emitYaml(map((key) => key.toLowerCase())).replace(/^ {2}/gm, "    ");
}
