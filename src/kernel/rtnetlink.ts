import { defined, Fault, formatIp, type IpVersion, parseIp } from "#base";
import type { Fd } from "./fd.ts";
import {
  exchangeInTurn,
  findNumber,
  NETLINK_ROUTE,
  type Netlink,
  type NetlinkOptions,
  type NetlinkPart,
  type NetlinkRequest,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  openNetlink,
  readAttributes,
  readText,
  readU32,
} from "./netlink.ts";

/** linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h */
export const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
export const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
export const IFLA_LINKINFO = 18;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_STATE = 1;
const IFLA_BRPORT_ISOLATED = 33;
const IFLA_BR_MULTI_BOOLOPT = 46;
/** linux/if_bridge.h */
const BR_BOOLOPT_NO_LL_LEARN = 0;
const BR_STATE_FORWARDING = 3;
const IFLA_AF_SPEC = 26;
const IFLA_INET_CONF = 1;
const IFLA_IFALIAS = 20;
export const IFLA_NET_NS_FD = 28;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const IFF_UP = 1;
/** linux/if.h */
const IF_OPER_UP = 6;
/** linux/socket.h: AF_INET, AF_INET6. */
const families: Readonly<Record<IpVersion, number>> = { 4: 2, 6: 10 };
/** linux/if_addr.h: of IPv6, usable at once, without asking whether another has it. */
const IFA_F_NODAD = 2;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;

/** A network interface, as rtnetlink(7) describes it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** "02:42:ac:14:00:02"; empty for a link without one. */
  readonly mac: string;
  /** Bytes. */
  readonly mtu: number;
  /** The index of the bridge that it is a port of; 0 without a bridge. */
  readonly master: number;
  /** The index of the other end of a pair, in the namespace of that, or of its parent; 0 for all others. */
  readonly peer: number;
  /** Whether it passes packets: up, and so is its other end (RFC 2863). False for `lo`, which has no such state. */
  readonly isOperational: boolean;
  /** Whether its bridge passes frames through it; false for what is no port of a bridge. */
  readonly forwards: boolean;
  /** "bridge", "veth"; empty for hardware and loopback. */
  readonly kind: string;
  readonly alias: string;
}

/** An address, and the index of the interface that has it. */
export interface InterfaceAddress {
  readonly index: number;
  readonly address: string;
  readonly prefixLength: number;
}

/** A route, and the index of the interface that it leaves by. */
export interface Route {
  /** A network; "0.0.0.0" or "::" with length 0 is the default route. */
  readonly destination: string;
  readonly prefixLength: number;
  readonly gateway?: string;
  readonly index: number;
  /** The host's address that its packets have. */
  readonly source?: string;
  /** False for the host's own addresses and for broadcasts; requests need not say it. */
  readonly isUnicast?: boolean;
}

/** The 4 or 16 bytes of an IP address; `invalid` for another form. */
export function ipBytes(address: string): Uint8Array {
  const bytes = parseIp(address);
  if (bytes) return bytes;
  throw new Fault("invalid", `${address} is not an IP address`, { about: address });
}

function versionOf(bytes: Uint8Array): IpVersion {
  return bytes.byteLength === 4 ? 4 : 6;
}

/** The six bytes of a MAC address; `invalid` for another form. */
export function macBytes(mac: string): Uint8Array {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac))
    throw new Fault("invalid", `${mac} is not a MAC address`, { about: mac });
  return Buffer.from(mac.replaceAll(":", ""), "hex");
}

/** The name as it is; `invalid` for one that no interface can have. */
export function linkName(name: string): string {
  // dev_valid_name() of the kernel.
  if (!/^[^\s/:]{1,15}$/.test(name) || name === "." || name === "..")
    throw new Fault("invalid", `${JSON.stringify(name)} is not a name for a network interface`);
  return name;
}

interface LinkHeader {
  readonly index?: number;
  readonly up?: boolean;
}

