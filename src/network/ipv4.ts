import { Fault } from "#base";

/** An IPv4 network: the lowest address as a number, and how many bits are fixed. */
export interface Subnet {
  readonly base: number;
  readonly prefixLength: number;
}

/** A dotted address as a number of 32 bits; undefined for anything else. */
export function parseIpv4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + part, 0);
}

/** A number of 32 bits as a dotted address. */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** "172.20.0.0/16"; host bits must be zero. */
export function parseSubnet(text: string): Subnet {
  const [address = "", length = ""] = text.split("/");
  const base = parseIpv4(address);
  const prefixLength = /^\d{1,2}$/.test(length) ? Number(length) : 33;
  if (base === undefined || prefixLength > 32 || base % sizeOf(prefixLength) !== 0)
    throw new Fault("invalid", `${text} is not an IPv4 network such as 172.20.0.0/16`, {
      about: text,
    });
  return { base, prefixLength };
}

/** "172.20.0.0/16". */
export function formatSubnet({ base, prefixLength }: Subnet): string {
  return `${formatIpv4(base)}/${prefixLength}`;
}

/** The network that an address with its prefix length is in. */
export function subnetOf(address: number, prefixLength: number): Subnet {
  return { base: address - (address % sizeOf(prefixLength)), prefixLength };
}

/** Number of addresses in a network of this prefix length. */
export function sizeOf(prefixLength: number): number {
  return 2 ** (32 - prefixLength);
}

/** Whether the address is in the subnet; its network and broadcast addresses are. */
export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address < subnet.base + sizeOf(subnet.prefixLength);
}

/** Whether the subnets have an address in common. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return contains(a, b.base) || contains(b, a.base);
}

/** Whether a dotted address is in a network such as "172.20.0.0/16"; false for any other text. */
export function containsAddress(subnet: string, address: string): boolean {
  const number = parseIpv4(address);
  return number !== undefined && !subnet.includes(":") && contains(parseSubnet(subnet), number);
}
