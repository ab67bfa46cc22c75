import { isIPv6 } from "node:net";
import { faultOf, isFault, KeyedLock, type Log } from "#base";
import { type AddressAndPort, type FlowEnd, type Nftables, type NftBatch, nft } from "#kernel";
import { FilterWatch } from "./filter-watch.ts";
import { ownBridges } from "./firewall.ts";
import {
  type ForeignFirewall,
  foreignFirewall,
  hasLegacyFilter,
  reasonForProxy,
} from "./foreign-firewall.ts";
import { isLoopback } from "./port-address.ts";
import type { PortProtocol } from "./port-contract.ts";
import type { StoredPublication } from "./port-store.ts";
import {
  addCounting,
  count,
  countNoMore,
  type TranslatedTraffic,
  trafficOf,
} from "./port-traffic.ts";

const PREROUTING = "ports-prerouting";
const OUTPUT = "ports-output";
const protocols: readonly PortProtocol[] = ["tcp", "udp", "sctp"];
/** What stays with the proxy: loopback, and of IPv6 clients whose address is of their link alone. */
const untranslated = {
  ip: [nft.ipDestination({ address: "127.0.0.0", prefixLength: 8 })],
  ip6: [
    nft.ipDestination({ address: "::1", prefixLength: 128 }),
    nft.ipSource({ address: "fe80::", prefixLength: 10 }),
  ],
} as const;

/** An element of a protocol's map. */
export interface PortElement {
  readonly protocol: PortProtocol;
  readonly from: AddressAndPort;
  readonly to: AddressAndPort;
  /** Translated also where the host's firewall filters what comes in. */
  readonly passesInput: boolean;
}

/** The elements of a container's ports, of both families. Loopback has none, nor has IPv6 to a container without it: the proxy serves them. */
export function elementsOf({
  address,
  address6,
  ports,
  passesInput,
}: Pick<StoredPublication, "address" | "address6" | "ports" | "passesInput">): PortElement[] {
  const ipv4 = isIPv6(address) ? "" : address;
  return ports.flatMap(({ protocol, hostIp, hostPort, containerPort }) => {
    const target = isIPv6(hostIp) ? address6 : ipv4;
    if (target === "" || isLoopback(hostIp)) return [];
    const from = { address: hostIp, port: hostPort };
    return [{ protocol, from, to: { address: target, port: containerPort }, passesInput }];
  });
}

export interface PortRulesOptions {
  /** Of the family whose packets are translated. */
  readonly filter: Nftables;
  /** The instance's. */
  readonly table: string;
  /** Whether a policy of dropping what is forwarded is this engine's own doing. */
  readonly dropsForeign: () => boolean;
  readonly log: Log;
}

/**
 * The translation of published ports in the host's packet filter, of one family: a map per protocol, and two
 * chains that look every new connection to one of the host's own addresses up in it. It is an
 * improvement on the proxies and not needed: where the host's firewall filters, only those ports are in
 * the maps whose containers are to pass by it.
 */
export class PortRules {
  readonly #options: PortRulesOptions;
  readonly #lock = new KeyedLock();
  readonly #wanted = new Map<string, PortElement>();
  /** Those whose elements count since they lead anywhere. */
  readonly #counted = new Set<string>();
  readonly #watch: FilterWatch;
  /** What concerns translated connections; undefined before the first port, and after a failure. */
  #firewall: ForeignFirewall | undefined;

  constructor(options: PortRulesOptions) {
    this.#options = options;
    this.#watch = new FilterWatch(options.table, (isRobbed) => this.#review(isRobbed));
  }

  /** What of the host's firewall concerns these ports, read now. */
  firewall(): Promise<ForeignFirewall> {
    return this.#findFirewall();
  }

