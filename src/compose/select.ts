import { Fault } from "#base";
import { isMapping, type Mapping } from "#yaml";
import { itemsAt } from "./project/fields.ts";
import type { Project } from "./project/project.ts";

/** Leaves the services that have no profile or one of the given; "*" is all. */
export function withProfiles(project: Project, profiles: readonly string[]): Project {
  const services = new Map<string, Mapping>();
  const disabled = new Map<string, Mapping>();
  for (const [name, service] of [...project.services, ...project.disabled]) {
    const own = service.get("profiles");
    const isActive =
      !Array.isArray(own) ||
      own.length === 0 ||
      profiles.includes("*") ||
      own.some((profile) => profiles.includes(String(profile)));
    (isActive ? services : disabled).set(name, service);
  }
  return { ...project, services, disabled };
}

/** A service that is named activates its own profiles. */
export function withServices(
  project: Project,
  profiles: readonly string[],
  names: readonly string[],
): Project {
  const added = names.flatMap((name) => {
    const own = project.services.has(name) ? [] : project.disabled.get(name)?.get("profiles");
    return Array.isArray(own) ? own.map(String) : [];
  });
  return added.length === 0 ? project : withProfiles(project, [...profiles, ...added]);
}

/** Leaves the named services and what they depend on; all when none is named. */
export function selectServices(project: Project, names: readonly string[]): Project {
  if (names.length === 0) return project;
  const selected = new Set(inOrder(project, names));
  const services = new Map<string, Mapping>();
  const disabled = new Map(project.disabled);
  for (const [name, service] of project.services) {
    (selected.has(name) ? services : disabled).set(name, service);
  }
  return { ...project, services, disabled };
}

/**
 * Names of services and of those that they depend on, dependencies first.
 * @throws Fault when one does not exist
 */
export function inOrder(project: Project, names: readonly string[]): string[] {
  const seen = new Set<string>();
  const ordered: string[] = [];
  const visit = (name: string, isRequired: boolean) => {
    if (seen.has(name)) return;
    const service = project.services.get(name);
    if (service === undefined) {
      if (!isRequired) return;
      throw new Fault("not_found", `no such service: ${name}`);
    }
    seen.add(name);
    const dependencies = service.get("depends_on");
    if (isMapping(dependencies)) {
      for (const other of [...dependencies.keys()].sort()) {
        const dependency = dependencies.get(other);
        visit(other, isMapping(dependency) && dependency.get("required") === true);
      }
    }
    ordered.push(name);
  };
  for (const name of names) visit(name, true);
  return ordered;
}

/** Leaves the networks, volumes, secrets and configs that a service uses. */
export function withoutUnused(project: Project): Project {
  const used = { networks: new Set(), volumes: new Set(), secrets: new Set(), configs: new Set() };
  for (const service of project.services.values()) {
    const networks = service.get("networks");
    if (isMapping(networks)) for (const name of networks.keys()) used.networks.add(name);
    for (const volume of itemsAt(service, "volumes")) {
      if (volume.get("type") === "volume") used.volumes.add(volume.get("source"));
    }
    const build = service.get("build");
    const secrets = [
      ...itemsAt(service, "secrets"),
      ...(isMapping(build) ? itemsAt(build, "secrets") : []),
    ];
    for (const secret of secrets) used.secrets.add(secret.get("source"));
    for (const config of itemsAt(service, "configs")) used.configs.add(config.get("source"));
  }
  const keep = (key: keyof typeof used) =>
    new Map([...project[key]].filter(([name]) => used[key].has(name)));
  return {
    ...project,
    networks: keep("networks"),
    volumes: keep("volumes"),
    secrets: keep("secrets"),
    configs: keep("configs"),
  };
}
