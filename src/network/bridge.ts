import { createHash, randomBytes, randomInt } from "node:crypto";
import { Fault, faultOf, isFault, wait } from "#base";
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
import { hasDestination } from "./route-overlap.ts";
import { writeSysctl } from "./sysctl.ts";

const DEFAULT_RUN_ROOT = "/run/thimble";
/** The MTU of most links; the bridge takes a smaller one where the host's way out has one. */
const MAX_MTU = 1500;
const MAX_STEP_BACK_MS = 30;

export interface BridgeNames {
  readonly bridge: string;
  readonly table: string;
  /** Stands on the bridge: whose it is. */
  readonly alias: string;
  /** Whether a user chose the bridge's name. */
  readonly isChosen?: boolean;
}

/** The part of an instance's names in the kernel that keeps two instances on one machine apart. */
function suffixOf(runRoot: string): string {
  return runRoot === DEFAULT_RUN_ROOT
    ? "0"
    : createHash("sha256").update(runRoot).digest("hex").slice(0, 4);
}

/**
 * The names of an instance's default bridge ("thimble0", "thimble3fa9"), or of the network with an
 * id ("th0-1a2b3c4d", or the name that was chosen for it).
 */
export function bridgeNames(runRoot: string, id?: string, chosen?: string): BridgeNames {
  const suffix = suffixOf(runRoot);
  const table = `thimble-${suffix}`;
  return id === undefined
    ? { bridge: `thimble${suffix}`, table, alias: `thimble ${runRoot}`.slice(0, 200) }
    : {
        bridge: chosen ?? `th${suffix}-${id.slice(0, 8)}`,
        table,
        alias: aliasOf(runRoot, id),
        isChosen: chosen !== undefined,
      };
}

function aliasOf(runRoot: string, id: string): string {
  return `thimble ${runRoot.slice(0, 150)} ${id}`;
}

/** How the names of an instance's bridges begin, but the default one's. */
function namedPrefix(runRoot: string): string {
  return `th${suffixOf(runRoot)}-`;
}

/** The bridges of an instance but the default one, also those that a crash left without an alias. */
export async function namedBridges(runRoot: string): Promise<string[]> {
  const own = bridgeNames(runRoot).bridge;
  return (await new RouteTable().links())
    .filter((link) => link.name !== own && isOwn(link, runRoot))
    .map((link) => link.name);
}

/** Whether an instance made the interface; before the alias its name alone tells. */
function isOwn({ kind, name, alias }: Link, runRoot: string): boolean {
  if (kind !== "bridge") return false;
  const own = bridgeNames(runRoot);
  const isNamed = name === own.bridge || name.startsWith(namedPrefix(runRoot));
  return alias === "" ? isNamed : alias === own.alias || alias.startsWith(aliasOf(runRoot, ""));
}

export interface Bridge {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  readonly mac: string;
  readonly subnet: Subnet;
}

/** The network and the form that a bridge is to have. */
export interface WantedBridge {
  /** The network that it had or was asked for; absent: one of `candidates`. */
  readonly subnet?: Subnet;
  /** Whether it is to have that network or fail. */
  readonly isFixed: boolean;
  readonly candidates: readonly Subnet[];
  /** Networks that are not to be chosen although no route of the host shows them. */
  readonly taken: readonly Subnet[];
  /** The address of the bridge itself in a network. */
  readonly gatewayIn: (subnet: Subnet) => number;
  /** False: the bridge has no address, and the network's is only remembered. */
  readonly hasAddress: boolean;
  readonly mtu?: number;
  /** That of the bridge before; absent: a new one. */
  readonly mac?: string;
  /** For messages about a network that exists: "the network front". */
  readonly owner?: string;
}

