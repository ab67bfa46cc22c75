import { defined, Fault, type IpVersion, isFault } from "#base";
import type { StoredNetwork } from "./network-store.ts";
import {
  addressBits,
  contains,
  formatAddress,
  formatSubnet,
  parseAddress,
  parsePrefix,
  type Subnet,
  sizeOf,
} from "./subnet.ts";
import { planAddresses, type SubnetRequest, wayNames } from "./subnet-request.ts";

/** What an administrator sets for the default network, and for the addresses of the others. */
export interface NetworkDefaults {
  /** The address of the default bridge with its network, as "172.30.0.1/24"; absent: a free one. */
  readonly bip?: string | undefined;
  /** The part of that network from which containers get addresses. */
  readonly fixedCidr?: string | undefined;
  /** The machine in that network to which containers send what leaves it; absent: the bridge. */
  readonly defaultGateway?: string | undefined;
  /** Whether the default network has IPv6 too. */
  readonly hasIpv6?: boolean | undefined;
  /** The same as `bip` of IPv6, as "fd00:7::1/64". */
  readonly bip6?: string | undefined;
  /** The part of the network of `bip6` from which containers get addresses, or without it the network; absent: a free one. */
  readonly fixedCidr6?: string | undefined;
  /** The same as `defaultGateway` of IPv6. */
  readonly defaultGateway6?: string | undefined;
  /** Bytes, of the default network; absent: that of the host's way out. */
  readonly mtu?: number | undefined;
  /** Where networks that ask for no subnet get theirs; empty: from the private ranges. */
  readonly pools?: readonly AddressPool[] | undefined;
}

/** A range of addresses that is cut into networks of a prefix length. */
interface AddressPool {
  readonly base: string;
  readonly size: number;
}

/** Refuses (`invalid`) defaults that are no addresses, or do not fit each other. */
export function checkNetworkDefaults(defaults: NetworkDefaults): void {
  const { hasIpv6, mtu, pools = [] } = defaults;
  const refuse = (key: string, value: string, why: string): never => {
    throw new Fault("invalid", `invalid ${key} ${value}: ${why}`, { about: key });
  };
  for (const version of [4, 6] as const) {
    const settings = settingsOf(defaults, version);
    const unused = names.find((name) => settings[name] !== undefined);
    const [name, why] =
      unused && version === 6 && !hasIpv6
        ? [unused, "the default network has no IPv6 unless ipv6 is true"]
        : ([...faultsOf(settings, version)][0] ?? []);
    if (name && why) refuse(keys[version][name], settings[name] ?? "", why);
  }
  if (mtu !== undefined && (mtu < 68 || mtu > 65_535))
    refuse("mtu", String(mtu), "it is between 68 and 65535");
  for (const { base, size } of pools) {
    const found = parsePrefix(base);
    if (!found || found.subnet.base !== found.address.value)
      refuse("default-address-pools", base, "the base is a network, as 10.200.0.0/16");
    else if (size < found.subnet.prefixLength || size > addressBits[found.subnet.version] - 2)
      refuse(
        "default-address-pools",
        `${base} of size ${size}`,
        "the size is the prefix length of each network in it",
      );
  }
}

const names = ["bridge", "part", "way"] as const;
/** What is set for one version: the bridge's address, the part of its network that containers get, and their gateway. */
type VersionSettings = Partial<Record<(typeof names)[number], string>>;
const keys = {
  4: { bridge: "bip", part: "fixed-cidr", way: "default-gateway" },
  6: { bridge: "bip6", part: "fixed-cidr-v6", way: "default-gateway-v6" },
} as const;
const examples = {
  4: { bridge: "172.30.0.1/24", part: "172.30.0.128/25", way: "172.30.0.254" },
  6: { bridge: "fd00:7::1/64", part: "fd00:7::/64", way: "fd00:7::fe" },
} as const;

function settingsOf(defaults: NetworkDefaults, version: IpVersion): VersionSettings {
  const { bip, bip6, fixedCidr, fixedCidr6, defaultGateway, defaultGateway6 } = defaults;
  return version === 4
    ? defined({ bridge: bip, part: fixedCidr, way: defaultGateway })
    : defined({ bridge: bip6, part: fixedCidr6, way: defaultGateway6 });
}

type Faults = Generator<readonly [name: keyof VersionSettings, why: string]>;

function* faultsOf(settings: VersionSettings, version: IpVersion): Faults {
  const { bridge, part, way } = settings;
  const own = bridge === undefined ? undefined : parsePrefix(bridge);
  const isAddress = own?.subnet.version === version && own.subnet.base !== own.address.value;
  if (bridge !== undefined && !(isAddress && hasRoom(own.subnet)))
    yield [
      "bridge",
      `give an address with the length of its network, as ${examples[version].bridge}`,
    ];
  if (part !== undefined) yield* partFaults(part, version, own?.subnet);
  if (way !== undefined) yield* wayFaults(way, version, requestFor(settings, version));
}

