import { randomBytes } from "node:crypto";
import { Fault, isFault } from "#base";
import {
  addAddress,
  addRoute,
  createVeth,
  type Fd,
  newNetworkNamespace,
  RouteTable,
  setLinkUp,
} from "#kernel";
import type { Bridge } from "./bridge.ts";
import { formatIpv4 } from "./ipv4.ts";

/** A container's place on a bridge. */
export interface Place {
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly mac: string;
  /** 64 hexadecimal digits. */
  readonly endpointId: string;
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
/** Interfaces made later have no IPv6; `lo` keeps ::1, which programs listen on. */
const withoutIpv6 = {
  "net.ipv6.conf.default.accept_ra": "0",
  "net.ipv6.conf.default.disable_ipv6": "1",
};
const LOOPBACK = 1;
const NAME_ATTEMPTS = 8;

/** A namespace with nothing but `lo`, up: `--network none`. */
export async function makeIsolated(): Promise<Fd> {
  const netns = await newNetworkNamespace(common);
  try {
    await new RouteTable({ netns }).apply(setLinkUp(LOOPBACK));
    return netns;
  } catch (error) {
    netns.close();
    throw error;
  }
}

export interface PlaceOptions {
  readonly bridge: Bridge;
  readonly address: number;
  readonly gateway: string;
}

/** A namespace with `lo`, and `eth0` on the bridge; about a millisecond. The address stays the caller's when it fails. */
export async function makePlace(options: PlaceOptions): Promise<PlaceWithNamespace> {
  const netns = await newNetworkNamespace({ ...common, ...withoutIpv6 });
  try {
    return { netns, ...(await joinPlace(options, { netns, link: "eth0", isFirst: true })) };
  } catch (error) {
    // The veth goes with its namespace; deleting it would wait for the kernel.
    netns.close();
    throw error;
  }
}

/** The namespace that an interface goes to, and the interface's name there. */
export interface Inside {
  readonly netns: Fd;
  readonly link: string;
  /** `lo` is brought up with it, and the default route goes by its bridge. */
  readonly isFirst: boolean;
}

/** An interface on the bridge in a namespace. What fails half-way goes with the namespace. */
export async function joinPlace(options: PlaceOptions, inside: Inside): Promise<Place> {
  const { bridge, gateway } = options;
  const { netns, link: name, isFirst } = inside;
  const { prefixLength } = bridge.subnet;
  const address = formatIpv4(options.address);
  const mac = randomMac();
  await connect(bridge, { name, mac, netns });
  const table = new RouteTable({ netns });
  const link = await table.link(name);
  if (link === undefined)
    throw new Fault("unavailable", "the container's interface vanished while it was set up");
  const { index } = link;
  const route = { destination: "0.0.0.0", prefixLength: 0, gateway, index };
  await table.apply(
    ...(isFirst ? [setLinkUp(LOOPBACK)] : []),
    // The address first: what comes up with one announces it.
    addAddress({ index, address, prefixLength }),
    setLinkUp(index),
    ...(isFirst ? [addRoute(route)] : []),
  );
  const endpointId = randomBytes(32).toString("hex");
  return { address, prefixLength, gateway, mac, endpointId };
}

/** As dockerd since version 28: one host's, of local administration (IEEE 802, first octet). */
function randomMac(): string {
  const octets = randomBytes(6);
  octets[0] = ((octets[0] ?? 0) & 0xfe) | 2;
  return octets.toString("hex").replace(/..\B/g, "$&:");
}

async function connect(
  bridge: Bridge,
  peer: { readonly name: string; readonly mac: string; readonly netns: Fd },
): Promise<void> {
  const host = new RouteTable();
  for (let left = NAME_ATTEMPTS; ; left--) {
    const name = `veth${randomBytes(4).toString("hex").slice(1)}`;
    try {
      await host.apply(createVeth({ name, master: bridge.index, mtu: bridge.mtu, peer }));
      return;
    } catch (error) {
      if (left === 0 || !isFault(error, "exists")) throw error;
    }
  }
}
