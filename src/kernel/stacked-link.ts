import { Fault } from "#base";
import type { Fd } from "./fd.ts";
import {
  type NetlinkRequest,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_EXCL,
} from "./netlink.ts";
import {
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_NET_NS_FD,
  linkName,
  macBytes,
  type RouteTable,
  RTM_NEWLINK,
  writeLinkHeader,
} from "./rtnetlink.ts";

/** linux/if_link.h */
const IFLA_MACVLAN_MODE = 1;
const IFLA_VLAN_ID = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;

/** What interfaces of a kind macvlan exchange with each other: nothing, what a switch outside returns, all, or there is one alone. */
export const macvlanModes = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
/** At which layer ipvlan forwards, and with the host's packet filter (l3s) or without. */
export const ipvlanModes = { l2: 0, l3: 1, l3s: 2 } as const;
export const ipvlanFlags = { bridge: 0, private: 1, vepa: 2 } as const;

/** The kind of an interface over another one, and how it treats its siblings. */
export type StackedKind =
  | { readonly kind: "macvlan"; readonly mode: keyof typeof macvlanModes }
  | {
      readonly kind: "ipvlan";
      readonly mode: keyof typeof ipvlanModes;
      readonly flag: keyof typeof ipvlanFlags;
    };

/** An interface over the one with the index `parent` of our namespace, to make in another. */
export interface StackedLinkOptions {
  readonly type: StackedKind;
  readonly parent: number;
  readonly name: string;
  /** Absent: one that the kernel makes; ipvlan has the parent's. */
  readonly mac?: string;
  readonly netns: Fd;
}

interface NewLink {
  readonly name: string;
  readonly kind: string;
  readonly parent?: number;
  readonly data?: (writer: NetlinkWriter) => void;
  readonly more?: (writer: NetlinkWriter) => void;
  readonly up?: boolean;
}

function newLink({ name, kind, parent, data, more, up }: NewLink): NetlinkRequest {
  const writer = writeLinkHeader(new NetlinkWriter(), up ? { up } : {});
  writer.text(IFLA_IFNAME, linkName(name));
  if (parent !== undefined) writer.number(IFLA_LINK, parent);
  more?.(writer);
  writer.nested(IFLA_LINKINFO, (info) => {
    info.text(IFLA_INFO_KIND, kind);
    if (data) info.nested(IFLA_INFO_DATA, data);
  });
  const flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  const body = writer.done();
  return { type: RTM_NEWLINK, flags, body, verb: `create the ${kind} interface`, about: name };
}

/** The interface is in its namespace from the beginning, and still down. */
export function createStackedLink(options: StackedLinkOptions): NetlinkRequest {
  const { type, parent, name, mac, netns } = options;
  return newLink({
    ...{ name, kind: type.kind, parent },
    more: (w) => {
      w.number(IFLA_NET_NS_FD, netns.number);
      if (mac !== undefined) w.attribute(IFLA_ADDRESS, (a) => a.bytes(macBytes(mac)));
    },
    data: (w) => {
      if (type.kind === "macvlan") w.number(IFLA_MACVLAN_MODE, macvlanModes[type.mode]);
      else
        w.attribute(IFLA_IPVLAN_MODE, (a) => a.u16(ipvlanModes[type.mode])).attribute(
          IFLA_IPVLAN_FLAGS,
          (a) => a.u16(ipvlanFlags[type.flag]),
        );
    },
  });
}

/** An interface for the frames of a VLAN (1 to 4094) of another; it is up. */
export function createVlan(options: {
  readonly name: string;
  readonly parent: number;
  readonly id: number;
}): NetlinkRequest {
  const { name, parent, id } = options;
  const data = (w: NetlinkWriter) => w.attribute(IFLA_VLAN_ID, (a) => a.u16(id));
  return newLink({ name, kind: "vlan", parent, data, up: true });
}

/** An interface that leads nowhere, and can be the parent of others; it is up. */
export function createNowhere(name: string, kind: "dummy" | "ifb"): NetlinkRequest {
  return newLink({ name, kind, up: true });
}

/** Whether the kernel has interfaces of a kind that need a parent, after it has loaded what it can. */
export async function hasStackedKind(
  host: RouteTable,
  kind: "macvlan" | "ipvlan" | "vlan",
): Promise<boolean> {
  try {
    // Without a parent none is made.
    await host.apply(newLink({ name: "thimble-probe", kind }));
    return true;
  } catch (error) {
    if (error instanceof Fault && error.errno === "EOPNOTSUPP") return false;
    if (error instanceof Fault && error.code === "invalid") return true;
    throw error;
  }
}
