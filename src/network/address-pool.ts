import { Fault } from "#base";
import { contains, formatIpv4, formatSubnet, overlaps, type Subnet, sizeOf } from "./ipv4.ts";

/**
 * The networks that a bridge may get when it asks for none: as Docker's, but above those that
 * Docker takes first.
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
 * The first candidate that overlaps with nothing that is taken (routes, addresses, name servers of
 * the host).
 */
export function chooseSubnet(
  taken: readonly Subnet[],
  candidates: readonly Subnet[] = defaultCandidates,
): Subnet {
  const free = candidates.find((candidate) => !taken.some((other) => overlaps(candidate, other)));
  if (free !== undefined) return free;
  const tried = candidates.map(formatSubnet).join(", ");
  throw new Fault(
    "exhausted",
    `no free network for the bridge: routes of this host overlap ${tried}; name another one`,
  );
}

/**
 * The addresses of one network. The first belongs to the gateway. Addresses are
 * given in turn and not at once again, since the namespace of the last owner
 * goes away a moment later than its address is given back.
 */
export class AddressPool {
  readonly #subnet: Subnet;
  readonly #used = new Set<number>();
  #next: number;

  constructor(subnet: Subnet) {
    this.#subnet = subnet;
    this.#next = subnet.base + 2;
  }

  get gateway(): string {
    return formatIpv4(this.#subnet.base + 1);
  }

  get prefixLength(): number {
    return this.#subnet.prefixLength;
  }

  take(): number {
    const { base, prefixLength } = this.#subnet;
    const [first, broadcast] = [base + 2, base + sizeOf(prefixLength) - 1];
    for (let tried = first; tried < broadcast; tried++) {
      const address = this.#next;
      this.#next = address + 1 < broadcast ? address + 1 : first;
      if (this.#used.has(address)) continue;
      this.#used.add(address);
      return address;
    }
    throw new Fault(
      "exhausted",
      `all ${broadcast - first} addresses of ${formatSubnet(this.#subnet)} are in use; remove containers first`,
    );
  }

  /** Marks an address as used; an address of another network is ignored. */
  adopt(address: number): void {
    if (contains(this.#subnet, address)) this.#used.add(address);
  }

  release(address: number): void {
    this.#used.delete(address);
  }
}
