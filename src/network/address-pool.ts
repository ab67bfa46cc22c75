import { Fault } from "#base";
import { contains, formatIpv4, formatSubnet, overlaps, type Subnet, sizeOf } from "./ipv4.ts";
import { type AddressPlan, isNetworkOrBroadcast } from "./subnet-request.ts";

/**
 * The networks that the default bridge may get when it asks for none: as Docker's, but above those
 * that Docker takes first.
 */
export const defaultCandidates: readonly Subnet[] = [
  ...Array.from({ length: 12 }, (_, i) => ({
    base: 172 * 2 ** 24 + (20 + i) * 2 ** 16,
    prefixLength: 16,
  })),
  ...Array.from({ length: 16 }, (_, i) => ({
    base: 192 * 2 ** 24 + 168 * 2 ** 16 + i * 2 ** 12,
    prefixLength: 20,
  })),
];

/**
 * The networks that other bridges may get: 256 addresses each, so that there are thousands, and
 * first those that the default bridges of this and other engines take last.
 */
export const smallCandidates: readonly Subnet[] = [
  ...Array.from({ length: 12 * 256 }, (_, i) => ({
    base: 172 * 2 ** 24 + (31 - Math.floor(i / 256)) * 2 ** 16 + (i % 256) * 2 ** 8,
    prefixLength: 24,
  })),
  ...Array.from({ length: 256 }, (_, i) => ({
    base: 192 * 2 ** 24 + 168 * 2 ** 16 + i * 2 ** 8,
    prefixLength: 24,
  })),
];

/**
 * The first candidate that overlaps with nothing that is taken (routes, addresses, name servers of
 * the host). When no candidate is free: `denied` when there was one alone, else `exhausted`.
 */
export function chooseSubnet(
  taken: readonly Subnet[],
  candidates: readonly Subnet[] = defaultCandidates,
): Subnet {
  const free = candidates.find(freedom(taken));
  if (free !== undefined) return free;
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1)
    throw new Fault(
      "denied",
      "invalid pool request: Pool overlaps with other one on this address space",
      { about: formatSubnet(only) },
    );
  throw new Fault("exhausted", "all predefined address pools have been fully subnetted");
}

const BLOCK = 2 ** 8;

/** Whether a candidate overlaps with nothing; with thousands of small networks, each is looked up by its block of 256 addresses. */
function freedom(taken: readonly Subnet[]): (candidate: Subnet) => boolean {
  const large = taken.filter(({ prefixLength }) => prefixLength < 24);
  const small = taken.filter(({ prefixLength }) => prefixLength >= 24);
  const blocks = new Set(small.map(({ base }) => Math.floor(base / BLOCK)));
  return (candidate) => {
    if (large.some((other) => overlaps(candidate, other))) return false;
    if (candidate.prefixLength !== 24) return !small.some((other) => overlaps(candidate, other));
    return !blocks.has(candidate.base / BLOCK);
  };
}

/**
 * The addresses of one network. The gateway's and the reserved ones are never given. Addresses are
 * given in turn and not at once again, since the namespace of the last owner
 * goes away a moment later than its address is given back.
 */
export class AddressPool {
  readonly #plan: AddressPlan;
  readonly #used: Set<number>;
  #next: number;

  constructor(plan: AddressPlan) {
    this.#plan = plan;
    this.#used = new Set([plan.gateway, ...plan.reserved]);
    this.#next = plan.range.base;
  }

  /** The next free address of the range; `exhausted` when there is none. */
  take(): number {
    const { base, prefixLength } = this.#plan.range;
    const size = sizeOf(prefixLength);
    for (let tried = 0; tried < size; tried++) {
      const address = this.#next;
      this.#next = address + 1 < base + size ? address + 1 : base;
      if (this.#isTaken(address)) continue;
      this.#used.add(address);
      return address;
    }
    throw new Fault("exhausted", "no available IPv4 addresses on this network's address pools");
  }

  /** Takes this address, which may be outside the range; `denied` when it is taken, `invalid` when it is outside the subnet. */
  takeExactly(address: number): void {
    if (!contains(this.#plan.subnet, address))
      throw new Fault(
        "invalid",
        `no configured subnet or ip-range contain the IP address ${formatIpv4(address)}`,
      );
    if (this.#isTaken(address)) throw new Fault("denied", "Address already in use");
    this.#used.add(address);
  }

  /** Marks an address as used; an address of another network is ignored. */
  adopt(address: number): void {
    if (contains(this.#plan.subnet, address)) this.#used.add(address);
  }

  release(address: number): void {
    this.#used.delete(address);
  }

  #isTaken(address: number): boolean {
    return this.#used.has(address) || isNetworkOrBroadcast(this.#plan.subnet, address);
  }
}