  /** What came in and went out by an element since the rules were made; undefined while it is not translated. */
  traffic(element: PortElement): Promise<TranslatedTraffic | undefined> {
    return trafficOf(this.#options.filter, this.#options.table, flowOf(element));
  }

  /** Stops looking at the firewall; what is translated stays so. */
  async close(): Promise<void> {
    await this.#watch[Symbol.asyncDispose]();
    await this.#change(async () => this.#options.filter[Symbol.dispose]());
  }

  /** Translates these too. Without success the proxies serve, and the log says why. */
  add(elements: readonly PortElement[]): Promise<void> {
    return this.#change(async () => {
      for (const element of elements) this.#wanted.set(keyOf(element), element);
      this.#watch.start();
      // iptables-legacy tells nobody of its changes.
      const firewall = this.#firewall;
      if (!firewall || (!firewall.input && hasLegacyFilter(this.#options.filter)))
        await this.#install(await this.#findFirewall());
      else await this.#commit(elements, (batch) => this.#put(batch, elements, firewall));
      for (const element of elements) this.#counted.add(keyOf(element));
    });
  }

  /** Translates some instead of others, in one step. */
  async replace(before: readonly PortElement[], after: readonly PortElement[]): Promise<void> {
    if (before.length === 0 && after.length === 0) return;
    await this.#change(async () => {
      for (const element of before) this.#wanted.delete(keyOf(element));
      for (const element of after) this.#wanted.set(keyOf(element), element);
      const firewall = this.#firewall;
      if (!firewall) return;
      const used = await this.#leave(before, firewall, (batch) =>
        this.#put(batch, after, firewall),
      );
      for (const element of after) this.#counted.add(keyOf(element));
      await this.#forgetFlows(used);
    });
  }

  async remove(elements: readonly PortElement[]): Promise<void> {
    if (elements.length === 0) return;
    await this.#change(async () => {
      for (const element of elements) this.#wanted.delete(keyOf(element));
      const firewall = this.#firewall;
      if (firewall) await this.#forgetFlows(await this.#leave(elements, firewall));
    });
  }

  /** Takes elements away, with what `write` adds; gives those that may have led packets. */
  async #leave(
    elements: readonly PortElement[],
    firewall: ForeignFirewall,
    write: (batch: NftBatch) => void = () => undefined,
  ): Promise<readonly PortElement[]> {
    const { table } = this.#options;
    const translated = elements.filter((each) => isTranslated(each, firewall));
    const counts = await this.#commit(elements, (batch) => {
      for (const { protocol, from } of translated) batch.deletePort(table, mapOf(protocol), from);
      const others = [...this.#wanted.values()].filter((each) => isTranslated(each, firewall));
      countNoMore(batch, table, { gone: translated.map(flowOf), others: others.map(flowOf) });
      write(batch);
    });
    const led = new Set(translated.filter((_, index) => counts[index] !== 0n));
    return elements.filter((each) => !this.#counted.delete(keyOf(each)) || led.has(each));
  }

  /**
   * A client that goes on sending datagrams would be translated to the address that is gone. The kernel
   * looks through all flows of the machine for these, which can take more than 100 ms.
   */
  async #forgetFlows(elements: readonly PortElement[]): Promise<void> {
    for (const { to } of elements.filter(({ protocol }) => protocol === "udp")) {
      try {
        await this.#options.filter.forgetUdpFlows(to);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#options.log.debug("UDP flows stay until they are silent", { reason: error.message });
      }
    }
  }

  /** Makes the kernel have these elements and no others; without any, and without a table, nothing is made. */
  reset(elements: readonly PortElement[]): Promise<void> {
    return this.#change(async () => {
      this.#wanted.clear();
      for (const element of elements) this.#wanted.set(keyOf(element), element);
      if (elements.length > 0) this.#watch.start();
      if (elements.length > 0 || (await this.#isInstalled()))
        await this.#install(await this.#findFirewall());
    });
  }

  /** The firewall has changed: translates or no longer does, and puts back what was taken away. */
  #review(isRobbed: boolean): Promise<void> {
    return this.#change(async () => {
      if (this.#wanted.size === 0) return;
      const firewall = await this.#findFirewall();
      if (isRobbed || !isSame(firewall, this.#firewall)) await this.#install(firewall);
    });
  }

  async #isInstalled(): Promise<boolean> {
    const { filter, table } = this.#options;
    return (await filter.chains()).some(
      (chain) => chain.table === table && chain.name === PREROUTING,
    );
  }

  #change(work: () => Promise<void>): Promise<void> {
    return this.#lock.run("ports", async () => {
      try {
        await work();
      } catch (error) {
        this.#firewall = undefined;
        const { message } = faultOf(error);
        this.#options.log.warn("published ports go through their proxies", { reason: message });
      }
    });
  }

  async #findFirewall(): Promise<ForeignFirewall> {
    const { filter, dropsForeign } = this.#options;
    return await foreignFirewall(filter, { dropsForeign: dropsForeign() });
  }

  /** When others have flushed the rules, everything is made anew. */
  async #commit(
    elements: readonly PortElement[],
    write: (batch: NftBatch) => void,
  ): Promise<readonly (bigint | undefined)[]> {
    const firewall = this.#firewall ?? {};
    if (!elements.some((element) => isTranslated(element, firewall))) return [];
    const batch = this.#options.filter.batch();
    write(batch);
    try {
      return await this.#options.filter.commit(batch);
    } catch (error) {
      if (!isFault(error, "not_found") && !isFault(error, "exists")) throw error;
      await this.#install(firewall);
      return [];
    }
  }

  /** All rules and elements, whatever was there. */
  async #install(firewall: ForeignFirewall): Promise<void> {
    const { filter, table, log } = this.#options;
    const batch = filter.batch().addTable(table).addVerdictMap(table, ownBridges);
    for (const protocol of protocols)
      batch.addPortMap(table, mapOf(protocol)).flushSet(table, mapOf(protocol));
    for (const [name, hook] of [
      [PREROUTING, "prerouting"],
      [OUTPUT, "output"],
    ] as const) {
      batch.addBaseChain({ table, name, type: "nat", hook, priority: -100 });
      addLookups(batch.flushChain(table, name), { table, chain: name }, filter.family);
    }
    addCounting(batch, table, filter);
    this.#put(batch, [...this.#wanted.values()], firewall);
    // Flows of the elements that go are not in the counts of those that come.
    this.#counted.clear();
    await filter.commit(batch);
    const reason = reasonForProxy(firewall);
    if (reason && !isSame(firewall, this.#firewall))
      log.info(
        "published ports go through their proxies, so that the host's firewall holds for them",
        { reason },
      );
    this.#firewall = firewall;
  }

  #put(batch: NftBatch, elements: readonly PortElement[], firewall: ForeignFirewall): void {
    const { table } = this.#options;
    for (const element of elements.filter((each) => isTranslated(each, firewall))) {
      const { protocol, from, to } = element;
      batch.addPort(table, mapOf(protocol), from, to);
      count(batch, table, flowOf(element));
    }
  }
}

