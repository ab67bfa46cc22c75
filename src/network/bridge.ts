import { createHash, randomBytes, randomInt } from "node:crypto";
import { Fault, faultOf, type IpVersion, isFault, wait } from "#base";
import {
  addAddress,
  createBridge,
  deleteAddress,
  deleteLink,
  ignoreLinkLocalFrames,
  type Link,
  type Route,
  RouteTable,
  setLinkAlias,
  setLinkUp,
} from "#kernel";
import { chooseSubnet } from "./address-pool.ts";
import { removeLink } from "./link-removal.ts";
import { nameServers, readHostResolvConf } from "./resolv-conf.ts";
import { hasDestination } from "./route-overlap.ts";
import {
  type Address,
  addressBits,
  contains,
  formatSubnet,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
  subnetOf,
} from "./subnet.ts";
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

/** Of interfaces that are made for networks without a bridge. */
const parentKinds: readonly string[] = ["vlan", "dummy", "ifb"];

/** Whether an instance made the interface; before the alias its name alone tells. */
function isOwn({ kind, name, alias }: Link, runRoot: string): boolean {
  if (parentKinds.includes(kind)) return alias.startsWith(aliasOf(runRoot, ""));
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
  /** At most one of each version. */
  readonly subnets: readonly Subnet[];
}

/** The network of one version that a bridge is to have. */
export interface WantedSubnet {
  readonly version: IpVersion;
  /** The network that it had or was asked for; absent: one of `candidates`. */
  readonly subnet?: Subnet;
  /** Whether it is to have that network or fail. */
  readonly isFixed: boolean;
  readonly candidates: () => Iterable<Subnet>;
  /** Networks that are not to be chosen although no route of the host shows them. */
  readonly taken: readonly Subnet[];
  /** The address of the bridge itself in a network. */
  readonly gatewayIn: (subnet: Subnet) => string;
  /** False: the bridge has no address, and the network's is only remembered. */
  readonly hasAddress: boolean;
}

/** The networks and the form that a bridge is to have. */
export interface WantedBridge {
  /** At most one of each version. */
  readonly subnets: readonly WantedSubnet[];
  readonly mtu?: number;
  /** That of the bridge before; absent: a new one. */
  readonly mac?: string;
  /** For messages about a network that exists: "the network front". */
  readonly owner?: string;
  /** The indexes of the bridges of other networks, whose subnets are taken anyway. */
  readonly others?: ReadonlySet<number>;
}

/** Makes the bridge, or takes over the one that an earlier run left; idempotent. */
export async function ensureBridge(names: BridgeNames, wanted: WantedBridge): Promise<Bridge> {
  const host = new RouteTable();
  const before = await host.link(names.bridge);
  const routes = new HostRoutes(host, wanted.others);
  if (before === undefined) await makeBridge(host, names, { ...wanted, routes });
  else await takeOver(host, names, before);
  const link = await host.link(names.bridge);
  if (link === undefined)
    throw new Fault("unavailable", `the bridge ${names.bridge} was deleted by another program`);
  try {
    switchIpv6(names.bridge, wanted);
    const subnets: Subnet[] = [];
    for (const each of wanted.subnets)
      subnets.push(await giveSubnet(host, link, each, { ...wanted, routes }));
    return { name: link.name, index: link.index, mtu: link.mtu, mac: link.mac, subnets };
  } catch (error) {
    if (before === undefined) await host.apply(deleteLink(link.index));
    throw error;
  }
}

/** Whether the bridge is the one that was made, and not deleted or made anew meanwhile. */
export async function isThere({ name, index }: Pick<Bridge, "name" | "index">): Promise<boolean> {
  return (await new RouteTable().link(name))?.index === index;
}

/** Without a network of IPv6 a link-local address would only invite it; containers are no routers for the host. */
function switchIpv6(bridge: string, { subnets }: WantedBridge): void {
  const hasIpv6 = subnets.some(({ version }) => version === 6);
  writeSysctl(`net/ipv6/conf/${bridge}/disable_ipv6`, hasIpv6 ? "0" : "1");
  if (hasIpv6) writeSysctl(`net/ipv6/conf/${bridge}/accept_ra`, "0");
}

/** The network that the bridge has, or gets now. */
async function giveSubnet(
  host: RouteTable,
  link: Link,
  wanted: WantedSubnet,
  bridge: Pick<WantedBridge, "owner"> & { readonly routes: HostRoutes },
): Promise<Subnet> {
  const { version, isFixed, subnet: asked } = wanted;
  const subnet =
    (await subnetOn(host, link, version)) ?? (await addSubnet(host, link, wanted, bridge));
  if (isFixed && asked && formatSubnet(subnet) !== formatSubnet(asked))
    throw new Fault(
      "conflict",
      `the bridge ${link.name} has the network ${formatSubnet(subnet)} already, not ${formatSubnet(asked)}; stop all containers and remove it first`,
      { about: link.name },
    );
  return subnet;
}