/** Makes the bridge, or takes over the one that an earlier run left; idempotent. */
export async function ensureBridge(names: BridgeNames, wanted: WantedBridge): Promise<Bridge> {
  const host = new RouteTable();
  const before = await host.link(names.bridge);
  if (before === undefined) await makeBridge(host, names, wanted);
  else await takeOver(host, names, before);
  const link = await host.link(names.bridge);
  if (link === undefined)
    throw new Fault("unavailable", `the bridge ${names.bridge} was deleted by another program`);
  try {
    // Nothing on this bridge speaks IPv6 yet; a link-local address would only invite it.
    writeSysctl(`net/ipv6/conf/${names.bridge}/disable_ipv6`, "1");
    const subnet = (await subnetOn(host, link)) ?? (await addSubnet(host, link, wanted));
    if (wanted.isFixed && wanted.subnet && formatSubnet(subnet) !== formatSubnet(wanted.subnet))
      throw new Fault(
        "conflict",
        `the bridge ${names.bridge} has the network ${formatSubnet(subnet)} already, not ${formatSubnet(wanted.subnet)}; stop all containers and remove it first`,
        { about: names.bridge },
      );
    return { name: link.name, index: link.index, mtu: link.mtu, mac: link.mac, subnet };
  } catch (error) {
    if (before === undefined) await host.apply(deleteLink(link.index));
    throw error;
  }
}

/** Whether the bridge is the one that was made, and not deleted or made anew meanwhile. */
export async function isThere({ name, index }: Pick<Bridge, "name" | "index">): Promise<boolean> {
  return (await new RouteTable().link(name))?.index === index;
}

async function makeBridge(
  host: RouteTable,
  names: BridgeNames,
  wanted: Pick<WantedBridge, "mtu" | "mac">,
): Promise<void> {
  const mtu = wanted.mtu ?? (await uplinkMtu(host));
  const mac = wanted.mac ?? `02:42:${randomBytes(4).toString("hex").replace(/..\B/g, "$&:")}`;
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
  // A crash may have come before the alias, of a bridge whose name is from this engine.
  const ours = link.alias === names.alias || (link.alias === "" && !names.isChosen);
  if (link.kind !== "bridge" || !ours)
    throw new Fault(
      "conflict",
      names.isChosen
        ? `the interface ${names.bridge} exists and is not of this network; give the network's bridge another name`
        : `the interface ${names.bridge} belongs to another program (${link.kind} ${link.alias}); choose another run root or delete it`,
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

async function addSubnet(host: RouteTable, link: Link, wanted: WantedBridge): Promise<Subnet> {
  const candidates = [
    ...(wanted.subnet ? [wanted.subnet] : []),
    ...(wanted.isFixed ? [] : wanted.candidates),
  ];
  for (;;) {
    const others = (await host.routes()).filter(
      (route) => route.index !== link.index && hasDestination(route),
    );
    const servers = nameServers(readHostResolvConf()).flatMap((server) => parseIpv4(server) ?? []);
    const taken = [
      ...wanted.taken,
      ...others.map(subnetOfRoute),
      ...servers.map((base) => ({ base, prefixLength: 32 })),
    ];
    const subnet = choose(taken, candidates, wanted);
    if (!wanted.hasAddress) return subnet;
    const { prefixLength } = subnet;
    const address = formatIpv4(wanted.gatewayIn(subnet));
    await host.apply(addAddress({ index: link.index, address, prefixLength }));
    if (!(await isShared(host, link, subnet))) return subnet;
    // Another instance chose the same at the same moment, and sees it too: both step back, for different times.
    await host.apply(deleteAddress({ index: link.index, address, prefixLength }));
    await wait(randomInt(MAX_STEP_BACK_MS));
  }
}

function choose(
  taken: readonly Subnet[],
  candidates: readonly Subnet[],
  { owner, subnet }: WantedBridge,
): Subnet {
  try {
    return chooseSubnet(taken, candidates);
  } catch (error) {
    const { code, message } = faultOf(error);
    if (owner === undefined || subnet === undefined) throw error;
    throw new Fault(code, `${owner} cannot have ${formatSubnet(subnet)}: ${message}`);
  }
}

async function isShared(host: RouteTable, link: Link, subnet: Subnet): Promise<boolean> {
  const others = (await host.routes()).filter(
    (route) => hasDestination(route) && route.index !== link.index,
  );
  return others.some((route) => overlaps(subnetOfRoute(route), subnet));
}

/** Does nothing when it is missing, and leaves a bridge of another program alone. */
export async function deleteBridge(name: string, runRoot: string): Promise<void> {
  const host = new RouteTable();
  const link = await host.link(name);
  if (link !== undefined && isOwn(link, runRoot)) await host.apply(deleteLink(link.index));
}