/** struct ifinfomsg. */
export function writeLinkHeader(writer: NetlinkWriter, header: LinkHeader): NetlinkWriter {
  const up = header.up === undefined ? 0 : IFF_UP;
  writer
    .u8(0)
    .u8(0)
    .u16(0)
    .u32(header.index ?? 0);
  return writer.u32(header.up ? IFF_UP : 0).u32(up);
}

/**
 * A bridge to make; `mac` as "02:42:ac:14:00:01", which keeps it the same when ports come and go.
 */
export interface BridgeOptions {
  readonly name: string;
  readonly mac: string;
  readonly mtu?: number;
}

/**
 * A bridge that is up. `exists` when the name is taken, `invalid` for a name or MAC address of
 * another form.
 */
export function createBridge(options: BridgeOptions): NetlinkRequest {
  const { name, mac, mtu } = options;
  const body = writeLinkHeader(new NetlinkWriter(), { up: true })
    .text(IFLA_IFNAME, linkName(name))
    .attribute(IFLA_ADDRESS, (w) => w.bytes(macBytes(mac)))
    .nested(IFLA_LINKINFO, (w) => w.text(IFLA_INFO_KIND, "bridge"));
  if (mtu !== undefined) body.number(IFLA_MTU, mtu);
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    body: body.done(),
    verb: "create the bridge",
    about: name,
  };
}

/**
 * Has a bridge learn nothing from frames that are for bridges themselves, as those of LLDP are: they
 * pass no packet filter before it learns from them.
 */
export function ignoreLinkLocalFrames(bridge: string): NetlinkRequest {
  const body = writeLinkHeader(new NetlinkWriter(), {})
    .text(IFLA_IFNAME, linkName(bridge))
    .nested(IFLA_LINKINFO, (info) => {
      info.text(IFLA_INFO_KIND, "bridge").nested(IFLA_INFO_DATA, (data) => {
        data.attribute(IFLA_BR_MULTI_BOOLOPT, (w) => {
          w.u32(1 << BR_BOOLOPT_NO_LL_LEARN).u32(1 << BR_BOOLOPT_NO_LL_LEARN);
        });
      });
    })
    .done();
  const about = bridge;
  return { type: RTM_NEWLINK, flags: NLM_F_ACK, body, verb: "set an option of the bridge", about };
}

/** A note on an interface, shown by `ip link`; at most 255 bytes. */
export function setLinkAlias(name: string, alias: string): NetlinkRequest {
  const body = writeLinkHeader(new NetlinkWriter(), {})
    .text(IFLA_IFNAME, linkName(name))
    .text(IFLA_IFALIAS, alias)
    .done();
  return { type: RTM_NEWLINK, flags: NLM_F_ACK, body, verb: "mark", about: name };
}

/** A pair of interfaces to make: one is a port of a bridge, its peer is in another namespace. */
export interface VethOptions {
  /** The end in the namespace of the request. */
  readonly name: string;
  /** The bridge it becomes a port of. */
  readonly master: number;
  readonly mtu?: number;
  readonly peer: { readonly name: string; readonly mac: string; readonly netns: Fd };
}

/**
 * Both ends by one request, so that a crash never leaves half a pair: this end is a port of the
 * bridge, the peer is in its namespace from the beginning, and both are still down. An end that is up
 * while the other is down costs a wait for a grace period; the peer comes up first, then this one.
 *
 * Each end has one queue, as it would use anyway. For one that could have more the kernel waits for two
 * grace periods (veth_init_queues).
 */
