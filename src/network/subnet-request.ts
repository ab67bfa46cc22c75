import { isIP, isIPv4 } from "node:net";
import { Fault } from "#base";
import {
  contains,
  formatSubnet,
  overlaps,
  parseIpv4,
  type Subnet,
  sizeOf,
  subnetOf,
} from "./ipv4.ts";

/** The addresses that a network is to have, as they were asked for; "" where nothing was said. */
export interface SubnetRequest {
  /** "10.7.0.0/24" */
  readonly subnet: string;
  /** The part of it that containers get addresses from. */
  readonly range: string;
  readonly gateway: string;
  /** Addresses that no container gets, by name (Docker's `--aux-address`). */
  readonly reserved: Readonly<Record<string, string>>;
}

/** A network's addresses. */
export interface AddressPlan {
  readonly subnet: Subnet;
  readonly range: Subnet;
  readonly gateway: number;
  readonly reserved: readonly number[];
}

/** One `invalid` fault, in Docker's words, that names everything that is wrong with a list of subnets. */
export function checkSubnets(requests: readonly SubnetRequest[]): void {
  const faults = requests.flatMap((each) => [...faultsOf(each)]);
  if (faults.length === 0) return;
  throw new Fault("invalid", `invalid network config:\n${joinFaults(faults)}`);
}

/** Go's errors.Join as Docker prints it: one alone as it is, several with a star each. */
export function joinFaults(faults: readonly string[]): string {
  return faults.length === 1 ? (faults[0] ?? "") : faults.map((each) => `* ${each}`).join("\n");
}

function* faultsOf({ subnet, range, gateway, reserved }: SubnetRequest): Generator<string> {
  const parent = parsePrefix(subnet);
  if (parent === undefined) {
    yield `invalid subnet ${subnet}: invalid CIDR block notation`;
    return;
  }
  if (typeof parent === "string") yield `invalid subnet ${subnet}: it should be ${parent}`;
  if (typeof parent === "string" || parent === ipv6) return;
  if (range !== "") yield* rangeFaults(range, subnet, parent);
  const isInside = (address: string) => contains(parent, parseIpv4(address) ?? -1);
  const wrong = (address: string) =>
    isIP(address) === 0
      ? "invalid address"
      : isInside(address)
        ? undefined
        : `parent subnet ${subnet} doesn't contain this address`;
  const gatewayFault = gateway === "" ? undefined : wrong(gateway);
  if (gatewayFault) yield `invalid gateway ${gateway}: ${gatewayFault}`;
  for (const [name, address] of Object.entries(reserved)) {
    const fault = wrong(address);
    if (fault) yield `invalid auxiliary address ${name}: ${fault}`;
  }
}

function* rangeFaults(range: string, subnet: string, parent: Subnet): Generator<string> {
  const found = parsePrefix(range);
  if (found === undefined) yield `invalid ip-range ${range}: invalid CIDR block notation`;
  else if (typeof found === "string") yield `invalid ip-range ${range}: it should be ${found}`;
  else if (found === ipv6 || !isPart(parent, found))
    yield `invalid ip-range ${range}: parent subnet ${subnet} doesn't contain ip-range`;
}

function isPart(parent: Subnet, part: Subnet): boolean {
  return part.prefixLength >= parent.prefixLength && overlaps(parent, part);
}

const ipv6 = Symbol("an IPv6 network");

/** An IPv4 network; the text it should have been where host bits are set; undefined when it is no network. */
function parsePrefix(text: string): Subnet | string | typeof ipv6 | undefined {
  const [address = "", length = "", ...more] = text.split("/");
  if (more.length > 0 || !/^\d{1,3}$/.test(length)) return undefined;
  if (isIP(address) === 6) return Number(length) <= 128 ? ipv6 : undefined;
  const number = parseIpv4(address);
  if (number === undefined || !isIPv4(address) || Number(length) > 32) return undefined;
  const subnet = subnetOf(number, Number(length));
  return subnet.base === number ? subnet : formatSubnet(subnet);
}

/** Whether a subnet is one of IPv6. */
export function isIpv6Subnet({ subnet }: Pick<SubnetRequest, "subnet">): boolean {
  return subnet.includes(":");
}

/** Whether an address of a subnet stands for the network itself or for all in it; one of two or fewer addresses has none. */
export function isNetworkOrBroadcast({ base, prefixLength }: Subnet, address: number): boolean {
  if (prefixLength > 30) return false;
  return address === base || address === base + sizeOf(prefixLength) - 1;
}

/**
 * The addresses of a network that got `subnet`, as Docker gives them: the gateway is the first of
 * the range. `denied`, in Docker's words, for an address that is taken twice.
 */
export function planAddresses(subnet: Subnet, request?: SubnetRequest): AddressPlan {
  const range = request?.range ? (parsePrefix(request.range) as Subnet) : subnet;
  const first = isNetworkOrBroadcast(subnet, range.base) ? range.base + 1 : range.base;
  const gateway = request?.gateway ? (parseIpv4(request.gateway) ?? 0) : first;
  const taken = (what: string) => new Fault("denied", `${what}: Address already in use`);
  if (isNetworkOrBroadcast(subnet, gateway))
    throw taken(`failed to allocate gateway (${request?.gateway})`);
  const reserved: number[] = [];
  for (const [name, text] of Object.entries(request?.reserved ?? {})) {
    const address = parseIpv4(text) ?? 0;
    if (address === gateway || reserved.includes(address) || isNetworkOrBroadcast(subnet, address))
      throw taken(`failed to allocate secondary ip address (${name}:${text})`);
    reserved.push(address);
  }
  return { subnet, range, gateway, reserved };
}
