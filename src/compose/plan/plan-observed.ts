import { Fault } from "#base";
import type { Mapping, Value } from "#yaml";
import { composeLabel } from "../body/labels.ts";
import type { Project } from "../project/project.ts";
import { inOrder } from "../select.ts";
import { byBytes } from "../value.ts";
import type { ObservedContainer, ObservedProject } from "./observed.ts";
import type { ServicePlan } from "./plan.ts";
import { dependenciesOf } from "./plan-up.ts";

/**
 * The services of a project with the containers that there are, those that others depend on first: of
 * its files where they are known, else of the labels of its containers.
 * @throws Fault "not_found" for a named service that does not exist
 */
export function planObserved(
  observed: ObservedProject,
  project: Project | undefined,
  named: readonly string[] = [],
): ServicePlan[] {
  const containers = observed.containers.filter(({ isOneOff }) => !isOneOff);
  const known = project ?? labelledProject(containers);
  for (const name of named) {
    if (!known.services.has(name)) throw new Fault("not_found", `no such service: ${name}`);
  }
  const names = inOrder(known, [...known.services.keys()].sort(byBytes));
  const wanted = names.filter((name) => named.length === 0 || named.includes(name));
  return wanted.map((name) => {
    const service = known.services.get(name) as Mapping;
    const own = containers.filter((container) => container.service === name);
    return {
      ...{ name, service, scale: own.length },
      containers: own.map((container) => {
        const { number, name: ownName } = container;
        return { fate: "keep", number, name: ownName, container, reason: "" } as const;
      }),
      dependencies: dependenciesOf(known, service).filter((one) => wanted.includes(one.service)),
    };
  });
}

/** What the labels of containers tell of their project: its services, and which depends on which. */
function labelledProject(containers: readonly ObservedContainer[]): Project {
  const services = new Map<string, Mapping>();
  for (const { service, summary } of containers) {
    const label = summary.Labels[composeLabel("depends_on")] ?? "";
    const entries = label
      .split(",")
      .filter((entry) => entry !== "")
      .map((entry) => {
        const [name = "", condition = "service_started", restart = ""] = entry.split(":");
        const parts: [string, Value][] = [
          ["condition", condition],
          ["restart", restart === "true"],
          ["required", false],
        ];
        return [name, new Map(parts)] as const;
      });
    services.set(service, new Map([["depends_on", new Map(entries)]]));
  }
  return { ...emptyProject(""), services };
}

/** A project of which nothing is known but its name. */
export function emptyProject(name: string): Project {
  const none = new Map<string, Mapping>();
  const parts = { services: none, disabled: none, networks: none, volumes: none };
  return { name, ...parts, secrets: none, configs: none, extensions: new Map() };
}

/** What a project leaves on an engine when it is taken down. */
export interface DownPlan {
  /** Those that others depend on first; they go last. */
  readonly services: readonly ServicePlan[];
  readonly orphans: readonly ObservedContainer[];
  readonly networks: readonly { readonly id: string; readonly name: string }[];
  readonly volumes: readonly string[];
}

/** What is removed of a project; networks and volumes of others that it only uses stay. */
export function planDown(
  observed: ObservedProject,
  project: Project | undefined,
  options: {
    readonly named: readonly string[];
    readonly volumes: boolean;
    readonly orphans: boolean;
  },
): DownPlan {
  const services = planObserved(observed, project, options.named);
  const keys = (section: "networks" | "volumes") =>
    project && new Set([...project[section].keys()].filter((key) => isOwn(project[section], key)));
  const [networks, volumes] = [keys("networks"), keys("volumes")];
  const isMeant = (known: Set<string> | undefined, key: string | undefined) =>
    known === undefined || (key !== undefined && known.has(key));
  const names = new Set([
    ...(project?.services.keys() ?? services.map(({ name }) => name)),
    ...(project?.disabled.keys() ?? []),
  ]);
  const isOrphan = ({ service, isOneOff }: ObservedContainer) => isOneOff || !names.has(service);
  return {
    services,
    orphans: options.orphans ? observed.containers.filter(isOrphan) : [],
    networks: observed.networks
      .filter(({ Labels }) => isMeant(networks, Labels?.[composeLabel("network")]))
      .map(({ Id: id, Name: name }) => ({ id, name })),
    volumes: options.volumes
      ? observed.volumes
          .filter(({ Labels }) => isMeant(volumes, Labels?.[composeLabel("volume")]))
          .map(({ Name }) => Name)
      : [],
  };
}

const isOwn = (parts: Project["networks"], key: string) => parts.get(key)?.get("external") !== true;
