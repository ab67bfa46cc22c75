import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import { itemsAt, numberAt } from "./project/fields.ts";
import type { Project } from "./project/project.ts";

const invalid = (problem: string) => new Fault("invalid", `${problem}: invalid compose project`);

/**
 * Checks that the parts of a project fit together, and sets what one key says for another.
 * @throws Fault in docker compose's words
 */
export function checkConsistency(project: Project): void {
  for (const [name, service] of byName(project.services)) checkService(name, service, project);
  for (const [name, secret] of byName(project.secrets)) {
    if (secret.get("external") === true) continue;
    if (!secret.has("file") && !secret.has("environment")) {
      throw invalid(`secret "${name}" must declare either \`file\` or \`environment\``);
    }
  }
}

const byName = <T>(parts: ReadonlyMap<string, T>) =>
  [...parts].sort(([a], [b]) => (a < b ? -1 : 1));

function checkService(name: string, service: Mapping, project: Project): void {
  const build = service.get("build");
  if (!isMapping(build) && !service.has("image") && !service.has("provider")) {
    throw invalid(`service "${name}" has neither an image nor a build context specified`);
  }
  if (isMapping(build)) checkBuild(name, service, build, project);
  const networks = keysOf(service, "networks");
  const mode = service.get("network_mode");
  if (mode !== undefined && mode !== "" && networks.length > 0) {
    throw invalid(`service ${name} declares mutually exclusive \`network_mode\` and \`networks\``);
  }
  for (const network of networks) {
    if (!project.networks.has(network)) {
      throw invalid(`service "${name}" refers to undefined network ${network}`);
    }
  }
  checkHealth(service);
  checkDependencies(name, service, project);
  for (const volume of itemsAt(service, "volumes")) {
    const source = volume.get("source");
    if (volume.get("type") === "volume" && typeof source === "string" && source !== "") {
      if (!project.volumes.has(source)) {
        throw invalid(`service "${name}" refers to undefined volume ${source}`);
      }
    }
  }
  checkReferences(name, service, build, project);
  alignLimits(name, service);
  checkWatches(name, service);
}

function keysOf(mapping: Mapping, key: string): string[] {
  const value = mapping.get(key);
  return isMapping(value) ? [...value.keys()] : [];
}

function checkBuild(name: string, service: Mapping, build: Mapping, project: Project): void {
  if (build.has("dockerfile") && build.has("dockerfile_inline")) {
    throw invalid(`service "${name}" declares mutualy exclusive dockerfile and dockerfile_inline`);
  }
  const contexts = build.get("additional_contexts");
  for (const [key, context] of isMapping(contexts) ? contexts : []) {
    if (typeof context !== "string" || !context.startsWith("service:")) continue;
    const target = context.slice(8);
    const found = project.services.get(target) ?? project.disabled.get(target);
    const problem = (what: string) =>
      new Fault(
        "invalid",
        `service "${name}" declares ${what} service "${target}" as additional contexts ${key}`,
      );
    if (found === undefined) throw problem("unknown");
    if (!found.has("build")) throw problem("non-buildable");
  }
  const platform = service.get("platform");
  const platforms = build.get("platforms");
  if (!Array.isArray(platforms) || platforms.length === 0 || platform === undefined) return;
  if (!platforms.includes(platform)) {
    throw invalid(`service.build.platforms MUST include service.platform "${String(platform)}"`);
  }
}

function checkHealth(service: Mapping): void {
  const health = service.get("healthcheck");
  const test = isMapping(health) ? health.get("test") : undefined;
  if (!Array.isArray(test) || test.length === 0) return;
  if (!["CMD", "CMD-SHELL", "NONE"].includes(String(test[0]))) {
    const problem = `healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"`;
    throw new Fault("invalid", problem);
  }
}

function checkDependencies(name: string, service: Mapping, project: Project): void {
  const dependencies = service.get("depends_on");
  for (const [other, dependency] of isMapping(dependencies) ? dependencies : []) {
    if (project.services.has(other)) continue;
    const isOptional = isMapping(dependency) && dependency.get("required") !== true;
    if (project.disabled.has(other) && isOptional) continue;
    throw invalid(`service "${name}" depends on undefined service "${other}"`);
  }
  findCycle(project.services, [name]);
  const mode = service.get("network_mode");
  if (typeof mode === "string" && mode.startsWith("service:")) {
    const target = mode.slice(8);
    if (!project.services.has(target)) {
      const problem = `service "${target}" not found for network_mode 'service:${target}'`;
      throw new Fault("invalid", problem);
    }
  }
}

