import { type ContainerId, defined, Fault, type IpVersion, newId, type SandboxId } from "#base";
import {
  type EndpointBody,
  endpointsOf,
  type NetworkMode,
  networkModeOf,
  readEndpoint,
  type Sent,
} from "#container";
import type { Fd } from "#kernel";
import { type EndpointWish, setGateways } from "#network";
import type { NetworkAttachment } from "../contract.ts";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";
import { openJoined } from "./joined-container.ts";
import type { StoredSandbox } from "./sandbox-store.ts";

/** A container's sandbox for one run. */
export interface OpenSandbox {
  /** Absent: the host's own, or one that an earlier life of the engine made. */
  readonly netns?: Fd;
  /** As it is to be stored, with the addresses of this run; replaced when the container joins or leaves a network. */
  stored: StoredSandbox;
  /** Gives the addresses back; the namespace itself goes with its last process. */
  release(): void;
}

/**
 * Makes or joins the network namespace that a container's network mode asks for: the
 * container's sandbox, which is made at the first start, with new endpoints. Nothing is
 * stored yet, so that a crash from here on leaves the sandbox as it was.
 */
export async function openSandbox(
  parts: Parts<"networks" | "store" | "sandboxes" | "live">,
  record: ContainerRecord,
): Promise<OpenSandbox> {
  const mode = networkModeOf(record.host);
  const id = parts.sandboxes.get(record.id)?.id ?? newId<SandboxId>();
  const sandbox = { id, container: record.id, mode };
  const isPrivileged = record.host.Privileged;
  if (mode.kind === "container") {
    const netns = openJoined(parts, record, "network");
    return { netns, stored: { ...sandbox, endpoints: [] }, release: () => netns.close() };
  }
  const wanted = networksOf(parts, record);
  const plain = wanted.find(({ network }) => network === "host" || network === "none");
  if (plain === undefined) return await attachAll(parts, sandbox, { wanted, isPrivileged });
  if (wanted.length > 1) throw severalWithPlain(plain.network);
  const networkId = parts.networks.find(plain.network).id;
  const endpoint = { ...plain, networkId, endpointId: newId<SandboxId>() };
  const stored = { ...sandbox, endpoints: [endpoint] };
  if (plain.network === "host") return { stored, release: () => undefined };
  const netns = await parts.networks.isolated();
  return { netns, stored, release: () => netns.close() };
}

/** A container that is in "host" or "none" can be in no other network; `invalid`, in Docker's words. */
export function severalWithPlain(network: string): Fault {
  return new Fault(
    "invalid",
    network === "host"
      ? "container sharing network namespace with another container or host cannot be connected to any other network"
      : "container cannot be connected to multiple networks with one of the networks in private (none) mode",
  );
}

interface WantedEndpoints {
  readonly wanted: readonly NetworkAttachment[];
  readonly isPrivileged: boolean;
}

/** A namespace with an interface in each network. */
async function attachAll(
  parts: Parts<"networks" | "store" | "live">,
  sandbox: Omit<StoredSandbox, "endpoints">,
  wish: WantedEndpoints,
): Promise<OpenSandbox> {
  const plans = planEndpoints(parts, sandbox.mode, wish);
  const [first, ...others] = plans;
  if (first === undefined) {
    const netns = await parts.networks.isolated();
    return { netns, stored: { ...sandbox, endpoints: [] }, release: () => netns.close() };
  }
  if (asksAddress(first)) await endpointsGivenBack(parts, first.network);
  const { netns, ...endpoint } = await parts.networks.attach(first.network, first.wish);
  const open: OpenSandbox = {
    netns,
    stored: { ...sandbox, endpoints: [{ ...first.attachment, ...endpoint }] },
    release: () => {
      netns.close();
      for (const each of open.stored.endpoints) parts.networks.release(each);
    },
  };
  try {
    for (const each of others) await joinNetwork(parts, { open, netns, plan: each });
  } catch (error) {
    open.release();
    throw error;
  }
  return open;
}

/** An endpoint that is to be made. */
export interface EndpointPlan {
  /** The network's id. */
  readonly network: string;
  /** Absent: the first one of a container that asks for nothing. */
  readonly wish?: EndpointWish;
  readonly attachment: NetworkAttachment;
}

function asksAddress({ wish }: EndpointPlan): boolean {
  return wish?.address !== undefined || wish?.address6 !== undefined;
}

