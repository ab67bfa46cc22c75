import { Fault, isFault } from "#base";
import { exposedPorts, networkModeOf } from "#container";
import type { Engine, ListedContainer } from "#engine";
import type { ContainerSummary, ContainerUsage } from "#wire";
import { mountPoints, networkName, networksOf } from "./container-inspect.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { spanText } from "./time-text.ts";

const filterKeys = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
] as const;

const states = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

const healths = ["none", "starting", "healthy", "unhealthy"];

/** GET /containers/json. */
export async function listContainers({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const filters = query.filters(filterKeys);
  for (const state of filters.status ?? [])
    if (!states.includes(state))
      throw new Fault(
        "invalid",
        `invalid filter 'status=${state}': invalid value for state (${state}): must be one of ${states.join(", ")}`,
      );
  for (const health of filters.health ?? [])
    if (!healths.includes(health))
      throw new Fault(
        "invalid",
        `invalid filter 'health=${health}': invalid value for health (${health}): must be one of ${healths.join(", ")}`,
      );
  const limit = query.whole("limit") ?? 0;
  const containers = engine.containers.list({
    // A filter on the state lists those that do not run as well.
    all: query.flag("all") || limit > 0 || (filters.status ?? []).length > 0,
    ...(limit > 0 && { limit }),
    filters,
  });
  const withSize = query.flag("size");
  const withUsage = query.flag("usage");
  const imageName = imageNames(engine);
  const summaries = await Promise.all(
    containers.map(async (each) => ({
      ...summaryOf(each, imageName(each)),
      ...(withSize && (await listedSizes({ engine }, each))),
      ...(withUsage && { Usage: await usageOf(engine, each) }),
    })),
  );
  exchange.sendJson(200, summaries);
}

/** `SizeRw` and `SizeRootFs` as list and inspect show them on request. */
export async function sizesOf(
  { engine }: Pick<ApiContext, "engine">,
  container: Pick<ListedContainer, "id">,
): Promise<{ readonly SizeRw: number; readonly SizeRootFs: number }> {
  const { writable, total } = await engine.containers.size(container.id);
  return { SizeRw: writable, SizeRootFs: total };
}

/** A container that ends meanwhile has no usage any more. */
async function usageOf(engine: Engine, container: ListedContainer): Promise<ContainerUsage> {
  const { id, health, restartCount, state } = container;
  const usage =
    state.pid === 0 ? undefined : await engine.containers.stats(id).catch(() => undefined);
  return {
    Health: state.pid === 0 ? "" : (health?.status ?? ""),
    RestartCount: restartCount,
    Memory: usage ? usage.memory.usage - cacheOf(usage.memory.stats) : null,
  };
}

/** As Docker's CLI takes it off in `stats`; cgroup v1 and v2 name it differently. */
function cacheOf(stats: Readonly<Record<string, number>>): number {
  return stats.total_inactive_file ?? stats.inactive_file ?? 0;
}

/** As in Docker, a list leaves sizes of 0 out; those of a container that is removed meanwhile too. */
export async function listedSizes(
  context: Pick<ApiContext, "engine">,
  container: Pick<ListedContainer, "id">,
): Promise<Partial<Awaited<ReturnType<typeof sizesOf>>>> {
  try {
    const sizes = await sizesOf(context, container);
    return Object.fromEntries(Object.entries(sizes).filter(([, bytes]) => bytes > 0));
  } catch (error) {
    if (isFault(error, "not_found")) return {};
    throw error;
  }
}

/** How lists call the image of a container: as the container was made, or by its id when that name is of another image now. */
export function imageNames(engine: Engine): (container: ListedContainer) => string {
  const ids = new Map<string, string | undefined>();
  return ({ config: { Image }, imageId }) => {
    if (!ids.has(Image)) ids.set(Image, engine.images.idOf(Image));
    return ids.get(Image) === imageId ? Image : imageId;
  };
}

/** A container as lists show it, with its image under this name. */
export function summaryOf(container: ListedContainer, imageName: string): ContainerSummary {
  const Status = statusText(container, BigInt(Date.now()) * 1_000_000n);
  return { ...factsOf(container), Image: imageName, Status };
}

const known = new WeakMap<ListedContainer, ContainerSummary>();

/** The part of a summary that holds until the container changes; the other fields keep their places. */
function factsOf(container: ListedContainer): ContainerSummary {
  const facts = known.get(container) ?? {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: "",
    ImageID: container.imageId,
    Command: commandText(container.argv),
    Created: Number(container.createdAt / 1_000_000_000n),
    Ports: portsOf(container),
    Labels: container.config.Labels,
    State: container.state.status,
    Status: "",
    HostConfig: {
      NetworkMode: networkName(container.host),
    },
    NetworkSettings: { Networks: listedNetworks(container) },
    Mounts: mountPoints(container),
  };
  known.set(container, facts);
  return facts;
}

/** Without the names that others find it by, which inspect tells. */
function listedNetworks(
  container: ListedContainer,
): ContainerSummary["NetworkSettings"]["Networks"] {
  const networks = Object.entries(networksOf(container));
  return Object.fromEntries(networks.map(([name, each]) => [name, { ...each, DNSNames: null }]));
}

/** What is published, and what is only exposed, of a container that runs in a network of its own. */
function portsOf(container: ListedContainer): ContainerSummary["Ports"] {
  const { config, host, state, ports, networks } = container;
  if (state.pid === 0 || networks.length === 0 || networkModeOf(host).kind !== "bridge") return [];
  return exposedPorts(config).flatMap(({ protocol, containerPort }) => {
    const found = ports.filter(
      (each) => each.protocol === protocol && each.containerPort === containerPort,
    );
    if (found.length === 0) return [{ PrivatePort: containerPort, Type: protocol }];
    return found.map(({ hostIp, hostPort }) => ({
      IP: hostIp,
      PrivatePort: containerPort,
      PublicPort: hostPort,
      Type: protocol,
    }));
  });
}

/** The program and its arguments; those with a space in quotes. */
function commandText([program = "", ...rest]: readonly string[]): string {
  return [program, ...rest.map((each) => (each.includes(" ") ? `'${each}'` : each))].join(" ");
}

function healthText(health: ListedContainer["health"]): string {
  if (!health) return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}

/** The STATUS column of `docker ps`. */
export function statusText({ state, health }: ListedContainer, now: bigint): string {
  const span = (since: bigint) => spanText(now > since ? now - since : 0n);
  switch (state.status) {
    case "running":
      return `Up ${span(state.startedAt)}${healthText(health)}`;
    case "paused":
      return `Up ${span(state.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${span(state.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "created":
      return "Created";
    case "exited":
      return state.finishedAt === 0n
        ? "Created"
        : `Exited (${state.exitCode}) ${span(state.finishedAt)} ago`;
  }
}
