import { Fault, formatIp, type IpVersion, parseIp } from "#base";

/** An address as a number of 32 or 128 bits. */
export interface Address {
  readonly version: IpVersion;
  readonly value: bigint;
}

/** A network: the lowest address as a number, and how many bits are fixed. */
export interface Subnet {
  readonly version: IpVersion;
  readonly base: bigint;
  readonly prefixLength: number;
}

/** The number of bits of an address. */
export const addressBits: Readonly<Record<IpVersion, number>> = { 4: 32, 6: 128 };

/** An address from its text; undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const bytes = parseIp(text);
  if (bytes === undefined) return undefined;
  const version = bytes.byteLength === 4 ? 4 : 6;
  return { version, value: BigInt(`0x${Buffer.from(bytes).toString("hex")}`) };
}

/** The text of an address; that of IPv6 as RFC 5952 has it. */
export function formatAddress({ version, value }: Address): string {
  return formatIp(Buffer.from(value.toString(16).padStart(addressBits[version] / 4, "0"), "hex"));
}

/** "172.20.0.0/16", "fd00::/64"; `invalid` for another form, and where host bits are set. */
export function parseSubnet(text: string): Subnet {
  const found = parsePrefix(text);
  if (found === undefined || found.subnet.base !== found.address.value)
    throw new Fault("invalid", `${text} is not a network such as 172.20.0.0/16 or fd00::/64`, {
      about: text,
    });
  return found.subnet;
}

/** An address with a prefix length, and the network that it is in; undefined for another form. */
export function parsePrefix(text: string): { address: Address; subnet: Subnet } | undefined {
  const [, plain = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseAddress(plain);
  if (address === undefined || Number(length) > addressBits[address.version]) return undefined;
  return { address, subnet: subnetOf(address, Number(length)) };
}

/** "172.20.0.0/16". */
export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(firstOf(subnet))}/${subnet.prefixLength}`;
}

/** The network that an address with its prefix length is in. */
export function subnetOf({ version, value }: Address, prefixLength: number): Subnet {
  const size = sizeOf({ version, prefixLength });
  return { version, base: value - (value % size), prefixLength };
}

/** The lowest address of a network, which stands for itself. */
export function firstOf({ version, base }: Subnet): Address {
  return { version, value: base };
}

/** Number of addresses in a network. */
export function sizeOf({ version, prefixLength }: Omit<Subnet, "base">): bigint {
  return 1n << BigInt(addressBits[version] - prefixLength);
}

/** Whether the address is in the subnet; its network and broadcast addresses are. */
export function contains(subnet: Subnet, { version, value }: Address): boolean {
  const isBelow = value < subnet.base + sizeOf(subnet);
  return version === subnet.version && value >= subnet.base && isBelow;
}

/** Whether the subnets have an address in common. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return contains(a, firstOf(b)) || contains(b, firstOf(a));
}

/** Whether an address is in a network such as "172.20.0.0/16"; false for any other text. */
export function containsAddress(subnet: string, address: string): boolean {
  const found = parseAddress(address);
  return found !== undefined && contains(parseSubnet(subnet), found);
}
