import { createHash, randomBytes, randomInt } from "node:crypto";
import { Fault, isFault } from "#base";
import {
  addAddress,
  createBridge,
  deleteAddress,
  deleteLink,
  type Link,
  type Route,
  RouteTable,
  setLinkAlias,
  setLinkUp,
} from "#kernel";
import { chooseSubnet } from "./address-pool.ts";
import { formatIpv4, formatSubnet, overlaps, parseIpv4, type Subnet, subnetOf } from "./ipv4.ts";
import { nameServers, readHostResolvConf } from "./resolv-conf.ts";
import { writeSysctl } from "./sysctl.ts";

const DEFAULT_RUN_ROOT = "/run/thimble";
/** What most links carry; the bridge takes less where the host's way out does. */
const MAX_MTU = 1500;
const MAX_STEP_BACK_MS = 30;

export interface BridgeNames {
  readonly bridge: string;
  readonly table: string;
  /** Stands on the bridge: whose it is. */
  readonly alias: string;
}

/** Names by run root, so that two instances on one machine never meet: "thimble0", "thimble3fa9". */
export function bridgeNames(runRoot: string): BridgeNames {
  const suffix =
    runRoot === DEFAULT_RUN_ROOT
      ? "0"
      : createHash("sha256").update(runRoot).digest("hex").slice(0, 4);
  return {
    bridge: `thimble${suffix}`,
    table: `thimble-${suffix}`,
    alias: `thimble ${runRoot}`.slice(0, 200),
  };
}

export interface Bridge {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  readonly subnet: Subnet;
}

/** Makes the bridge, or takes over what an earlier run left; idempotent. */
export async function ensureBridge(
  names: BridgeNames,
  wanted: Subnet | undefined,
): Promise<Bridge> {
  const host = new RouteTable();
  const before = await host.link(names.bridge);
  if (before === undefined) await makeBridge(host, names);
  else await takeOver(host, names, before);
  const link = await host.link(names.bridge);
  if (link === undefined)
    throw new Fault("unavailable", `the bridge ${names.bridge} was deleted by someone else`);
  // Nothing on this bridge speaks IPv6 yet; a link-local address would only invite it.
  writeSysctl(`net/ipv6/conf/${names.bridge}/disable_ipv6`, "1");
  const subnet = (await subnetOn(host, link)) ?? (await addSubnet(host, link, wanted));
  if (wanted !== undefined && formatSubnet(subnet) !== formatSubnet(wanted))
    throw new Fault(
      "conflict",
      `the bridge ${names.bridge} has the network ${formatSubnet(subnet)} already, not ${formatSubnet(wanted)}; stop all containers and remove it first`,
      { about: names.bridge },
    );
  return { name: link.name, index: link.index, mtu: link.mtu, subnet };
}

async function makeBridge(host: RouteTable, names: BridgeNames): Promise<void> {
  const mtu = await uplinkMtu(host);
  const mac = `02:42:${randomBytes(4).toString("hex").replace(/..\B/g, "$&:")}`;
  try {
    await host.apply(
      createBridge({ name: names.bridge, mac, mtu }),
      setLinkAlias(names.bridge, names.alias),
    );
  } catch (error) {
    if (!isFault(error, "exists")) throw error;
  }
}

async function takeOver(host: RouteTable, names: BridgeNames, link: Link): Promise<void> {
  // A crash may have come before the alias.
  const ours = link.alias === names.alias || link.alias === "";
  if (link.kind !== "bridge" || !ours)
    throw new Fault(
      "conflict",
      `the interface ${names.bridge} belongs to someone else (${link.kind} ${link.alias}); choose another run root or delete it`,
      { about: names.bridge },
    );
  await host.apply(setLinkAlias(names.bridge, names.alias), setLinkUp(link.index));
}

async function uplinkMtu(host: RouteTable): Promise<number> {
  const [routes, links] = await Promise.all([host.routes(), host.links()]);
  const out = routes.find((route) => route.prefixLength === 0 && route.gateway !== undefined);
  const mtu = links.find((link) => link.index === out?.index)?.mtu ?? MAX_MTU;
  return Math.min(mtu, MAX_MTU);
}

async function subnetOn(host: RouteTable, link: Link): Promise<Subnet | undefined> {
  for (const { index, address, prefixLength } of await host.addresses()) {
    const number = parseIpv4(address);
    if (index === link.index && number !== undefined) return subnetOf(number, prefixLength);
  }
  return undefined;
}

function subnetOfRoute(route: Route): Subnet {
  return subnetOf(parseIpv4(route.destination) ?? 0, route.prefixLength);
}

async function addSubnet(
  host: RouteTable,
  link: Link,
  wanted: Subnet | undefined,
): Promise<Subnet> {
  for (;;) {
    const others = (await host.routes()).filter(
      (route) => route.index !== link.index && route.prefixLength > 0,
    );
    const servers = nameServers(readHostResolvConf()).flatMap((server) => parseIpv4(server) ?? []);
    const taken = [
      ...others.map(subnetOfRoute),
      ...servers.map((base) => ({ base, prefixLength: 32 })),
    ];
    const subnet = chooseSubnet(taken, wanted === undefined ? undefined : [wanted]);
    const { prefixLength } = subnet;
    const address = formatIpv4(subnet.base + 1);
    await host.apply(addAddress({ index: link.index, address, prefixLength }));
    if (!(await isShared(host, link, subnet))) return subnet;
    // Another instance chose the same at the same moment, and sees it too: both step back, for different times.
    await host.apply(deleteAddress({ index: link.index, address, prefixLength }));
    await new Promise((resolve) => setTimeout(resolve, randomInt(MAX_STEP_BACK_MS)));
  }
}

async function isShared(host: RouteTable, link: Link, subnet: Subnet): Promise<boolean> {
  const others = (await host.routes()).filter(
    (route) => route.prefixLength > 0 && route.index !== link.index,
  );
  return others.some((route) => overlaps(subnetOfRoute(route), subnet));
}

/** Harmless when there is none. */
export async function deleteBridge(name: string): Promise<void> {
  const host = new RouteTable();
  const link = await host.link(name);
  if (link !== undefined) await host.apply(deleteLink(link.index));
}
