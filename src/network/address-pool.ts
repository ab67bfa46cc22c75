import { createHash } from "node:crypto";
import { Fault, type IpVersion } from "#base";
import {
  addressBits,
  contains,
  formatAddress,
  formatSubnet,
  overlaps,
  parseAddress,
  type Subnet,
  sizeOf,
} from "./subnet.ts";
import { type AddressPlan, isReserved } from "./subnet-request.ts";

/**
 * The networks that the default bridge may get when it asks for none: as Docker's, but above those
 * that Docker takes first.
 */
export const defaultCandidates: readonly Subnet[] = [
  ...Array.from({ length: 12 }, (_, i) => ipv4Subnet([172, 20 + i, 0], 16)),
  ...Array.from({ length: 16 }, (_, i) => ipv4Subnet([192, 168, i * 16], 20)),
];

/**
 * The networks that other bridges may get: 256 addresses each, so that there are thousands, and
 * first those that the default bridges of this and other engines take last.
 */
export const smallCandidates: readonly Subnet[] = [
  ...Array.from({ length: 12 * 256 }, (_, i) =>
    ipv4Subnet([172, 31 - Math.floor(i / 256), i % 256], 24),
  ),
  ...Array.from({ length: 256 }, (_, i) => ipv4Subnet([192, 168, i], 24)),
];

function ipv4Subnet([a, b, c]: [a: number, b: number, c: number], prefixLength: number): Subnet {
  return { version: 4, base: BigInt(a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8), prefixLength };
}

/**
 * The 65,536 networks of IPv6 that an instance's bridges may get: /64 each, all of one unique local
 * /48 (RFC 4193), which is the same in every life of the instance and another one's on no other.
 */
export function* ipv6Candidates(instanceId: string): Generator<Subnet> {
  const random = createHash("sha256").update(`ipv6 ${instanceId}`).digest("hex").slice(0, 10);
  const prefix = BigInt(`0xfd${random}`) << 80n;
  for (let i = 0n; i < 2n ** 16n; i++)
    yield { version: 6, base: prefix | (i << 64n), prefixLength: 64 };
}

/**
 * The first candidate that overlaps with nothing that is taken (routes, addresses, name servers of
 * the host). When no candidate is free: `denied` when there was one alone, else `exhausted`.
 */
export function chooseSubnet(
  taken: readonly Subnet[],
  candidates: Iterable<Subnet> = defaultCandidates,
): Subnet {
  const isFree = freedom(taken);
  const refused: Subnet[] = [];
  for (const candidate of candidates) {
    if (isFree(candidate)) return candidate;
    if (refused.length < 2) refused.push(candidate);
  }
  const [only] = refused;
  if (only !== undefined && refused.length === 1)
    throw new Fault(
      "denied",
      "invalid pool request: Pool overlaps with other one on this address space",
      { about: formatSubnet(only) },
    );
  throw new Fault("exhausted", "all predefined address pools have been fully subnetted");
}

/** The prefix length of the networks of which there are thousands. */
const smallLength = { 4: 24, 6: 64 } as const;

/** Whether a candidate overlaps with nothing; with thousands of small networks, each is looked up by its number. */
function freedom(taken: readonly Subnet[]): (candidate: Subnet) => boolean {
  const isSmall = ({ version, prefixLength }: Subnet) => prefixLength >= smallLength[version];
  const numberOf = ({ version, base }: Subnet) =>
    base >> BigInt(addressBits[version] - smallLength[version]);
  const large = taken.filter((each) => !isSmall(each));
  const small = taken.filter(isSmall);
  const numbersOf = (wanted: IpVersion) =>
    new Set(small.filter(({ version }) => version === wanted).map(numberOf));
  const numbers = { 4: numbersOf(4), 6: numbersOf(6) };
  return (candidate) => {
    if (large.some((other) => overlaps(candidate, other))) return false;
    if (candidate.prefixLength !== smallLength[candidate.version])
      return !small.some((other) => overlaps(candidate, other));
    return !numbers[candidate.version].has(numberOf(candidate));
  };
}

/**
 * The addresses of one network. The gateway's and the reserved ones are never given. Addresses are
 * given in turn and not at once again, since the namespace of the last owner
 * goes away a moment later than its address is given back.
 */
export class AddressPool {
  readonly #plan: AddressPlan;
  readonly #used = new Set<bigint>();
  #next: bigint;

  constructor(plan: AddressPlan) {
    this.#plan = plan;
    for (const address of [plan.gateway, ...plan.reserved]) this.adopt(address);
    this.#next = plan.range.base;
  }

  /** The next free address of the range; `exhausted` when there is none. */
  take(): string {
    const { version, base } = this.#plan.range;
    const size = sizeOf(this.#plan.range);
    for (let tried = 0n; tried < size; tried++) {
      const value = this.#next;
      this.#next = value + 1n < base + size ? value + 1n : base;
      if (this.#isTaken(value)) continue;
      this.#used.add(value);
      return formatAddress({ version, value });
    }
    throw new Fault(
      "exhausted",
      `no available IPv${version} addresses on this network's address pools`,
    );
  }

  /** Takes this address, which may be outside the range, and gives its shortest form; `denied` when it is taken, `invalid` when it is outside the subnet. */
  takeExactly(address: string): string {
    const value = this.#valueOf(address);
    if (value === undefined)
      throw new Fault(
        "invalid",
        `no configured subnet or ip-range contain the IP address ${address}`,
      );
    if (this.#isTaken(value)) throw new Fault("denied", "Address already in use");
    this.#used.add(value);
    return formatAddress({ version: this.#plan.subnet.version, value });
  }

  /** Marks an address as used; an address of another network is ignored. */
  adopt(address: string): void {
    const value = this.#valueOf(address);
    if (value !== undefined) this.#used.add(value);
  }

  /** An address of another network is ignored. */
  release(address: string): void {
    const value = this.#valueOf(address);
    if (value !== undefined) this.#used.delete(value);
  }

  #valueOf(text: string): bigint | undefined {
    const address = parseAddress(text);
    return address && contains(this.#plan.subnet, address) ? address.value : undefined;
  }

  #isTaken(value: bigint): boolean {
    return this.#used.has(value) || isReserved(this.#plan.subnet, value);
  }
}
