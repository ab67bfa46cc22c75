import { isMapping, type Mapping } from "#yaml";
import type { ProjectOrigin } from "../body/labels.ts";
import { mappingAt, textAt } from "../project/fields.ts";
import type { Project } from "../project/project.ts";
import { inOrder } from "../select.ts";
import { byBytes } from "../value.ts";
import type { ObservedProject } from "./observed.ts";
import type { Dependency, Plan, ServicePlan } from "./plan.ts";
import { planResources } from "./plan-resources.ts";
import { firstContainerId, planService, type Recreation, scaleOf } from "./plan-service.ts";

/** A project with what its files do not say, and the ways in which it may become what they do. */
export interface UpRequest {
  /** The services that are made. */
  readonly project: Project;
  /** With those that are not, which are no orphans. */
  readonly all: Project;
  readonly origin: ProjectOrigin;
  /** The services that were named; none for all. */
  readonly named: readonly string[];
  readonly recreation: Recreation;
  /** Of services that were not named, on which others depend. */
  readonly recreationOfDependencies: Recreation;
  readonly orphans: "remove" | "warn" | "ignore";
  readonly imageId: (service: string) => string | undefined;
  readonly replacesVolume: (name: string) => boolean;
}

/**
 * What makes a project as its files say, by docker compose's rules, and why.
 * @throws Fault where an external resource is missing or a name is taken
 */
export function planUp(request: UpRequest, observed: ObservedProject): Plan {
  const { project, origin, named } = request;
  const { resources, warnings } = planResources(project, observed, request.replacesVolume);
  const services = new Map<string, ServicePlan>();
  for (const name of inOrder(project, [...project.services.keys()].sort(byBytes))) {
    const service = project.services.get(name) as Mapping;
    const isNamed = named.length === 0 || named.includes(name);
    const containers = planService(name, service, {
      ...{ project, observed, resources },
      recreation: isNamed ? request.recreation : request.recreationOfDependencies,
      imageId: request.imageId(name),
      containerId: (other) => firstContainerId(services.get(other)?.containers ?? []),
    });
    const dependencies = dependenciesOf(project, service);
    services.set(name, { name, service, scale: scaleOf(service), containers, dependencies });
  }
  const known = new Set([...request.all.services.keys(), ...request.all.disabled.keys()]);
  const orphans = observed.containers.filter(({ service, isOneOff, state }) =>
    isOneOff ? state === "exited" || state === "dead" : !known.has(service),
  );
  if (orphans.length > 0 && request.orphans === "warn") {
    const names = `[${orphans.map(({ name }) => name).join(" ")}]`;
    warnings.push(
      `Found orphan containers (${names}) for this project. If you removed or renamed this service in your compose file, you can run this command with the --remove-orphans flag to clean it up.`,
    );
  }
  return {
    ...{ project, origin, resources, warnings },
    services: withRestarts([...services.values()]),
    orphans: request.orphans === "remove" ? orphans : [],
  };
}

/** What a service waits for among the services of a project. */
export function dependenciesOf(project: Project, service: Mapping): Dependency[] {
  return [...mappingAt(service, "depends_on")].flatMap(([name, value]) => {
    const parts = value as Mapping;
    if (!project.services.has(name)) return [];
    const condition = textAt(parts, "condition");
    return [{ service: name, condition, isRequired: parts.get("required") === true }];
  });
}

/** Containers that ask for it are stopped while one that they depend on is made anew. */
function withRestarts(services: readonly ServicePlan[]): ServicePlan[] {
  const renewed = new Set(
    services
      .filter(({ containers }) => containers.some(({ fate }) => fate === "recreate"))
      .map(({ name }) => name),
  );
  return services.map((plan) => {
    const cause = [...mappingAt(plan.service, "depends_on")].find(
      ([name, parts]) => renewed.has(name) && isMapping(parts) && parts.get("restart") === true,
    )?.[0];
    if (cause === undefined) return plan;
    const containers = plan.containers.map((one) =>
      one.fate === "keep" && one.container?.state === "running"
        ? { ...one, fate: "restart" as const, reason: `${cause} is made anew` }
        : one,
    );
    return { ...plan, containers };
  });
}