export function createVeth(options: VethOptions): NetlinkRequest {
  const { name, master, mtu, peer } = options;
  const writer = writeLinkHeader(new NetlinkWriter(), {});
  writer.text(IFLA_IFNAME, linkName(name)).number(IFLA_MASTER, master);
  writer.number(IFLA_NUM_TX_QUEUES, 1).number(IFLA_NUM_RX_QUEUES, 1);
  if (mtu !== undefined) writer.number(IFLA_MTU, mtu);
  writer.nested(IFLA_LINKINFO, (info) => {
    info.text(IFLA_INFO_KIND, "veth");
    info.nested(IFLA_INFO_DATA, (data) => {
      data.nested(VETH_INFO_PEER, (p) => {
        writeLinkHeader(p, {})
          .text(IFLA_IFNAME, linkName(peer.name))
          .attribute(IFLA_ADDRESS, (w) => w.bytes(macBytes(peer.mac)))
          .number(IFLA_NUM_TX_QUEUES, 1)
          .number(IFLA_NUM_RX_QUEUES, 1)
          .number(IFLA_NET_NS_FD, peer.netns.number);
        if (mtu !== undefined) p.number(IFLA_MTU, mtu);
      });
    });
  });
  const flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  return { type: RTM_NEWLINK, flags, body: writer.done(), verb: "create the link", about: name };
}

/** The beginning of a request about an interface, by its index or name. */
function aboutLink(ref: number | string, header: Pick<LinkHeader, "up"> = {}): NetlinkWriter {
  if (typeof ref === "number")
    return writeLinkHeader(new NetlinkWriter(), { ...header, index: ref });
  return writeLinkHeader(new NetlinkWriter(), header).text(IFLA_IFNAME, linkName(ref));
}

/** Brings an interface up, by its index or name. */
export function setLinkUp(ref: number | string): NetlinkRequest {
  const asked = { verb: "bring up the interface", about: String(ref) };
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_ACK,
    body: aboutLink(ref, { up: true }).done(),
    ...asked,
  };
}

/** Sets the MAC address of an interface, also to the one that it has: one with arp_notify then tells its neighbours. */
export function setLinkMac(index: number, mac: string): NetlinkRequest {
  const body = writeLinkHeader(new NetlinkWriter(), { index })
    .attribute(IFLA_ADDRESS, (w) => w.bytes(macBytes(mac)))
    .done();
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_ACK,
    body,
    verb: "set the MAC address of the interface with index",
    about: String(index),
  };
}

/** Slow for a veth, because the kernel waits for a grace period: end its namespace instead. */
export function deleteLink(ref: number | string): NetlinkRequest {
  const asked = { verb: "delete the interface", about: String(ref) };
  return { type: RTM_DELLINK, flags: NLM_F_ACK, body: aboutLink(ref).done(), ...asked };
}

/** Asks for an interface, by its index or name: see `applyInTurn`. */
export function getLink(ref: number | string): NetlinkRequest {
  const asked = { verb: "look up the interface", about: String(ref) };
  return { type: RTM_GETLINK, flags: 0, body: aboutLink(ref).done(), ...asked };
}

/**
 * Adds an address; one of IPv4 with the broadcast address of its network, one of IPv6 usable at
 * once. `exists` when the interface has it; `denied` for IPv6 where the interface has it disabled.
 */
export function addAddress(options: InterfaceAddress): NetlinkRequest {
  const { index, address, prefixLength } = options;
  const bytes = ipBytes(address);
  const isV4 = versionOf(bytes) === 4;
  const writer = new NetlinkWriter()
    .u8(families[versionOf(bytes)])
    .u8(prefixLength)
    .u8(isV4 ? 0 : IFA_F_NODAD)
    .u8(0)
    .u32(index);
  writer.attribute(IFA_LOCAL, (w) => w.bytes(bytes)).attribute(IFA_ADDRESS, (w) => w.bytes(bytes));
  if (isV4 && prefixLength < 31)
    writer.attribute(IFA_BROADCAST, (w) => w.bytes(broadcastOf(bytes, prefixLength)));
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    body: writer.done(),
    verb: "add the address",
    about: `${address}/${prefixLength}`,
  };
}

function broadcastOf(ipv4: Uint8Array, prefixLength: number): Uint8Array {
  const broadcast = Buffer.alloc(4);
  const hosts = 2 ** (32 - prefixLength) - 1;
  broadcast.writeUInt32BE((Buffer.from(ipv4).readUInt32BE() | hosts) >>> 0);
  return broadcast;
}