/** Adds an endpoint to a sandbox that has a namespace. */
export async function joinNetwork(
  parts: Parts<"networks" | "store" | "live">,
  { open, netns, plan }: { open: OpenSandbox; netns: Fd; plan: EndpointPlan },
): Promise<void> {
  if (asksAddress(plan)) await endpointsGivenBack(parts, plan.network);
  const wish = plan.wish ?? { link: "eth0", isGateway: true };
  const { netns: _, ...joined } = await parts.networks.join(plan.network, netns, wish);
  const { endpoints } = open.stored;
  open.stored = { ...open.stored, endpoints: [...endpoints, { ...plan.attachment, ...joined }] };
  await parts.networks.shareAddresses(open.stored.endpoints.filter(hasInterface));
}

/** Containers that have ended hold their addresses for some milliseconds more; resolves when those of a network are free. */
export async function endpointsGivenBack(
  parts: Parts<"store" | "live">,
  networkId: string,
): Promise<void> {
  const ended = [...parts.live.values()].filter(
    ({ id, sandbox }) =>
      !isUp(parts.store.get(id)?.state) &&
      sandbox.stored.endpoints.some((endpoint) => endpoint.networkId === networkId),
  );
  await Promise.all(ended.map(({ settled }) => settled));
}

/** What to ask of each network: names of interfaces that are free, and one default route; the network of the mode first. */
function planEndpoints(
  parts: Parts<"networks">,
  mode: NetworkMode,
  { wanted, isPrivileged }: WantedEndpoints,
): readonly EndpointPlan[] {
  const all = wanted.map((attachment) => {
    const { id, name } = parts.networks.find(attachment.networkId || attachment.network);
    return { ...attachment, network: name, networkId: id };
  });
  const isMain = ({ network, networkId }: NetworkAttachment) =>
    mode.kind === "bridge" && (network === mode.network || networkId === mode.network);
  const found = [...all.filter(isMain), ...all.filter((each) => !isMain(each))];
  const [gateway, gateway6] = ([4, 6] as const).map((version) => gatewayOf(parts, found, version));
  const plans: EndpointPlan[] = [];
  for (const attachment of found) {
    const links = plans.map((plan) => plan.wish?.link ?? "eth0");
    const isGateway = attachment === gateway;
    const isGateway6 = attachment === gateway6;
    const order = { links, isGateway, isGateway6, isPrivileged };
    plans.push(planEndpoint(parts, attachment, order));
  }
  return plans;
}

/** An endpoint's place among others. */
interface EndpointOrder {
  readonly links: readonly string[];
  /** Whether the default route goes by it. */
  readonly isGateway: boolean;
  /** Whether that of IPv6 does. */
  readonly isGateway6: boolean;
  readonly isPrivileged: boolean;
}

/** What to ask of a network for an endpoint beside interfaces that have the names `links`. */
export function planEndpoint(
  parts: Parts<"networks">,
  attachment: NetworkAttachment,
  { links, isGateway, isGateway6, isPrivileged }: EndpointOrder,
): EndpointPlan {
  const { networkId } = attachment;
  const { address, address6, mac, sysctls, link, rate } = readEndpoint(attachment.settings);
  const { linkPrefix, hasIpv6 } = parts.networks.find(networkId);
  const wish: EndpointWish = {
    link: link || freeName(linkPrefix, links),
    isGateway,
    ...(hasIpv6 && isGateway6 !== isGateway && { isGateway6 }),
    ...(address !== "" && { address }),
    ...(address6 !== "" && { address6 }),
    ...(mac !== "" && { mac }),
    ...(rate > 0 && { rate }),
    ...(isTrusted(attachment, isPrivileged) && { isTrusted: true }),
    ...(Object.keys(sysctls).length > 0 && { settings: sysctls }),
  };
  const isPlain = wish.link === "eth0" && isGateway && Object.keys(wish).length === 2;
  return { network: networkId, attachment, ...(!isPlain && { wish }) };
}

/** Whether it may send under any address. A privileged container has the whole host anyway. */
function isTrusted({ settings }: NetworkAttachment, isPrivileged: boolean): boolean {
  return isPrivileged || !readEndpoint(settings).checksSources;
}

function freeName(prefix: string, taken: readonly string[]): string {
  let number = 0;
  while (taken.includes(`${prefix}${number}`)) number++;
  return `${prefix}${number}`;
}