function* partFaults(part: string, version: IpVersion, own: Subnet | undefined): Faults {
  const range = parsePrefix(part);
  if (range?.subnet.version !== version || !(version === 4 || isNetwork(range)))
    yield ["part", `give a network of IPv${version}, as ${examples[version].part}`];
  else if (own && !(isSmaller(range.subnet, own) && contains(own, range.address)))
    yield ["part", `it is no part of ${formatSubnet(own)}, the network of ${keys[version].bridge}`];
  else if (!own && version === 4)
    yield ["part", "it is a part of the network of the bridge, so give bip as well"];
}

function isNetwork({ address, subnet }: NonNullable<ReturnType<typeof parsePrefix>>): boolean {
  return subnet.base === address.value && hasRoom(subnet);
}

function isSmaller(part: Subnet, whole: Subnet): boolean {
  return part.prefixLength >= whole.prefixLength;
}

/** With addresses for a bridge and containers. */
function hasRoom({ version, prefixLength }: Subnet): boolean {
  return version === 4 || prefixLength <= addressBits[6] - 2;
}

/** A machine that is in the network, and not the bridge itself. */
function* wayFaults(way: string, version: IpVersion, request: SubnetRequest | undefined): Faults {
  const address = parseAddress(way);
  const subnet = request && parsePrefix(request.subnet)?.subnet;
  if (address?.version !== version)
    yield ["way", `give an address of IPv${version}, as ${examples[version].way}`];
  else if (!subnet)
    yield ["way", `it is in the network of the bridge, so give ${keys[version].bridge} as well`];
  else if (!contains(subnet, address))
    yield ["way", `it is not in ${request.subnet}, the network of the bridge`];
  else if (!canBePlanned(subnet, request))
    yield ["way", "no other machine can have it: it is the bridge's own, or the network's"];
}

function canBePlanned(subnet: Subnet, request: SubnetRequest): boolean {
  try {
    planAddresses(subnet, request);
    return true;
  } catch (error) {
    if (!isFault(error, "denied")) throw error;
    return false;
  }
}

/** What is asked of the addresses of a version; undefined where a free network will do. */
function requestFor(
  { bridge, part = "", way }: VersionSettings,
  version: IpVersion,
): SubnetRequest | undefined {
  const reserved: Record<string, string> = way === undefined ? {} : { [wayNames[version]]: way };
  const own = bridge === undefined ? undefined : parsePrefix(bridge);
  if (own) {
    const gateway = formatAddress(own.address);
    return { subnet: formatSubnet(own.subnet), range: part, gateway, reserved };
  }
  return part === "" ? undefined : { subnet: part, range: "", gateway: "", reserved };
}

/** The network that is set for a version, as "172.30.0.0/24"; undefined without one. */
export function defaultSubnet(defaults: NetworkDefaults, version: IpVersion): string | undefined {
  return requestFor(settingsOf(defaults, version), version)?.subnet;
}

/** The default network with the administrator's settings, which are stored nowhere else than in his file. */
export function withNetworkDefaults(row: StoredNetwork, defaults: NetworkDefaults): StoredNetwork {
  const { hasIpv6 = false, mtu } = defaults;
  const { settings } = row;
  const asked = ([4, 6] as const).flatMap(
    (version) => requestFor(settingsOf(defaults, version), version) ?? [],
  );
  // What it had while the file said otherwise.
  const subnets = row.subnets.filter(({ version }) => version === 4 || hasIpv6);
  const options = {
    ...settings.options,
    ...(mtu && { "com.docker.network.driver.mtu": String(mtu) }),
  };
  const own = asked.length > 0 ? asked : settings.subnets;
  return { ...row, subnets, settings: { ...settings, hasIpv6, subnets: own, options } };
}

/** The networks of the pools of a version, in order; undefined when there is no such pool. */
export function poolCandidates(
  { pools = [] }: NetworkDefaults,
  version: IpVersion,
): Iterable<Subnet> | undefined {
  const own = pools.filter(({ base }) => parsePrefix(base)?.subnet.version === version);
  return own.length === 0 ? undefined : networksOf(own);
}

function* networksOf(pools: readonly AddressPool[]): Generator<Subnet> {
  for (const { base, size } of pools) {
    const pool = parsePrefix(base)?.subnet;
    if (!pool) continue;
    const { version } = pool;
    let each: Subnet = { version, base: pool.base, prefixLength: size };
    for (const end = pool.base + sizeOf(pool); each.base < end; ) {
      yield each;
      each = { ...each, base: each.base + sizeOf(each) };
    }
  }
}
