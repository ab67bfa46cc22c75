import { Fault, type IpVersion, isFault } from "#base";
import { type EndpointBody, networkModeOf } from "#container";
import type { Fd } from "#kernel";
import type { NetworkDescription } from "#network";
import { publishNetworks } from "../containers/container-event.ts";
import { hostNames } from "../containers/container-files.ts";
import { type ContainerRecord, isUp } from "../containers/container-record.ts";
import type { LiveContainer } from "../containers/live-container.ts";
import {
  emptyAttachment,
  gatewayOf,
  hasInterface,
  joinNetwork,
  networksOf,
  planEndpoint,
  routeByGateway,
  severalWithPlain,
} from "../containers/sandbox.ts";
import type { StoredSandbox } from "../containers/sandbox-store.ts";
import type { NetworkAttachment } from "../contract.ts";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import { addressesOf } from "./endpoint-addresses.ts";
import { checkEndpoint } from "./endpoint-check.ts";
import { changeNameFile } from "./name-file.ts";
import { changeNames } from "./resolution.ts";

/** What joining and leaving a network touches. */
export type LinkParts = Parts<
  "networks" | "names" | "store" | "sandboxes" | "events" | "locks" | "live" | "removing"
>;

/** Adds a container to a network. */
export async function connectContainer(
  parts: LinkParts,
  ref: string,
  container: string,
  settings: EndpointBody,
): Promise<void> {
  if (container === "") throw new Fault("invalid", 'invalid name or ID supplied: ""');
  const { id } = parts.store.find(container);
  const network = parts.networks.find(ref);
  await parts.locks.run(id, async () => {
    const record = parts.store.find(id);
    const endpoints = networksOf(parts, record);
    checkConnectable(parts, record, network, endpoints);
    checkEndpoint(network, settings);
    const attachment = emptyAttachment(network.name, settings);
    const live = runningOf(parts, record);
    if (live) await connectRunning(parts, { live, network, attachment });
    else connectStopped(parts, record, attachment);
  });
}

/** Docker's rules about networks that go together, in its words. */
function checkConnectable(
  parts: Parts<"removing">,
  record: ContainerRecord,
  network: NetworkDescription,
  endpoints: readonly NetworkAttachment[],
): void {
  const { id, name } = record;
  if (parts.removing.has(id))
    throw new Fault(
      "conflict",
      `container ${id} is marked for removal and cannot be connected or disconnected to the network ${network.name}`,
      { about: name },
    );
  const { kind } = networkModeOf(record.host);
  if (kind === "container" || kind === "host") throw severalWithPlain("host");
  if (network.driver === "host")
    throw new Fault(
      "invalid",
      "cannot connect container to host network - container must be created in host network mode",
    );
  const others = endpoints.filter((each) => each.network !== network.name);
  if (others.length > 0 && [network, ...others].some(isNone)) throw severalWithPlain("none");
}

function isNone(each: NetworkDescription | NetworkAttachment): boolean {
  return ("network" in each ? each.network : each.name) === "none";
}

function runningOf(
  parts: Parts<"live">,
  { id, state }: ContainerRecord,
): LiveContainer | undefined {
  return isUp(state) ? parts.live.get(id) : undefined;
}

/** From the next start on; what was asked of the same network before is kept unless it is asked anew. */
function connectStopped(
  parts: Parts<"sandboxes">,
  record: ContainerRecord,
  attachment: NetworkAttachment,
): void {
  const before = networksOf(parts, record);
  const known = before.find(({ network }) => network === attachment.network);
  const settings = { ...known?.settings, ...attachment.settings };
  const others = before.filter((each) => each !== known);
  const endpoints = [...others, { ...attachment, settings }];
  parts.sandboxes.change(record.id, networkModeOf(record.host), endpoints);
}

/** At once: the interface, then the row that makes it count. */
async function connectRunning(
  parts: LinkParts,
  link: {
    readonly live: LiveContainer;
    readonly network: NetworkDescription;
    readonly attachment: NetworkAttachment;
  },
): Promise<void> {
  const { live, network } = link;
  const { sandbox } = live;
  const record = parts.store.find(live.id);
  const { endpoints } = sandbox.stored;
  if (endpoints.some(({ networkId }) => networkId === network.id))
    throw new Fault(
      "denied",
      `endpoint with name ${record.name} already exists in network ${network.name}`,
    );
  using netns = live.task.openNamespace("network");
  const attachment = { ...link.attachment, networkId: network.id };
  const isGateway = (version: IpVersion) =>
    gatewayOf(parts, [...endpoints, attachment], version) === attachment;
  const plan = planEndpoint(parts, attachment, {
    links: endpoints.map((each) => each.link),
    isGateway: isGateway(4),
    isGateway6: isGateway(6),
    isPrivileged: record.host.Privileged,
  });
  await joinNetwork(parts, { open: sandbox, netns, plan });
  crashPoint("connect:attached");
  parts.sandboxes.put(sandbox.stored);
  crashPoint("connect:recorded");
  await follow(parts, live, netns);
  const joined = sandbox.stored.endpoints.filter((each) => !endpoints.includes(each));
  changeHosts(record, { added: joined, removed: [] });
  publishNetworks(parts, { ...sandbox.stored, endpoints: joined }, "connect");
}

