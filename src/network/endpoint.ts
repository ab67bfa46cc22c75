import { randomBytes } from "node:crypto";
import { defined, Fault, type IpVersion, isFault, poll } from "#base";
import {
  addAddress,
  addToBridge,
  applyInTurn,
  createStackedLink,
  createVeth,
  deleteLink,
  deleteRoute,
  type Fd,
  getLink,
  interfaceSettings,
  isolatePort,
  type Link,
  type NetlinkRequest,
  newNetworkNamespace,
  RouteTable,
  replaceRoute,
  type StackedKind,
  setInterfaceSettings,
  setLinkAlias,
  setLinkMac,
  setLinkUp,
  writeNamespaceSettings,
} from "#kernel";
import type { Bridge } from "./bridge.ts";
import { deleteFully, removeLink } from "./link-removal.ts";
import { limitEnds, type PairEnds } from "./rate-limit.ts";
import type { GuardedPort, SpoofGuard } from "./spoof-guard.ts";

/** A container's addresses on a bridge; those of a version that the network has not are "" and 0. */
export interface Addresses {
  readonly address: string;
  readonly prefixLength: number;
  /** "" in a network that leads nowhere. */
  readonly gateway: string;
  /** The same of IPv6. */
  readonly address6: string;
  readonly prefixLength6: number;
  readonly gateway6: string;
}

/** A container's place on a bridge. */
export interface Place extends Addresses {
  readonly mac: string;
  /** 64 hexadecimal digits. */
  readonly endpointId: string;
  /** The interface's name in the namespace. */
  readonly link: string;
}

/** A place with the namespace that was made for it. */
export interface PlaceWithNamespace extends Place {
  /** With `lo` and `eth0` ready; the owner may close it before `release`. */
  readonly netns: Fd;
}

/** The settings that Docker makes in every namespace of its own, besides the IPv6 switches. */
const common = {
  "net.ipv4.conf.default.arp_notify": "1",
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};
/** Interfaces made later have no IPv6 unless it is turned on; `lo` keeps ::1, which programs listen on. */
const withoutIpv6 = {
  "net.ipv6.conf.default.accept_ra": "0",
  "net.ipv6.conf.default.disable_ipv6": "1",
};
const LOOPBACK = 1;

/** The sysctls that an endpoint's `settings` may name. */
export const endpointSettings = interfaceSettings;

/** A namespace with nothing but `lo`, up: `--network none`. */
export async function makeIsolated(): Promise<Fd> {
  const netns = await newNetworkNamespace({ ...common, ...withoutIpv6 });
  try {
    await new RouteTable({ netns }).apply(setLinkUp(LOOPBACK));
    return netns;
  } catch (error) {
    netns.close();
    throw error;
  }
}

/** What an endpoint is to be like in its namespace. */
export interface EndpointWish {
  /** The interface's name: "eth0". */
  readonly link: string;
  /** Whether the default route goes by it. */
  readonly isGateway: boolean;
  /** Whether that of IPv6 does; absent: as `isGateway`. */
  readonly isGateway6?: boolean;
  /** Dotted; absent: the next free one. */
  readonly address?: string;
  /** The same of IPv6. */
  readonly address6?: string;
  /** Absent: one made from the address. */
  readonly mac?: string;
  /** Bytes per second that it sends at most, and gets; absent: no limit. */
  readonly rate?: number;
  /** Sysctls below net.ipv4.conf of the interface, by their last part. */
  readonly settings?: Readonly<Record<string, number>>;
  /** It may send under any address. */
  readonly isTrusted?: boolean;
}

/** The interface of a container in one network alone. */
export const firstWish: EndpointWish = { link: "eth0", isGateway: true };

export interface PlaceOptions {
  readonly bridge: Bridge;
  readonly addresses: Addresses;
  /** Whether containers of the bridge are kept from each other. */
  readonly isIsolated: boolean;
  /** The kind of interface over `bridge`, which is then no bridge; absent: a port of it. */
  readonly stacked?: StackedKind;
  /** Of the bridge's ports; absent: the container may send under any address. */
  readonly guard?: SpoofGuard;
  readonly wish: EndpointWish;
}