async function makeBridge(
  host: RouteTable,
  names: BridgeNames,
  wanted: Pick<WantedBridge, "mtu" | "mac"> & { readonly routes: HostRoutes },
): Promise<void> {
  const mtu = wanted.mtu ?? (await uplinkMtu(host, wanted.routes));
  const mac = wanted.mac ?? `02:42:${randomBytes(4).toString("hex").replace(/..\B/g, "$&:")}`;
  try {
    await host.apply(
      createBridge({ name: names.bridge, mac, mtu }),
      setLinkAlias(names.bridge, names.alias),
      ignoreLinkLocalFrames(names.bridge),
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
  await host.apply(
    setLinkAlias(names.bridge, names.alias),
    ignoreLinkLocalFrames(names.bridge),
    setLinkUp(link.index),
  );
}

/** The routes of the host but those by other networks' bridges, of which there may be thousands; read once before the bridge has an address. */
class HostRoutes {
  readonly #host: RouteTable;
  readonly #except: ReadonlySet<number> | undefined;
  readonly #first = new Map<IpVersion, Promise<readonly Route[]>>();

  constructor(host: RouteTable, except: ReadonlySet<number> | undefined) {
    this.#host = host;
    this.#except = except;
  }

  before(version: IpVersion): Promise<readonly Route[]> {
    const known = this.#first.get(version) ?? this.#host.routes(version, this.#except);
    this.#first.set(version, known);
    return known;
  }

  /** Those to other machines, as they are now; the next `before` reads anew as well. */
  after(version: IpVersion): Promise<readonly Route[]> {
    this.#first.delete(version);
    return this.#host.unicastRoutes(version, this.#except);
  }
}

async function uplinkMtu(host: RouteTable, routes: HostRoutes): Promise<number> {
  const out = (await routes.before(4)).find(
    (route) => route.prefixLength === 0 && route.gateway !== undefined,
  );
  const link = out && (await host.link(out.index));
  return Math.min(link?.mtu ?? MAX_MTU, MAX_MTU);
}

/** Networks that every interface has: link-local addresses and groups (RFC 4291). */
const everywhere = ["fe80::/10", "ff00::/8"].map(parseSubnet);

function isOfEveryLink(address: Address): boolean {
  return everywhere.some((subnet) => contains(subnet, address));
}

async function subnetOn(
  host: RouteTable,
  link: Link,
  version: IpVersion,
): Promise<Subnet | undefined> {
  for (const { index, address, prefixLength } of await host.addresses(version, link.index)) {
    const found = parseAddress(address);
    if (index === link.index && found && !isOfEveryLink(found))
      return subnetOf(found, prefixLength);
  }
  return undefined;
}

/** The networks that other interfaces lead to. */
function subnetsElsewhere(routes: readonly Route[], link: Link): readonly Subnet[] {
  return routes.flatMap((route) => {
    const address = parseAddress(route.destination);
    if (route.index === link.index || !hasDestination(route) || !address) return [];
    return isOfEveryLink(address) ? [] : [subnetOf(address, route.prefixLength)];
  });
}

async function addSubnet(
  host: RouteTable,
  link: Link,
  wanted: WantedSubnet,
  { owner, routes }: Pick<WantedBridge, "owner"> & { readonly routes: HostRoutes },
): Promise<Subnet> {
  const { version } = wanted;
  const servers = nameServers(readHostResolvConf()).flatMap((text) => {
    const server = parseAddress(text);
    return server?.version === version ? [subnetOf(server, addressBits[version])] : [];
  });
  for (;;) {
    const routed = subnetsElsewhere(await routes.before(version), link);
    const subnet = choose([...wanted.taken, ...routed, ...servers], wanted, owner);
    if (!wanted.hasAddress) return subnet;
    const { prefixLength } = subnet;
    const address = wanted.gatewayIn(subnet);
    await host.apply(addAddress({ index: link.index, address, prefixLength }));
    const others = subnetsElsewhere(await routes.after(version), link);
    if (!others.some((other) => overlaps(other, subnet))) return subnet;
    // Another instance chose the same at the same moment, and sees it too: both step back, for different times.
    await host.apply(deleteAddress({ index: link.index, address, prefixLength }));
    await wait(randomInt(MAX_STEP_BACK_MS));
  }
}

function choose(
  taken: readonly Subnet[],
  { subnet, isFixed, candidates }: WantedSubnet,
  owner: string | undefined,
): Subnet {
  function* all(): Generator<Subnet> {
    if (subnet) yield subnet;
    if (!isFixed) yield* candidates();
  }
  try {
    return chooseSubnet(taken, all());
  } catch (error) {
    const { code, message } = faultOf(error);
    if (owner === undefined || subnet === undefined) throw error;
    throw new Fault(code, `${owner} cannot have ${formatSubnet(subnet)}: ${message}`);
  }
}

/** Does nothing when it is missing, and leaves a bridge of another program alone. */
export async function deleteBridge(name: string, runRoot: string): Promise<void> {
  const host = new RouteTable();
  const link = await host.link(name);
  if (link !== undefined && isOwn(link, runRoot)) await removeLink(host, link.index);
}