/**
 * The endpoint that has the default route of a version: as in Docker, the one with the highest
 * priority, then the first by the name of its network; one of an internal network never has it.
 */
export function gatewayOf(
  parts: Parts<"networks">,
  endpoints: readonly NetworkAttachment[],
  version: IpVersion,
): NetworkAttachment | undefined {
  const open = endpoints.filter(({ networkId }) => {
    if (networkId === "") return false;
    const { isInternal, hasIpv4, hasIpv6 } = parts.networks.find(networkId);
    return !isInternal && (version === 4 ? hasIpv4 : hasIpv6);
  });
  const priority = ({ settings }: NetworkAttachment) => readEndpoint(settings).gatewayPriority;
  return open.toSorted((a, b) => priority(b) - priority(a) || (a.network < b.network ? -1 : 1))[0];
}

/** Sends what has no better route by way of the endpoints whose turn it is. */
export async function routeByGateway(
  parts: Parts<"networks">,
  netns: Fd,
  { endpoints }: StoredSandbox,
): Promise<void> {
  const [ipv4, ipv6] = ([4, 6] as const).map((version) => gatewayOf(parts, endpoints, version));
  await setGateways(netns, defined({ ipv4, ipv6 }));
}

/** The sandbox of a container that runs on from an earlier life of the engine. */
export function adoptSandbox(
  parts: Parts<"networks" | "sandboxes">,
  record: ContainerRecord,
): OpenSandbox {
  const { id, host } = record;
  const stored = parts.sandboxes.get(id) ?? {
    id: newId<SandboxId>(),
    container: id,
    mode: networkModeOf(host),
    endpoints: [],
  };
  const withInterface = () => open.stored.endpoints.filter(hasInterface);
  const open: OpenSandbox = {
    stored,
    release: () => {
      for (const endpoint of withInterface()) parts.networks.release(endpoint);
    },
  };
  for (const endpoint of withInterface()) {
    const others = withInterface()
      .filter(({ endpointId }) => endpointId !== endpoint.endpointId)
      .flatMap(({ address, address6 }) => [address, address6].filter((each) => each !== ""));
    parts.networks.adopt({ ...endpoint, others, isTrusted: isTrusted(endpoint, host.Privileged) });
  }
  return open;
}

/** Whether an endpoint is an interface: those of "host" and "none", and of containers that do not run, are not. */
export function hasInterface({ mac }: Pick<NetworkAttachment, "mac">): boolean {
  return mac !== "";
}

/** A run is over: the sandbox stays in its networks, without endpoints. */
export function leaveNetworks(parts: Parts<"sandboxes">, id: ContainerId): void {
  const sandbox = parts.sandboxes.get(id);
  if (!sandbox?.endpoints.some(({ endpointId }) => endpointId !== "")) return;
  const endpoints = sandbox.endpoints.map(({ network, networkId, settings }) => ({
    ...emptyAttachment(network, settings),
    networkId,
  }));
  parts.sandboxes.put({ ...sandbox, endpoints });
  crashPoint("exit:networks-left");
}

/** The networks a container is in, or will be in once it is started. */
export function networksOf(
  parts: Parts<"sandboxes">,
  { id, host, sent }: Pick<ContainerRecord, "id" | "host" | "sent">,
): readonly NetworkAttachment[] {
  const stored = parts.sandboxes.get(id)?.endpoints;
  return stored ?? askedNetworks(host.NetworkMode, sent);
}

/** The networks that a create asks for, before any of them is looked up. */
function askedNetworks(networkMode: string, sent: Sent): readonly NetworkAttachment[] {
  const asked = endpointsOf(networkMode, sent.NetworkingConfig ?? undefined);
  const mac = sent.Config.MacAddress;
  return asked.map(([network, settings], index) =>
    emptyAttachment(
      network,
      index === 0 && mac && !settings.MacAddress ? { ...settings, MacAddress: mac } : settings,
    ),
  );
}

/** A place in a network that has no endpoint. */
export function emptyAttachment(network: string, settings: EndpointBody): NetworkAttachment {
  return {
    network,
    networkId: "",
    endpointId: "",
    address: "",
    prefixLength: 0,
    gateway: "",
    address6: "",
    prefixLength6: 0,
    gateway6: "",
    mac: "",
    link: "",
    settings,
  };
}