/** An interface on the bridge in a namespace that is the place's from now on, and is closed when it fails; the address stays the caller's then. */
export async function makePlace(options: PlaceOptions, netns: Fd): Promise<PlaceWithNamespace> {
  try {
    return { netns, ...(await joinPlace(options, netns)) };
  } catch (error) {
    netns.close();
    throw error;
  }
}

/** An interface on the bridge in a namespace that has `lo`; what fails half-way is undone. */
export async function joinPlace(options: PlaceOptions, netns: Fd): Promise<Place> {
  const { addresses, wish, stacked, guard } = options;
  const table = new RouteTable({ netns });
  const peer = { name: wish.link, mac: wish.mac ?? randomMac(), netns };
  const endpointId = randomBytes(32).toString("hex");
  const port = portName(endpointId);
  let { mac } = peer;
  const making = stacked ? stack(options, peer) : connect(options, { peer, port });
  // The guard knows a port by its name, also before it is there.
  const guarding = guard?.guard(guardedPort({ ...addresses, mac, endpointId }));
  const [made, guarded] = await Promise.allSettled([making, guarding]);
  try {
    if (made.status === "rejected") throw made.reason;
    if (guarded.status === "rejected") throw guarded.reason;
    const { index, mac: given } =
      made.value === undefined ? await linkInside(table, wish.link) : { index: made.value, mac };
    if (addresses.address6 !== "") await writeNamespaceSettings(netns, ipv6Settings(wish.link));
    const setUp = [
      ...(stacked ? [setLinkAlias(wish.link, aliasOf(endpointId))] : []),
      ...(wish.settings ? [setInterfaceSettings(index, wish.settings)] : []),
      ...interfaceAddresses(addresses).map((each) => addAddress({ index, ...each })),
      setLinkUp(index),
    ];
    const routes = defaultRoutes(addresses, wish).map((each) =>
      replaceRoute(anywhere(each, index)),
    );
    if (wish.rate !== undefined) await limitEnds(wish.rate, { netns, index, port });
    // As Docker shows it: that of its parent is not its own.
    if (stacked) mac = stacked.kind === "ipvlan" ? "" : given;
    if (stacked) await table.apply(...setUp, ...routes);
    else await openPair({ netns, index, port, mac }, { setUp, routes });
  } catch (error) {
    if (made.status === "fulfilled")
      await (stacked
        ? removeInterface(netns, { endpointId, mac: "", link: wish.link })
        : deletePorts([port]));
    await guard?.forget(port);
    throw error;
  }
  return { ...addresses, mac, endpointId, link: wish.link };
}

async function linkInside(table: RouteTable, name: string): Promise<Link> {
  const link = await table.link(name);
  if (link) return link;
  throw new Fault("unavailable", "the container's interface vanished while it was set up");
}

/**
 * Of an interface with IPv6. Addresses come from the engine alone, which gives none twice: no
 * router's advertisement or redirect counts, and none is asked about on the link before it is used.
 */
function ipv6Settings(link: string): Readonly<Record<string, string>> {
  // A slash stands for a dot within a name, and the other way round (sysctl(8)).
  const conf = `net.ipv6.conf.${link.replaceAll(".", "/")}`;
  return {
    [`${conf}.accept_ra`]: "0",
    [`${conf}.accept_redirects`]: "0",
    [`${conf}.accept_dad`]: "0",
    [`${conf}.ndisc_notify`]: "1",
    // Its link-local address is made from its MAC address, by which the packet filter knows it.
    [`${conf}.addr_gen_mode`]: "0",
    [`${conf}.disable_ipv6`]: "0",
  };
}

function interfaceAddresses({ address, prefixLength, address6, prefixLength6 }: Addresses) {
  return [
    { address, prefixLength },
    { address: address6, prefixLength: prefixLength6 },
  ].filter((each) => each.address !== "");
}

function defaultRoutes(
  { gateway, gateway6 }: Addresses,
  { isGateway, isGateway6 = isGateway }: EndpointWish,
): readonly string[] {
  return [isGateway ? gateway : "", isGateway6 ? gateway6 : ""].filter((each) => each !== "");
}

/**
 * Brings both ends up, the container's first, and waits until each passes packets and the bridge passes
 * frames between them; what the container says earlier is lost. The kernel sees to that when it is
 * asked about the end, or, before Linux 6.8, on a thread of its own soon after.
 */