/** Nothing is translated into a chain that drops it: the proxy serves then. */
export function isTranslated(
  { passesInput }: Pick<PortElement, "passesInput">,
  { input, forward }: ForeignFirewall,
): boolean {
  return !forward?.blocksTranslated && (input === undefined || passesInput);
}

function isSame(a: ForeignFirewall, b: ForeignFirewall | undefined): boolean {
  return b !== undefined && a.input === b.input && a.forward?.reason === b.forward?.reason;
}

function flowOf({ protocol, from, to }: PortElement): FlowEnd {
  return { protocol, address: to.address, port: from.port };
}

function mapOf(protocol: PortProtocol): string {
  return `ports-${protocol}`;
}

function keyOf({ protocol, from }: PortElement): string {
  return `${protocol} ${from.address}:${from.port}`;
}

/**
 * What goes to loopback could not be answered from elsewhere, what goes to others is not ours, and
 * what comes from a container may come back to its own port of the bridge, which takes nothing back
 * that it sent.
 */
function addLookups(
  batch: NftBatch,
  place: { readonly table: string; readonly chain: string },
  family: Nftables["family"],
): void {
  batch.addRule({ ...place, expressions: [nft.iifnameVerdict(ownBridges)] });
  for (const match of [...untranslated[family], nft.notToThisHost()])
    batch.addRule({ ...place, expressions: [match, nft.return()] });
  for (const protocol of protocols)
    for (const address of ["own", "any"] as const)
      batch.addRule({
        ...place,
        expressions: [nft.protocol(protocol), nft.dnatByMap(mapOf(protocol), address, family)],
      });
}
