import { Fault, type IpVersion } from "#base";
import {
  type Address,
  contains,
  formatAddress,
  formatSubnet,
  overlaps,
  parseAddress,
  parsePrefix,
  parseSubnet,
  type Subnet,
  sizeOf,
} from "./subnet.ts";

/** The addresses that a network is to have, as they were asked for; "" where nothing was said. */
export interface SubnetRequest {
  /** "10.7.0.0/24", "fd00:7::/64" */
  readonly subnet: string;
  /** The part of it that containers get addresses from. */
  readonly range: string;
  readonly gateway: string;
  /** Addresses that no container gets, by name (Docker's `--aux-address`). */
  readonly reserved: Readonly<Record<string, string>>;
}

/** A network's addresses of one version. */
export interface AddressPlan {
  readonly subnet: Subnet;
  readonly range: Subnet;
  /** Of the bridge itself. */
  readonly gateway: string;
  /** Where containers send what leaves the network: to the bridge, unless another machine is named. */
  readonly way: string;
  readonly reserved: readonly string[];
}

/** The names of reserved addresses that are those of a bridge network's way out, as in Docker. */
export const wayNames = { 4: "DefaultGatewayIPv4", 6: "DefaultGatewayIPv6" } as const;

/** What was asked of the addresses of one version, as Docker takes one subnet of each. */
export function requestOf(
  requests: readonly SubnetRequest[],
  version: IpVersion,
): SubnetRequest | undefined {
  return requests.find((each) => parsePrefix(each.subnet)?.subnet.version === version);
}

/**
 * One `invalid` fault, in Docker's words, that names everything that is wrong with a list of
 * subnets; those of a version that the network has not are ignored, as in Docker. `denied` for
 * several of one version.
 */
export function checkSubnets(
  requests: readonly SubnetRequest[],
  versions: readonly IpVersion[],
): void {
  const used = requests.filter(({ subnet }) => {
    const found = parsePrefix(subnet);
    return found === undefined || versions.includes(found.subnet.version);
  });
  const faults = used.flatMap((each) => [...faultsOf(each)]);
  if (faults.length > 0)
    throw new Fault("invalid", `invalid network config:\n${joinFaults(faults)}`);
  if (used.some((each) => each !== requestOf(used, parseSubnet(each.subnet).version)))
    throw new Fault("denied", "bridge driver doesn't support multiple subnets");
}

/** Go's errors.Join as Docker prints it: one alone as it is, several with a star each. */
export function joinFaults(faults: readonly string[]): string {
  return faults.length === 1 ? (faults[0] ?? "") : faults.map((each) => `* ${each}`).join("\n");
}

function* faultsOf({ subnet, range, gateway, reserved }: SubnetRequest): Generator<string> {
  const found = parsePrefix(subnet);
  const wrongSubnet = subnetFault(found);
  if (wrongSubnet) yield `invalid subnet ${subnet}: ${wrongSubnet}`;
  if (found === undefined || wrongSubnet) return;
  const parent = found.subnet;
  const wrongRange = range === "" ? "" : rangeFault(range, subnet, parent);
  if (wrongRange) yield `invalid ip-range ${range}: ${wrongRange}`;
  const addressFault = (text: string): string => {
    const address = parseAddress(text);
    if (address === undefined) return "invalid address";
    if (address.version !== parent.version) return otherVersion(parent);
    return contains(parent, address) ? "" : `parent subnet ${subnet} doesn't contain this address`;
  };
  const wrongGateway = gateway === "" ? "" : addressFault(gateway);
  if (wrongGateway) yield `invalid gateway ${gateway}: ${wrongGateway}`;
  for (const [name, address] of Object.entries(reserved)) {
    const wrong = addressFault(address);
    if (wrong) yield `invalid auxiliary address ${name}: ${wrong}`;
  }
}

const notCidr = "invalid CIDR block notation";

function otherVersion({ version }: Subnet): string {
  return `parent subnet is an IPv${version} block`;
}

/** Networks of IPv6 whose addresses have a meaning of their own (RFC 4291). */
const special = [
  ["::ffff:0:0/96", "it stands for addresses of IPv4"],
  ["fe80::/10", "link-local addresses are of every interface, so that no route can lead to them"],
] as const;

/** "" for a network that containers can have addresses of. */
function subnetFault(found: ReturnType<typeof parsePrefix>): string {
  if (found === undefined) return notCidr;
  const { address, subnet } = found;
  if (subnet.base !== address.value) return `it should be ${formatSubnet(subnet)}`;
  const [, meaning = ""] = special.find(([text]) => isPart(parseSubnet(text), subnet)) ?? [];
  return meaning;
}

function rangeFault(range: string, subnet: string, parent: Subnet): string {
  const found = parsePrefix(range);
  if (found === undefined) return notCidr;
  const { address, subnet: part } = found;
  if (part.base !== address.value) return `it should be ${formatSubnet(part)}`;
  if (part.version !== parent.version) return otherVersion(parent);
  if (part.prefixLength < parent.prefixLength)
    return `CIDR block is bigger than its parent subnet ${subnet}`;
  return isPart(parent, part) ? "" : `parent subnet ${subnet} doesn't contain ip-range`;
}

function isPart(parent: Subnet, part: Subnet): boolean {
  return part.prefixLength >= parent.prefixLength && overlaps(parent, part);
}

/**
 * Whether an address of a subnet is of no interface: that of the network itself, which of IPv6 is
 * that of its routers (RFC 4291, 2.6.1), and of IPv4 the one for all in it. An IPv4 subnet of two or
 * fewer addresses has none.
 */
export function isReserved(subnet: Subnet, value: bigint): boolean {
  const size = sizeOf(subnet);
  if (subnet.version === 6) return size > 1n && value === subnet.base;
  return size > 2n && (value === subnet.base || value === subnet.base + size - 1n);
}

const multicast = parseSubnet("ff00::/8");

/**
 * The addresses of a network that got `subnet`, as Docker gives them: the gateway is the first of
 * the range. `denied`, in Docker's words, for an address that is taken twice, `invalid` for a subnet
 * of groups.
 */
export function planAddresses(subnet: Subnet, request?: SubnetRequest): AddressPlan {
  const { version } = subnet;
  const range = request?.range ? parseSubnet(request.range) : subnet;
  const first = isReserved(subnet, range.base) ? range.base + 1n : range.base;
  const gateway = parseAddress(request?.gateway ?? "") ?? { version, value: first };
  const taken = (what: string, why = "Address already in use") =>
    new Fault("denied", `${what}: ${why}`);
  const asked = `failed to allocate gateway (${request?.gateway ?? ""})`;
  if (version === 6 && sizeOf(subnet) === 1n)
    throw taken(asked, "no available addresses on this pool");
  if (isReserved(subnet, gateway.value)) throw taken(asked);
  const gatewayText = formatAddress(gateway);
  if (contains(multicast, gateway))
    throw new Fault(
      "invalid",
      `multicast subnet '${gatewayText}/${subnet.prefixLength}' is not allowed`,
    );
  const used = [gateway.value];
  const reserved = Object.entries(request?.reserved ?? {}).map(([name, text]) => {
    const address = parseAddress(text) as Address;
    if (used.includes(address.value) || isReserved(subnet, address.value))
      throw taken(`failed to allocate secondary ip address (${name}:${text})`);
    used.push(address.value);
    return formatAddress(address);
  });
  const way = parseAddress(request?.reserved[wayNames[version]] ?? "") ?? gateway;
  return { subnet, range, gateway: gatewayText, way: formatAddress(way), reserved };
}
