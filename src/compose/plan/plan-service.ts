import { Fault } from "#base";
import type { Mapping } from "#yaml";
import { containerName } from "../body/create-body.ts";
import { composeLabel } from "../body/labels.ts";
import { referredServices, resolveService } from "../body/references.ts";
import { serviceHash } from "../hash.ts";
import { itemsAt, mappingAt, numberAt, textAt } from "../project/fields.ts";
import type { Project } from "../project/project.ts";
import { byBytes } from "../value.ts";
import type { ObservedContainer, ObservedProject } from "./observed.ts";
import type { ContainerPlan, ResourcePlan } from "./plan.ts";

/** When containers are made anew: when they differ from their files, always, or never. */
export type Recreation = "diverged" | "force" | "never";

/** What the containers of a service are compared with. */
export interface ServiceSurroundings {
  readonly project: Project;
  readonly observed: ObservedProject;
  readonly resources: readonly ResourcePlan[];
  readonly recreation: Recreation;
  /** Undefined where the image is not known. */
  readonly imageId: string | undefined;
  /** The id of a service's first container; undefined where that is made anew. */
  readonly containerId: (service: string) => string | undefined;
}

/** How many containers a service has. */
export function scaleOf(service: Mapping): number {
  const deploy = mappingAt(service, "deploy");
  if (service.has("scale")) return numberAt(service, "scale");
  return deploy.has("replicas") ? numberAt(deploy, "replicas") : 1;
}

/** What happens to the containers of a service. */
export function planService(
  name: string,
  service: Mapping,
  around: ServiceSurroundings,
): ContainerPlan[] {
  const { project, observed } = around;
  const scale = scaleOf(service);
  if (scale > 1 && service.has("container_name")) {
    const own = JSON.stringify(textAt(service, "container_name"));
    throw new Fault(
      "invalid",
      `WARNING: The ${JSON.stringify(name)} service is using the custom container name ${own}. Docker requires each container to have a unique name. Remove the custom name to scale the service.\n`,
    );
  }
  const reasonOf = difference(service, around);
  const all = observed.containers
    .filter((one) => one.service === name && !one.isOneOff)
    .map((container) => ({ container, reason: reasonOf(container) }))
    .sort((a, b) => order(a.reason, b.reason) || a.container.number - b.container.number);
  const seen = new Set<number>();
  const plans: ContainerPlan[] = [];
  for (const { container, reason } of all) {
    const { number } = container;
    const own = containerName(project, name, number);
    const plan = { number, name: own, container };
    if (seen.has(number)) {
      plans.push({ ...plan, fate: "remove", reason: "another takes its place" });
    } else if (seen.size >= scale) {
      plans.push({ ...plan, fate: "remove", reason: `the service has ${scale}` });
    } else {
      seen.add(number);
      plans.push({ ...plan, fate: reason === "" ? "keep" : "recreate", reason });
    }
  }
  const first = Math.max(0, ...all.map(({ container }) => container.number)) + 1;
  for (let number = first; seen.size < scale; number++) {
    seen.add(number);
    const reason = all.length === 0 ? "it is not there" : `the service has ${scale}`;
    plans.push({ fate: "create", number, name: containerName(project, name, number), reason });
  }
  return plans;
}

/** Containers that stay go before those that are made anew. */
const order = (a: string, b: string) => Number(a !== "") - Number(b !== "");

/** Says why a container is made anew; "" for one that is kept. */
function difference(
  service: Mapping,
  around: ServiceSurroundings,
): (container: ObservedContainer) => string {
  const { recreation, imageId, containerId } = around;
  if (recreation === "never") return () => "";
  if (recreation === "force") return () => "that is asked for";
  const lost = referredServices(service).find((other) => containerId(other) === undefined);
  if (lost !== undefined) return () => `the container of ${lost} is made anew`;
  const hash = serviceHash(resolveService(service, containerId));
  return (container) => {
    const labels = container.summary.Labels;
    if (labels[composeLabel("config-hash")] !== hash) return "its configuration has changed";
    const image = labels[composeLabel("image")];
    if (imageId !== undefined && image !== imageId) return "its image has changed";
    return (
      networkDifference(service, container, around) || volumeDifference(service, container, around)
    );
  };
}

function networkDifference(
  service: Mapping,
  container: ObservedContainer,
  { observed, resources }: ServiceSurroundings,
): string {
  const endpoints = Object.values(container.summary.NetworkSettings?.Networks ?? {});
  for (const key of mappingAt(service, "networks").keys()) {
    const plan = resources.find((one) => one.kind === "network" && one.key === key);
    if (plan === undefined) continue;
    if (plan.fate !== "keep") return `network ${plan.name} is made anew`;
    if (container.state !== "running") continue;
    const id = observed.networks.find(({ Name, Id }) => Name === plan.name || Id === plan.name)?.Id;
    if (!endpoints.some((endpoint) => endpoint.NetworkID === id)) {
      return `it is not in network ${plan.name}`;
    }
  }
  return "";
}

function volumeDifference(
  service: Mapping,
  container: ObservedContainer,
  { resources }: ServiceSurroundings,
): string {
  const mounted = new Set(
    container.summary.Mounts.filter(({ Type }) => Type === "volume").map(({ Name }) => Name),
  );
  for (const volume of itemsAt(service, "volumes")) {
    if (textAt(volume, "type") !== "volume" || textAt(volume, "source") === "") continue;
    const key = textAt(volume, "source");
    const plan = resources.find((one) => one.kind === "volume" && one.key === key);
    if (plan === undefined) continue;
    if (plan.fate === "recreate") return `volume ${plan.name} is made anew`;
    if (!mounted.has(plan.name)) return `volume ${plan.name} is not mounted`;
  }
  return "";
}

/** The id of the first container by name, where all of a service's are kept. */
export function firstContainerId(plans: readonly ContainerPlan[]): string | undefined {
  const left = plans.filter(({ fate }) => fate !== "remove");
  const [first] = left.sort((a, b) => byBytes(a.name, b.name));
  return first?.fate === "keep" || first?.fate === "restart" ? first.container?.id : undefined;
}
