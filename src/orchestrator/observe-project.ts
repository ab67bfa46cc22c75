import { isFault } from "#base";
import type { Client } from "#client";
import { composeLabel, type ObservedContainer, type ObservedProject, type Project } from "#compose";
import type { ContainerSummary } from "#wire";

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

/** As `observeProject`, with what the project uses by name and others made. */
export async function observeAround(client: Client, project: Project): Promise<ObservedProject> {
  const observed = await observeProject(client, project.name);
  const missing = <T>(parts: Project["networks"], has: (name: string) => boolean, find: Find<T>) =>
    Promise.all(
      [...parts.values()]
        .map((part) => String(part.get("name")))
        .filter((name) => !has(name))
        .map((name) => find(name).catch(orAbsent)),
    ).then((found) => found.filter((one) => one !== undefined));
  const [networks, volumes] = await Promise.all([
    missing(
      project.networks,
      (name) => observed.networks.some(({ Name }) => Name === name),
      (name) => client.networks.inspect(name),
    ),
    missing(
      project.volumes,
      (name) => observed.volumes.some(({ Name }) => Name === name),
      (name) => client.volumes.inspect(name),
    ),
  ]);
  return {
    containers: observed.containers,
    networks: [...observed.networks, ...networks],
    volumes: [...observed.volumes, ...volumes],
  };
}

type Find<T> = (name: string) => Promise<T>;

function orAbsent(error: unknown): undefined {
  if (!isFault(error, "not_found")) throw error;
}

/** Containers in the words of Compose, those of a service together. */
function observedContainers(summaries: readonly ContainerSummary[]): readonly ObservedContainer[] {
  return summaries
    .map((summary) => {
      const { Id: id, Names, Labels, State: state } = summary;
      const number = Number(Labels[composeLabel("container-number")]);
      return {
        ...{ id, state, summary },
        name: (Names.find((name) => name.lastIndexOf("/") === 0) ?? id).replace(/^\//, ""),
        service: Labels[composeLabel("service")] ?? "",
        number: Number.isSafeInteger(number) ? number : 0,
        isOneOff: Labels[composeLabel("oneoff")] === "True",
      };
    })
    .sort(
      (a, b) => compare(a.service, b.service) || a.number - b.number || compare(a.name, b.name),
    );
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