/** Removes an address from the interface that has it. */
export function deleteAddress(options: InterfaceAddress): NetlinkRequest {
  const { index, address, prefixLength } = options;
  const bytes = ipBytes(address);
  const body = new NetlinkWriter().u8(families[versionOf(bytes)]).u8(prefixLength).u8(0).u8(0);
  body.u32(index).attribute(IFA_LOCAL, (w) => w.bytes(bytes));
  return {
    type: RTM_DELADDR,
    flags: NLM_F_ACK,
    body: body.done(),
    verb: "remove the address",
    about: `${address}/${prefixLength}`,
  };
}

type GatewayRoute = Route & { readonly gateway: string };

function writeRoute({ destination, prefixLength, gateway, index }: GatewayRoute): Uint8Array {
  const via = ipBytes(gateway);
  const writer = new NetlinkWriter().u8(families[versionOf(via)]).u8(prefixLength).u8(0).u8(0);
  writer.u8(RT_TABLE_MAIN).u8(RTPROT_STATIC).u8(0).u8(RTN_UNICAST).u32(0);
  if (prefixLength > 0) writer.attribute(RTA_DST, (w) => w.bytes(ipBytes(destination)));
  return writer
    .attribute(RTA_GATEWAY, (w) => w.bytes(via))
    .number(RTA_OIF, index)
    .done();
}

function routeText({ destination, prefixLength, gateway }: GatewayRoute): string {
  return `${destination}/${prefixLength} via ${gateway}`;
}

/**
 * A route by way of a gateway, in the place of the one with the same destination, or a new one;
 * "0.0.0.0" or "::" with length 0 for the default route.
 */
export function replaceRoute(route: GatewayRoute): NetlinkRequest {
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    body: writeRoute(route),
    verb: "set the route to",
    about: routeText(route),
  };
}

/** Removes a route by way of a gateway; `not_found` when it is not there. */
export function deleteRoute(route: GatewayRoute): NetlinkRequest {
  return {
    type: RTM_DELROUTE,
    flags: NLM_F_ACK,
    body: writeRoute(route),
    verb: "remove the route to",
    about: routeText(route),
  };
}

/** Makes an interface a port of the bridge with an index. */
export function addToBridge(name: string, bridge: number): NetlinkRequest {
  const body = writeLinkHeader(new NetlinkWriter(), {})
    .text(IFLA_IFNAME, linkName(name))
    .number(IFLA_MASTER, bridge)
    .done();
  return { type: RTM_NEWLINK, flags: NLM_F_ACK, body, verb: "add to its bridge", about: name };
}

/** Keeps a port of a bridge from exchanging packets with the other ports that are isolated. */
export function isolatePort(name: string): NetlinkRequest {
  const body = writeLinkHeader(new NetlinkWriter(), {})
    .text(IFLA_IFNAME, linkName(name))
    .nested(IFLA_LINKINFO, (info) => {
      info.text(IFLA_INFO_SLAVE_KIND, "bridge");
      info.nested(IFLA_INFO_SLAVE_DATA, (data) => {
        data.attribute(IFLA_BRPORT_ISOLATED, (w) => w.u8(1));
      });
    })
    .done();
  return { type: RTM_NEWLINK, flags: NLM_F_ACK, body, verb: "isolate the port", about: name };
}

/** The settings of an interface below net.ipv4.conf, by their number in linux/ip.h. */
const ipv4Settings = {
  forwarding: 1,
  proxy_arp: 3,
  accept_redirects: 4,
  secure_redirects: 5,
  send_redirects: 6,
  shared_media: 7,
  rp_filter: 8,
  accept_source_route: 9,
  bootp_relay: 10,
  log_martians: 11,
  tag: 12,
  arp_filter: 13,
  medium_id: 14,
  disable_xfrm: 15,
  disable_policy: 16,
  force_igmp_version: 17,
  arp_announce: 18,
  arp_ignore: 19,
  promote_secondaries: 20,
  arp_accept: 21,
  arp_notify: 22,
  accept_local: 23,
  src_valid_mark: 24,
  proxy_arp_pvlan: 25,
  route_localnet: 26,
  igmpv2_unsolicited_report_interval: 27,
  igmpv3_unsolicited_report_interval: 28,
  ignore_routes_with_linkdown: 29,
  drop_unicast_in_l2_multicast: 30,
  drop_gratuitous_arp: 31,
  bc_forwarding: 32,
  arp_evict_nocarrier: 33,
} as const;

