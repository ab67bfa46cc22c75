import { Fault, type IpVersion } from "#base";
import type { StoredNetwork } from "./network-store.ts";
import {
  addressBits,
  contains,
  formatAddress,
  formatSubnet,
  parsePrefix,
  type Subnet,
  sizeOf,
} from "./subnet.ts";

/** What an administrator sets for the default network, and for the addresses of the others. */
export interface NetworkDefaults {
  /** The address of the default bridge with its network, as "172.30.0.1/24"; absent: a free one. */
  readonly bip?: string | undefined;
  /** The part of that network from which containers get addresses. */
  readonly fixedCidr?: string | undefined;
  /** Whether the default network has IPv6 too. */
  readonly hasIpv6?: boolean | undefined;
  /** Its network of IPv6; absent: a free one. */
  readonly fixedCidr6?: string | undefined;
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
  const { bip, fixedCidr, hasIpv6, fixedCidr6, mtu, pools = [] } = defaults;
  const refuse = (key: string, value: string, why: string): never => {
    throw new Fault("invalid", `invalid ${key} ${value}: ${why}`, { about: key });
  };
  const bridge = bip === undefined ? undefined : parsePrefix(bip);
  if (
    bip !== undefined &&
    (bridge?.subnet.version !== 4 || bridge.subnet.base === bridge.address.value)
  )
    refuse("bip", bip, "give an address with the length of its network, as 172.30.0.1/24");
  const range = fixedCidr === undefined ? undefined : parsePrefix(fixedCidr);
  if (fixedCidr !== undefined && range?.subnet.version !== 4)
    refuse("fixed-cidr", fixedCidr, "give a network, as 172.30.0.128/25");
  if (fixedCidr !== undefined && !bridge)
    refuse(
      "fixed-cidr",
      fixedCidr,
      "it is a part of the network of the bridge, so give bip as well",
    );
  if (range && bridge && !contains(bridge.subnet, range.address))
    refuse(
      "fixed-cidr",
      fixedCidr ?? "",
      `it is no part of ${formatSubnet(bridge.subnet)}, the network of bip`,
    );
  const range6 = fixedCidr6 === undefined ? undefined : parsePrefix(fixedCidr6);
  if (fixedCidr6 !== undefined && !isNetwork6(range6))
    refuse("fixed-cidr-v6", fixedCidr6, "give a network of IPv6, as fd00:7::/64");
  if (fixedCidr6 !== undefined && !hasIpv6)
    refuse("fixed-cidr-v6", fixedCidr6, "the default network has no IPv6 unless ipv6 is true");
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

/** With room for a bridge and containers. */
function isNetwork6(found: ReturnType<typeof parsePrefix>): boolean {
  return (
    found?.subnet.version === 6 &&
    found.subnet.base === found.address.value &&
    found.subnet.prefixLength <= addressBits[6] - 2
  );
}

/** The network of `bip`, as "172.30.0.0/24"; undefined without one. */
export function subnetOfBip({ bip }: NetworkDefaults): string | undefined {
  const found = bip === undefined ? undefined : parsePrefix(bip);
  return found && formatSubnet(found.subnet);
}

/** The default network with the administrator's settings, which are stored nowhere else than in his file. */
export function withNetworkDefaults(row: StoredNetwork, defaults: NetworkDefaults): StoredNetwork {
  const { bip, fixedCidr = "", hasIpv6 = false, fixedCidr6, mtu } = defaults;
  const found = bip === undefined ? undefined : parsePrefix(bip);
  const { settings } = row;
  const ipv4 = found && {
    subnet: formatSubnet(found.subnet),
    range: fixedCidr,
    gateway: formatAddress(found.address),
    reserved: {},
  };
  const ipv6 = fixedCidr6 && { subnet: fixedCidr6, range: "", gateway: "", reserved: {} };
  const asked = [...(ipv4 ? [ipv4] : []), ...(ipv6 ? [ipv6] : [])];
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
