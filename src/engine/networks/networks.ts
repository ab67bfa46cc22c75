import { Fault, isFault, shortId } from "#base";
import type { NetworkDescription } from "#network";
import { endpointsGivenBack } from "../containers/sandbox.ts";
import type { Filters } from "../contract.ts";
import {
  booleanFilter,
  checkFilterKeys,
  matchesLabels,
  textTest,
  untilFilter,
} from "../filters.ts";
import type { Parts } from "../parts.ts";
import { connectContainer, disconnectContainer, type LinkParts } from "./connect.ts";
import { explainNetworks } from "./explain.ts";
import { faultNetwork, mendNetwork } from "./fault.ts";
import { membersOf } from "./members.ts";
import { namesIn } from "./names.ts";
import type {
  CreatedNetwork,
  EngineNetwork,
  EngineNetworks,
  NetworkCreateRequest,
} from "./network-contract.ts";

type NetworkParts = LinkParts & Parts<"clock" | "ports">;

/** The verbs of networks over the parts of one engine. */
export function createNetworks(parts: NetworkParts): EngineNetworks {
  return {
    list: (filters) => listNetworks(parts, filters),
    get: (ref) => view(parts, parts.networks.find(ref)),
    create: (request) => createNetwork(parts, request),
    remove: (ref) => removeNetwork(parts, ref),
    prune: (filters) => pruneNetworks(parts, filters),
    connect: (ref, container, settings) => connectContainer(parts, ref, container, settings),
    disconnect: (ref, container, { force }) => disconnectContainer(parts, ref, container, force),
    fault: (container, fault) => faultNetwork(parts, container, fault),
    explain: (ref) => explainNetworks(parts, ref),
    mend: (container) => mendNetwork(parts, container),
    hostGateway: async () => (await parts.networks.ready("bridge")).gateway,
    names: (ref) => namesIn(parts, parts.networks.find(ref).id),
  };
}

function view(parts: Parts<"store" | "sandboxes">, network: NetworkDescription): EngineNetwork {
  return { ...network, members: membersOf(parts, network.id) };
}

const filterKeys = ["dangling", "driver", "id", "label", "name", "scope", "type"];

function listNetworks(
  parts: Parts<"networks" | "store" | "sandboxes">,
  filters: Filters,
): readonly EngineNetwork[] {
  checkFilterKeys(filters, filterKeys);
  const any = (key: string, matches: (value: string) => boolean) => {
    const values = filters[key] ?? [];
    return values.length === 0 || values.some(matches);
  };
  for (const type of filters.type ?? [])
    if (type !== "builtin" && type !== "custom")
      throw new Fault("internal", `invalid filter: 'type'='${type}'`, { about: type });
  const dangling = danglingFilter(filters);
  const names = filters.name?.map((value) => textTest(value)) ?? [];
  const ids = filters.id?.map((value) => textTest(value)) ?? [];
  const matchesAny = (tests: typeof names, text: string) =>
    tests.length === 0 || tests.some((test) => test(text));
  const found = parts.networks
    .list()
    .filter(
      ({ id, name, driver, labels, isPredefined }) =>
        matchesAny(names, name) &&
        matchesAny(ids, id) &&
        any("driver", (value) => value === driver) &&
        any("scope", (value) => value === "local") &&
        any("type", (value) => value === (isPredefined ? "builtin" : "custom")) &&
        matchesLabels(labels, filters.label ?? []),
    )
    .map((network) => view(parts, network));
  if (dangling === undefined) return found;
  return found.filter(
    ({ isPredefined, members }) => dangling === (!isPredefined && members.length === 0),
  );
}

function danglingFilter(filters: Filters): boolean | undefined {
  if ((filters.dangling?.length ?? 0) > 1)
    throw new Fault("invalid", 'got more than one value for filter key "dangling"');
  try {
    return booleanFilter(filters, "dangling");
  } catch (cause) {
    throw new Fault(
      "invalid",
      `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`,
      { cause },
    );
  }
}

const predefined: readonly string[] = ["bridge", "host", "none", "default"];
const swarm =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

async function createNetwork(
  parts: Parts<"networks" | "events">,
  { driver, ...request }: NetworkCreateRequest,
): Promise<CreatedNetwork> {
  const { name } = request;
  if (name.trim() === "") throw new Fault("invalid", "invalid name: name is empty");
  if (/[\p{Cc}]/u.test(name) || name.length > maxName)
    throw new Fault(
      "invalid",
      `invalid name: a network's name has at most ${maxName} characters and no control characters`,
    );
  if (predefined.includes(name))
    throw new Fault("denied", `operation is not permitted on predefined ${name} network `, {
      about: name,
    });
  // What a configuration names is looked for when a network is made of it.
  const known = request.isConfigOnly ? "bridge" : driverOf(driver);
  const made = await parts.networks.create({ ...request, driver: known });
  publish(parts, made, "create");
  const warnings = parts.networks
    .blockedEgress(made.id)
    .map(
      ({ reason, fix }) =>
        `containers of the network do not reach other machines: ${reason}; to let them: ${fix.join("; ")}`,
    );
  return { ...made, warnings };
}

const maxName = 256;

function driverOf(driver: string): "bridge" | "macvlan" | "ipvlan" {
  switch (driver) {
    case "":
    case "bridge":
    case "default":
      return "bridge";
    case "macvlan":
    case "ipvlan":
      return driver;
    case "host":
    case "null":
      throw new Fault("denied", `only one instance of "${driver}" network is allowed`);
    case "overlay":
      throw new Fault("denied", swarm);
    default:
      throw new Fault("not_found", `plugin "${driver}" not found`, { about: driver });
  }
}

async function removeNetwork(
  parts: Parts<"networks" | "store" | "sandboxes" | "events" | "live">,
  ref: string,
): Promise<void> {
  const network = parts.networks.find(ref);
  const active = membersOf(parts, network.id)
    .map(({ name, endpointId }) => `name:"${name}" id:"${shortId(endpointId)}"`)
    .join(", ");
  if (active !== "" && !network.isPredefined)
    throw new Fault(
      "denied",
      `error while removing network: network ${network.name} has active endpoints (${active})`,
      { about: network.name },
    );
  await endpointsGivenBack(parts, network.id);
  await parts.networks.remove(network.id);
  publish(parts, network, "destroy");
}

async function pruneNetworks(
  parts: Parts<"networks" | "store" | "sandboxes" | "events" | "clock" | "live">,
  filters: Filters,
): Promise<readonly string[]> {
  checkFilterKeys(filters, ["until", "label", "label!"]);
  const until = untilFilter(filters, parts.clock.now());
  const removed: string[] = [];
  for (const network of listNetworks(parts, { dangling: ["true"] })) {
    const { labels, createdAt, id, name, isConfigOnly } = network;
    if (isConfigOnly) continue;
    if (until !== undefined && createdAt > until) continue;
    if (!matchesLabels(labels, filters.label ?? [])) continue;
    if ((filters["label!"] ?? []).some((label) => matchesLabels(labels, [label]))) continue;
    try {
      await removeNetwork(parts, id);
      removed.push(name);
    } catch (error) {
      // Someone uses it or removes it meanwhile.
      if (!isFault(error, "denied") && !isFault(error, "not_found")) throw error;
    }
  }
  parts.events.publish("network", "prune", "", { reclaimed: "0" });
  return removed;
}

function publish(
  parts: Parts<"events">,
  { id, name, driver }: NetworkDescription,
  action: "create" | "destroy",
): void {
  parts.events.publish("network", action, id, { name, type: driver });
}