/** The names that `setInterfaceSettings` takes. */
export const interfaceSettings: readonly string[] = Object.keys(ipv4Settings);

/** Sets sysctls below net.ipv4.conf.INTERFACE, from outside of its namespace; `settings` by their last part. */
export function setInterfaceSettings(
  index: number,
  settings: Readonly<Record<string, number>>,
): NetlinkRequest {
  const numbers: Readonly<Record<string, number>> = ipv4Settings;
  const body = writeLinkHeader(new NetlinkWriter(), { index })
    .nested(IFLA_AF_SPEC, (all) => {
      all.nested(families[4], (family) => {
        family.nested(IFLA_INET_CONF, (conf) => {
          for (const [name, value] of Object.entries(settings))
            conf.number(numbers[name] ?? 0, value);
        });
      });
    })
    .done();
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_ACK,
    body,
    verb: "set sysctls of the interface with index",
    about: String(index),
  };
}

/** A link from the body of an RTM_NEWLINK message (rtnetlink(7)). */
export function parseLink(body: Buffer): Link {
  const attributes = readAttributes(body.subarray(16));
  const info = readAttributes(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0));
  const port = readAttributes(info.get(IFLA_INFO_SLAVE_DATA) ?? Buffer.alloc(0));
  const number = (type: number) => {
    const value = attributes.get(type);
    return value === undefined || value.length < 4 ? 0 : readU32(value);
  };
  return {
    index: readU32(body, 4),
    name: readText(attributes.get(IFLA_IFNAME)),
    up: (readU32(body, 8) & IFF_UP) !== 0,
    mac: attributes.get(IFLA_ADDRESS)?.toString("hex").match(/../g)?.join(":") ?? "",
    mtu: number(IFLA_MTU),
    master: number(IFLA_MASTER),
    peer: number(IFLA_LINK),
    isOperational: attributes.get(IFLA_OPERSTATE)?.[0] === IF_OPER_UP,
    forwards: port.get(IFLA_BRPORT_STATE)?.[0] === BR_STATE_FORWARDING,
    kind: readText(info.get(IFLA_INFO_KIND)),
    alias: readText(attributes.get(IFLA_IFALIAS)),
  };
}

function ipText(bytes: Buffer | undefined): string | undefined {
  return bytes && [4, 16].includes(bytes.length) ? formatIp(bytes) : undefined;
}

/** An address from the body of an RTM_NEWADDR or RTM_DELADDR message. */
export function parseAddress(body: Buffer): InterfaceAddress {
  const attributes = readAttributes(body.subarray(8));
  return {
    index: readU32(body, 4),
    address: ipText(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)) ?? "0.0.0.0",
    prefixLength: body.readUInt8(1),
  };
}

/**
 * A route from the body of an RTM_NEWROUTE message; "0.0.0.0" or "::" with length 0 is the
 * default route.
 */
export function parseRoute(body: Buffer): Route {
  const attributes = readAttributes(body.subarray(12));
  const gateway = ipText(attributes.get(RTA_GATEWAY));
  const oif = attributes.get(RTA_OIF);
  const anywhere = body.readUInt8(0) === families[6] ? "::" : "0.0.0.0";
  return {
    destination: ipText(attributes.get(RTA_DST)) ?? anywhere,
    prefixLength: body.readUInt8(1),
    ...defined({ gateway, source: ipText(attributes.get(RTA_PREFSRC)) }),
    index: oif === undefined ? 0 : readU32(oif),
    isUnicast: body.readUInt8(7) === RTN_UNICAST,
  };
}

