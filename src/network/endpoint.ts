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
import { macOf } from "./address-pool.ts";
import type { Bridge } from "./bridge.ts";
import { formatIpv4 } from "./ipv4.ts";

/** A container's place on the bridge. */
export interface Endpoint {
  /** With `lo` and `eth0` ready; who has no more use for it may close it early. */
  readonly netns: Fd;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly mac: string;
  /** 64 hexadecimal digits. */
  readonly endpointId: string;
}

/** What Docker sets in every namespace of its own, besides the IPv6 switches. */
const common = {
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

export interface EndpointOptions {
  readonly bridge: Bridge;
  readonly address: number;
  readonly gateway: string;
}

/** A namespace with `lo`, and `eth0` on the bridge; about a millisecond. The address stays the caller's when it fails. */
export async function makeEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const { bridge, gateway } = options;
  const { prefixLength } = bridge.subnet;
  const address = formatIpv4(options.address);
  const mac = macOf(options.address);
  const netns = await newNetworkNamespace({ ...common, ...withoutIpv6 });
  try {
    await connect(bridge, netns, mac);
    const inside = new RouteTable({ netns });
    const eth0 = await inside.link("eth0");
    if (eth0 === undefined)
      throw new Fault("unavailable", "the container's interface vanished while it was set up");
    await inside.apply(
      setLinkUp(LOOPBACK),
      setLinkUp(eth0.index),
      addAddress({ index: eth0.index, address, prefixLength }),
      addRoute({ destination: "0.0.0.0", prefixLength: 0, gateway, index: eth0.index }),
    );
  } catch (error) {
    // The veth goes with its namespace; deleting it would wait for the kernel.
    netns.close();
    throw error;
  }
  const endpointId = randomBytes(32).toString("hex");
  return { netns, address, prefixLength, gateway, mac, endpointId };
}

async function connect(bridge: Bridge, netns: Fd, mac: string): Promise<void> {
  const host = new RouteTable();
  for (let left = NAME_ATTEMPTS; ; left--) {
    const name = `veth${randomBytes(4).toString("hex").slice(1)}`;
    const peer = { name: "eth0", mac, netns };
    try {
      await host.apply(createVeth({ name, master: bridge.index, mtu: bridge.mtu, peer }));
      return;
    } catch (error) {
      if (left === 0 || !isFault(error, "exists")) throw error;
    }
  }
}
