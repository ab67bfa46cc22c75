import type { Client } from "#client";
import { composeLabel } from "#compose";
import type { ContainerSummary, NetworkInspect, Volume } from "#wire";

/** A container of a project, as the engine lists it. */
export interface ObservedContainer {
  readonly id: string;
  /** Without a slash. */
  readonly name: string;
  readonly service: string;
  /** Its place among those of its service, from 1 on; 0 where the label is missing. */
  readonly number: number;
  /** Made by `run`: no part of the project itself. */
  readonly isOneOff: boolean;
  /** "running", "exited", and so on. */
  readonly state: string;
  readonly summary: ContainerSummary;
}

/** What an engine has of a project, whoever made it. */
interface ObservedProject {
  /** By service and number. */
  readonly containers: readonly ObservedContainer[];
  readonly networks: readonly NetworkInspect[];
  readonly volumes: readonly Volume[];
}

/** Finds the containers, networks and volumes of a project by their labels: one list call for each kind. */
export async function observeProject(client: Client, project: string): Promise<ObservedProject> {
  const filters = { label: [`${composeLabel("project")}=${project}`] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    observeContainers(client, project, { all: true }),
    client.networks.list(filters),
    client.volumes.list({ filters }),
  ]);
  return { containers, networks, volumes: volumes ?? [] };
}

/** The containers of a project by service and number: those that run, or with `all` every one. */
export async function observeContainers(
  client: Client,
  project: string,
  { all }: { readonly all: boolean },
): Promise<readonly ObservedContainer[]> {
  const filters = { label: [`${composeLabel("project")}=${project}`] };
  return observedContainers(await client.containers.list({ all, filters }));
}

function observedContainers(summaries: readonly ContainerSummary[]): readonly ObservedContainer[] {
  return summaries
    .map((summary) => {
      const { Id: id, Names, Labels, State: state } = summary;
      const number = Number(Labels[composeLabel("container-number")]);
      return {
        id,
        name: (Names[0] ?? id).replace(/^\//, ""),
        service: Labels[composeLabel("service")] ?? "",
        number: Number.isSafeInteger(number) ? number : 0,
        isOneOff: Labels[composeLabel("oneoff")] === "True",
        state,
        summary,
      };
    })
    .sort(
      (a, b) => compare(a.service, b.service) || a.number - b.number || compare(a.name, b.name),
    );
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
