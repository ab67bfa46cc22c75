import { Fault } from "#base";
import type { Client } from "#client";
import type { ObservedContainer } from "#compose";
import { observeContainers } from "#orchestrator";

interface ContainerChoice {
  /** Those that do not run, too. */
  readonly all: boolean;
  /** Those that `run` made, too. */
  readonly oneOff: boolean;
  /** Of these services only; of all when there is none. */
  readonly services?: readonly string[];
}

/** The containers of a project by their names. */
export async function projectContainers(
  client: Client,
  project: string,
  { all, oneOff, services = [] }: ContainerChoice,
): Promise<readonly ObservedContainer[]> {
  const found = await observeContainers(client, project, { all });
  return found
    .filter(({ isOneOff }) => oneOff || !isOneOff)
    .filter(({ service }) => services.length === 0 || services.includes(service))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The container of a service that has `index`, else its first one; one that `run` made comes last.
 * @throws Fault in docker compose's words when there is none
 */
export async function serviceContainer(
  client: Client,
  project: string,
  options: ContainerChoice & { readonly service: string; readonly index?: number | undefined },
): Promise<ObservedContainer> {
  const { service, index = 0, ...choice } = options;
  const found = await projectContainers(client, project, { ...choice, services: [service] });
  const [first] = found
    .filter(({ number }) => index <= 0 || number === index)
    .toSorted((a, b) => Number(a.isOneOff) - Number(b.isOneOff) || a.number - b.number);
  if (first !== undefined) return first;
  const which = index > 0 ? ` container #${index}` : "";
  throw new Fault("not_found", `service "${service}" is not running${which}`, { about: service });
}