async function openPair(
  { netns, index, port, mac }: PairEnds & { readonly mac: string },
  inside: Readonly<Record<"setUp" | "routes", readonly NetlinkRequest[]>>,
): Promise<void> {
  const asksPort = { requests: [getLink(port)] };
  // With arp_notify and ndisc_notify this tells neighbours that know the address by the MAC of its last owner.
  const tells = { netns, requests: [getLink(index), setLinkMac(index, mac)] };
  const isOpen = (links: readonly Link[]) =>
    links.every(({ isOperational }) => isOperational) && links[0]?.forwards === true;
  const opened = await applyInTurn(
    { netns, requests: inside.setUp },
    { requests: [setLinkUp(port), ...asksPort.requests] },
    { netns, requests: [...inside.routes, ...tells.requests] },
  );
  if (isOpen(opened)) return;
  const isOpenNow = async () => isOpen(await applyInTurn(asksPort, tells));
  await poll(isOpenNow, { attempts: 100, base: 1, max: 20 });
}

/** As dockerd since version 28: one host's, of local administration (IEEE 802, first octet). */
function randomMac(): string {
  const octets = randomBytes(6);
  octets[0] = ((octets[0] ?? 0) & 0xfe) | 2;
  return octets.toString("hex").replace(/..\B/g, "$&:");
}

/** The default route by way of a gateway, of the gateway's version. */
function anywhere(gateway: string, index: number) {
  const destination = gateway.includes(":") ? "::" : "0.0.0.0";
  return { destination, prefixLength: 0, gateway, index };
}

/**
 * Sends what has no better route by way of an endpoint, of each version by another; without one
 * nothing goes out any more.
 */
export async function setGateways(
  netns: Fd,
  gateways: {
    readonly ipv4?: Pick<Place, "link" | "gateway">;
    readonly ipv6?: Pick<Place, "link" | "gateway6">;
  },
): Promise<void> {
  const table = new RouteTable({ netns });
  const { ipv4, ipv6 } = gateways;
  await setDefaultRoute(table, 4, ipv4?.link, ipv4?.gateway);
  await setDefaultRoute(table, 6, ipv6?.link, ipv6?.gateway6);
}

async function setDefaultRoute(
  table: RouteTable,
  version: IpVersion,
  name: string | undefined,
  gateway = "",
): Promise<void> {
  const link = name === undefined ? undefined : await table.link(name);
  if (link && gateway !== "") {
    await table.apply(replaceRoute(anywhere(gateway, link.index)));
    return;
  }
  for (const route of await table.routes(version))
    if (route.prefixLength === 0 && route.gateway !== undefined)
      await table.apply(deleteRoute(anywhere(route.gateway, route.index)));
}

/** The host's end of an endpoint. Those of earlier versions have names of 11 letters. */
export function portName(endpointId: string): string {
  return `veth${endpointId.slice(0, 11)}`;
}

/** The host's end of an endpoint as the guard has it. */
export function guardedPort({
  endpointId,
  ...port
}: Pick<Place, "endpointId" | "mac" | "address" | "address6"> &
  Pick<GuardedPort, "others">): GuardedPort {
  const { mac, address, address6, others } = port;
  return { name: portName(endpointId), mac, address, address6, ...defined({ others }) };
}

/** Removes the interface of an endpoint from a namespace that goes on. */
export async function removeInterface(
  netns: Fd,
  place: Pick<Place, "endpointId" | "mac" | "link">,
): Promise<void> {
  const isThere = (await new RouteTable().link(portName(place.endpointId))) !== undefined;
  await (isThere ? removePort(place) : removeFrom(netns, place));
}

/** As `removeInterface`, of an endpoint that has the host's end of a pair by its name: it takes the other with it. */
export async function removePort({ endpointId }: Pick<Place, "endpointId">): Promise<void> {
  await removeLink(new RouteTable(), portName(endpointId));
}

const kinds: readonly string[] = ["veth", "macvlan", "ipvlan"];

/** By its MAC address or else its name: one without an end on the host, or whose end has an earlier version's name. */
async function removeFrom(
  netns: Fd,
  { mac, link: name }: Pick<Place, "mac" | "link">,
): Promise<void> {
  const table = new RouteTable({ netns });
  const link = (await table.links()).find(
    (each) => kinds.includes(each.kind) && (mac === "" ? each.name === name : each.mac === mac),
  );
  if (link !== undefined) await table.apply(deleteLink(link.index));
}