/** A kernel without IPv6 answers with what it has of all other families. */
function isOf(version: IpVersion): (reply: Buffer) => boolean {
  return (reply) => reply[0] === families[version];
}

/** Requests to one namespace after the other, on one trip; gives the interfaces that `getLink` has asked for, in their order. */
export async function applyInTurn(...parts: readonly NetlinkPart[]): Promise<Link[]> {
  const answers = await exchangeInTurn(NETLINK_ROUTE, parts);
  return answers
    .flat()
    .filter(({ type }) => type === RTM_NEWLINK)
    .map(({ body }) => parseLink(body));
}

/**
 * The interfaces, addresses and routes of one network namespace, over rtnetlink(7). Changing them
 * needs CAP_NET_ADMIN there (`denied`).
 */
export class RouteTable {
  readonly #netlink: Netlink;

  constructor(options: NetlinkOptions = {}) {
    this.#netlink = openNetlink(NETLINK_ROUTE, options);
  }

  /**
   * Sends the requests in one datagram, in order. The first refusal is thrown, and the kernel has
   * still tried the requests after it.
   */
  async apply(...requests: readonly NetlinkRequest[]): Promise<void> {
    await this.#netlink.exchange(requests);
  }

  /** All interfaces of the namespace. */
  async links(): Promise<Link[]> {
    const body = writeLinkHeader(new NetlinkWriter(), {}).done();
    return (await this.#dump(RTM_GETLINK, body, "list the interfaces")).map(parseLink);
  }

  /** Makes the interface with a name by the requests; gives what has become of it, in the same datagram. */
  async make(name: string, ...requests: readonly NetlinkRequest[]): Promise<Link> {
    const answers = await this.#netlink.exchange([...requests, getLink(name)]);
    const [made] = answers.at(-1) ?? [];
    if (made) return parseLink(made.body);
    throw new Fault("internal", `the kernel does not tell what the interface ${name} is`);
  }

  /** The interface with a name or an index; undefined when there is none. */
  async link(ref: string | number): Promise<Link | undefined> {
    try {
      const [replies = []] = await this.#netlink.exchange([getLink(ref)]);
      return replies.map((reply) => parseLink(reply.body))[0];
    } catch (error) {
      if (error instanceof Fault && error.errno === "ENODEV") return undefined;
      throw error;
    }
  }

  /** The addresses of one version of all interfaces, or of the one with the index. */
  async addresses(version: IpVersion = 4, index = 0): Promise<InterfaceAddress[]> {
    const body = new NetlinkWriter().u8(families[version]).u8(0).u8(0).u8(0).u32(index).done();
    const replies = await this.#dump(RTM_GETADDR, body, "list the addresses");
    return replies.filter(isOf(version)).map(parseAddress);
  }

  /** The routes of every table, of one version, including those of the host's own addresses, but those by interfaces in `except`. */
  async routes(version: IpVersion = 4, except?: ReadonlySet<number>): Promise<Route[]> {
    return await this.#routes(version, 0, except);
  }

  /** Those alone that lead to other machines: a quarter, on a host with many bridges. */
  async unicastRoutes(version: IpVersion = 4, except?: ReadonlySet<number>): Promise<Route[]> {
    return await this.#routes(version, RTN_UNICAST, except);
  }

  async #routes(
    version: IpVersion,
    type: number,
    except: ReadonlySet<number> = new Set(),
  ): Promise<Route[]> {
    const head = new NetlinkWriter().u8(families[version]).bytes(new Uint8Array(6));
    const body = head.u8(type).u32(0).done();
    const replies = await this.#dump(RTM_GETROUTE, body, "list the routes");
    return replies
      .filter(isOf(version))
      .filter((reply) => except.size === 0 || !except.has(findNumber(reply.subarray(12), RTA_OIF)))
      .map(parseRoute);
  }

  async #dump(type: number, body: Uint8Array, verb: string): Promise<Buffer[]> {
    const [replies = []] = await this.#netlink.exchange([{ type, flags: NLM_F_DUMP, body, verb }]);
    return replies.map((reply) => reply.body);
  }
}