/** Takes a container out of a network. */
export async function disconnectContainer(
  parts: LinkParts,
  ref: string,
  container: string,
  isForced: boolean,
): Promise<void> {
  const name = networkName(parts, ref, isForced);
  const { id } = findMember(parts, container, isForced);
  await parts.locks.run(id, async () => {
    const record = parts.store.find(id);
    if (name === "host" && networkModeOf(record.host).kind === "host")
      throw new Fault(
        "invalid",
        "cannot disconnect container from host network - container was created in host network mode",
      );
    const live = runningOf(parts, record);
    const endpoint = networksOf(parts, record).find(({ network }) => network === name);
    if (endpoint === undefined)
      throw new Fault(
        "internal",
        `container ${id} is not connected to ${live ? "" : "the "}network ${name}`,
      );
    if (live) await disconnectRunning(parts, live, endpoint);
    else {
      const others = networksOf(parts, record).filter((each) => each !== endpoint);
      parts.sandboxes.change(id, networkModeOf(record.host), others);
    }
  });
}

/** A network that is gone can still be named when the disconnection is forced. */
function networkName(parts: Parts<"networks">, ref: string, isForced: boolean): string {
  try {
    return parts.networks.find(ref).name;
  } catch (error) {
    if (isForced && isFault(error, "not_found")) return ref;
    throw error;
  }
}

function findMember(parts: Parts<"store">, container: string, isForced: boolean): ContainerRecord {
  try {
    return parts.store.find(container);
  } catch (cause) {
    if (!isForced || !isFault(cause, "not_found")) throw cause;
    throw new Fault("not_found", `endpoint ${container} not found`, { about: container, cause });
  }
}

/** The row first: from then on the container is not in the network, and what a crash leaves of the interface is swept. */
async function disconnectRunning(
  parts: LinkParts,
  live: LiveContainer,
  endpoint: NetworkAttachment,
): Promise<void> {
  const { sandbox } = live;
  const before = sandbox.stored;
  const left: StoredSandbox = {
    ...before,
    endpoints: before.endpoints.filter(({ network }) => network !== endpoint.network),
  };
  parts.sandboxes.put(left);
  sandbox.stored = left;
  crashPoint("disconnect:recorded");
  if (hasInterface(endpoint)) {
    using netns = live.task.openNamespace("network");
    // First, so that whoever finds the interface gone finds the rest in order, and nothing leads to
    // the next owner of its address.
    if (wasGateway(parts, before, endpoint)) await routeByGateway(parts, netns, left);
    await follow(parts, live, netns);
    await parts.networks.leave(netns, endpoint);
    crashPoint("disconnect:left");
  }
  changeHosts(parts.store.find(live.id), { added: [], removed: [endpoint] });
  publishNetworks(parts, { ...before, endpoints: [endpoint] }, "disconnect");
}

/** Whether the default route of a version goes to another endpoint with the end of this one; else it goes with its interface. */
function wasGateway(
  parts: Parts<"networks">,
  { endpoints }: StoredSandbox,
  leaving: NetworkAttachment,
): boolean {
  const others = endpoints.filter((each) => each !== leaving);
  return ([4, 6] as const).some(
    (version) =>
      gatewayOf(parts, endpoints, version) === leaving && gatewayOf(parts, others, version),
  );
}

/** Names and published ports of a container whose networks have changed. */
async function follow(parts: LinkParts, live: LiveContainer, netns: Fd): Promise<void> {
  const { endpoints } = live.sandbox.stored;
  const done = await Promise.allSettled([
    changeNames(parts, parts.store.find(live.id), { netns, endpoints }),
    live.ports.settle(live),
  ]);
  const failed = done.find((each) => each.status === "rejected");
  if (failed) throw failed.reason;
}

/** Keeps what the container itself has written to its hosts file. */
function changeHosts(
  record: ContainerRecord,
  change: {
    readonly added: readonly NetworkAttachment[];
    readonly removed: readonly NetworkAttachment[];
  },
): void {
  const lines = (endpoints: readonly NetworkAttachment[]) =>
    addressesOf(endpoints).map((address) => `${address}\t${hostNames(record).join(" ")}`);
  const gone = lines(change.removed);
  changeNameFile(record.files.hosts, (text) => {
    const kept = text.split("\n").filter((line) => line !== "" && !gone.includes(line));
    return `${[...kept, ...lines(change.added)].join("\n")}\n`;
  });
}