async function deletePorts(names: readonly string[]): Promise<void> {
  const host = new RouteTable();
  for (const name of names) await deleteFully(host, name);
}

/**
 * Puts the host's ends of endpoints, by the endpoints' ids, back on their bridge, which another
 * program deleted or took them from.
 */
export async function rejoinBridge(
  {
    bridge,
    isIsolated,
  }: Pick<PlaceOptions, "isIsolated"> & { readonly bridge: Pick<Bridge, "index"> },
  known: readonly string[],
  links: readonly Link[],
): Promise<void> {
  const host = new RouteTable();
  const names = new Set(known.map(portName));
  const lost = links.filter(
    ({ name, kind, master }) => kind === "veth" && names.has(name) && master !== bridge.index,
  );
  for (const { name } of lost) {
    try {
      await host.apply(addToBridge(name, bridge.index), ...(isIsolated ? [isolatePort(name)] : []));
    } catch (error) {
      // Its namespace ended meanwhile.
      if (!isFault(error, "not_found") && !isFault(error, "invalid")) throw error;
    }
  }
}

/** Tells an interface over one of the host's from those that the container makes itself. */
function aliasOf(endpointId: string): string {
  return `thimble endpoint ${endpointId}`;
}

/**
 * Removes from a container's namespace the interfaces over one of the host's that are of no endpoint
 * in `known`, by their ids; gives their number.
 */
export async function sweepStacked(netns: Fd, known: ReadonlySet<string>): Promise<number> {
  const table = new RouteTable({ netns });
  const aliases = new Set([...known].map(aliasOf));
  const left = (await table.links()).filter(
    ({ alias }) => alias.startsWith(aliasOf("")) && !aliases.has(alias),
  );
  for (const { index } of left) await table.apply(deleteLink(index));
  return left.length;
}

/** Removes the ports of bridges that are of none of the endpoints; gives their number. */
export async function sweepPorts(
  bridges: ReadonlySet<number>,
  known: ReadonlySet<string>,
): Promise<number> {
  const links = await new RouteTable().links();
  const left = links
    .filter(({ kind, master }) => kind === "veth" && bridges.has(master))
    .map(({ name }) => name)
    .filter((name) => /^veth[0-9a-f]{11}$/.test(name) && !known.has(name));
  await deletePorts(left);
  return left.length;
}

/** Makes an interface over the host's, whose index is to be looked up. */
async function stack({ bridge, stacked }: PlaceOptions, peer: Peer): Promise<undefined> {
  if (stacked === undefined) throw new Fault("internal", "the endpoint has no kind of interface");
  // One of passthru has its parent's.
  const isOwn = stacked.kind === "macvlan" && stacked.mode !== "passthru";
  const { name, netns, mac } = peer;
  const link = { type: stacked, parent: bridge.index, name, netns, ...(isOwn && { mac }) };
  const host = new RouteTable();
  let busy: unknown;
  const isMade = async () => {
    try {
      await host.apply(createStackedLink(link));
      return true;
    } catch (cause) {
      if (isFault(cause, "exists")) throw nameTaken(peer.name, cause);
      if (!isFault(cause) || cause.errno !== "EBUSY") throw cause;
      busy = cause;
      return false;
    }
  };
  // A parent has interfaces of one kind; those of namespaces that have ended go a moment later.
  if (!(await poll(isMade, { attempts: 13, base: 1, max: 256 }))) throw busy;
}

interface Peer {
  readonly name: string;
  readonly mac: string;
  readonly netns: Fd;
}

function nameTaken(name: string, cause: unknown): Fault {
  return new Fault(
    "conflict",
    `the container has an interface ${name} already; give the endpoint another name`,
    { cause },
  );
}

/** Makes the pair of interfaces; gives the index of the one in the namespace. */
async function connect(
  { bridge, isIsolated }: PlaceOptions,
  { peer, port }: { readonly peer: Peer; readonly port: string },
): Promise<number> {
  try {
    const made = await new RouteTable().make(
      port,
      createVeth({ name: port, master: bridge.index, mtu: bridge.mtu, peer }),
      ...(isIsolated ? [isolatePort(port)] : []),
    );
    return made.peer;
  } catch (cause) {
    throw isFault(cause, "exists") ? nameTaken(peer.name, cause) : cause;
  }
}