const checked = new WeakMap<ReadonlyMap<string, Mapping>, Set<string>>();

/** @throws Fault with the names of a cycle; services from which none is reached are not walked again */
function findCycle(services: ReadonlyMap<string, Mapping>, trail: readonly string[]): void {
  let done = checked.get(services);
  if (done === undefined) {
    done = new Set();
    checked.set(services, done);
  }
  const name = trail[trail.length - 1] as string;
  if (done.has(name)) return;
  const service = services.get(name);
  for (const other of service === undefined ? [] : keysOf(service, "depends_on").sort()) {
    const at = trail.indexOf(other);
    if (at >= 0) {
      const cycle = [...trail.slice(at), other].join(" -> ");
      throw new Fault("invalid", `dependency cycle detected: ${cycle}`);
    }
    findCycle(services, [...trail, other]);
  }
  done.add(name);
}

function checkReferences(
  name: string,
  service: Mapping,
  build: Value | undefined,
  project: Project,
): void {
  const check = (holder: Mapping, key: "secrets" | "configs", what: string) => {
    for (const reference of itemsAt(holder, key)) {
      const source = String(reference.get("source"));
      if (!project[key].has(source)) {
        throw invalid(`service "${name}" refers to undefined ${what} ${source}`);
      }
    }
  };
  if (isMapping(build)) check(build, "secrets", "build secret");
  check(service, "configs", "config");
  check(service, "secrets", "secret");
}

/** Limits that a service may give twice must agree. */
function alignLimits(name: string, service: Mapping): void {
  const deploy = service.get("deploy");
  const scale = service.get("scale");
  if (isMapping(deploy)) {
    const replicas = deploy.get("replicas");
    if (scale !== undefined && replicas !== undefined && scale !== replicas) {
      throw invalid(`services.${name}: can't set distinct values on 'scale' and 'deploy.replicas'`);
    }
    if (scale !== undefined) deploy.set("replicas", scale);
    const resources = deploy.get("resources");
    const limits = isMapping(resources) ? resources.get("limits") : undefined;
    if (isMapping(limits)) {
      for (const [key, limit] of [
        ["mem_limit", "memory"],
        ["cpus", "cpus"],
        ["pids_limit", "pids"],
      ] as const) {
        const [own, other] = [numberAt(service, key), numberAt(limits, limit)];
        if (own !== 0 && other !== 0 && own !== other) {
          const problem = `can't set distinct values on '${key}' and 'deploy.resources.limits.${limit}'`;
          throw invalid(`services.${name}: ${problem}`);
        }
      }
    }
    const reservations = isMapping(resources) ? resources.get("reservations") : undefined;
    if (isMapping(reservations)) {
      const own = numberAt(service, "mem_reservation");
      const other = numberAt(reservations, "memory");
      if (own !== 0 && other !== 0 && own !== other) {
        const problem = `can't set distinct values on 'mem_reservation' and 'deploy.resources.reservations.memory'`;
        throw invalid(`services.${name}: ${problem}`);
      }
    }
  }
  const count = scale ?? (isMapping(deploy) ? deploy.get("replicas") : undefined);
  if (service.has("container_name") && count !== undefined && Number(count) > 1) {
    const attribute = scale === undefined ? "deploy.replicas" : "scale";
    throw invalid(
      `services.${attribute}: can't set container_name and ${name} as container name must be unique`,
    );
  }
}

function checkWatches(name: string, service: Mapping): void {
  const develop = service.get("develop");
  for (const rule of isMapping(develop) ? itemsAt(develop, "watch") : []) {
    const action = rule.get("action");
    if (action === "rebuild" || action === "restart" || rule.has("target")) continue;
    throw invalid(`services.${name}.develop.watch: target is required for non-rebuild actions`);
  }
}

/** @throws Fault when two services would make containers of the same name */
export function checkContainerNames(project: Project): void {
  const names = new Map<string, string>();
  for (const [name, service] of byName(project.services)) {
    const container = service.get("container_name");
    if (typeof container !== "string") continue;
    const other = names.get(container);
    if (other !== undefined) {
      throw new Fault(
        "invalid",
        `services.${name}: container name "${container}" is already in use by service ${other}: invalid compose project`,
      );
    }
    names.set(container, name);
  }
}
