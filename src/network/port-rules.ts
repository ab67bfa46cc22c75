import { faultOf, isFault, KeyedLock, type Log } from "#base";
import { type AddressAndPort, type Nftables, NftBatch, nft } from "#kernel";
import { foreignFirewall } from "./foreign-firewall.ts";
import { addressBytes, isLoopback } from "./port-address.ts";
import type { PortProtocol, PublishedPort } from "./port-contract.ts";

const PREROUTING = "ports-prerouting";
const OUTPUT = "ports-output";
const protocols: readonly PortProtocol[] = ["tcp", "udp", "sctp"];
const loopback = { address: "127.0.0.0", prefixLength: 8 };

/** An element of a protocol's map. */
export interface PortElement {
  readonly protocol: PortProtocol;
  readonly from: AddressAndPort;
  readonly to: AddressAndPort;
}

/** The elements of a container's ports. Loopback and IPv6 have none: the proxy serves them. */
export function elementsOf(address: string, ports: readonly PublishedPort[]): PortElement[] {
  return ports
    .filter(({ hostIp }) => addressBytes(hostIp).byteLength === 4 && !isLoopback(hostIp))
    .map(({ protocol, hostIp, hostPort, containerPort }) => ({
      protocol,
      from: { address: hostIp, port: hostPort },
      to: { address, port: containerPort },
    }));
}

export interface PortRulesOptions {
  readonly filter: Nftables;
  /** The instance's. */
  readonly table: string;
  /** Whether a policy of dropping what is forwarded is this engine's own doing. */
  readonly dropsForeign: () => boolean;
  readonly log: Log;
}

/**
 * The translation of published ports in the host's packet filter: a map per protocol, and two
 * chains that look every new connection to one of the host's own addresses up in it. It is an
 * improvement on the proxies and not needed: where the host's firewall filters, the maps are empty.
 */
export class PortRules {
  readonly #options: PortRulesOptions;
  readonly #lock = new KeyedLock();
  readonly #wanted = new Map<string, PortElement>();
  /** Why nothing is translated; "" where it is; undefined before the first port. */
  #obstacle: string | undefined;

  constructor(options: PortRulesOptions) {
    this.#options = options;
  }

  /** Translates these too. Without success the proxies serve, and the log says why. */
  add(elements: readonly PortElement[]): Promise<void> {
    return this.#change(async () => {
      for (const element of elements) this.#wanted.set(keyOf(element), element);
      const obstacle = await this.#findObstacle();
      if (obstacle !== this.#obstacle) return await this.#install(obstacle);
      if (obstacle === "") await this.#commit((batch) => this.#put(batch, elements));
    });
  }

  async remove(elements: readonly PortElement[]): Promise<void> {
    if (elements.length === 0) return;
    await this.#change(async () => {
      for (const element of elements) this.#wanted.delete(keyOf(element));
      if (this.#obstacle !== "") return;
      await this.#commit((batch) => {
        for (const { protocol, from } of elements)
          batch.deletePort(this.#options.table, mapOf(protocol), from);
      });
    });
  }

  /** Makes the kernel have these elements and no others; without any, and without a table, nothing is made. */
  reset(elements: readonly PortElement[]): Promise<void> {
    return this.#change(async () => {
      this.#wanted.clear();
      for (const element of elements) this.#wanted.set(keyOf(element), element);
      const { filter, table } = this.#options;
      const isThere = (await filter.chains()).some(
        (chain) => chain.table === table && chain.name === PREROUTING,
      );
      if (isThere || elements.length > 0) await this.#install(await this.#findObstacle());
    });
  }

  /** The firewall may have changed: translates or no longer does. */
  review(): Promise<void> {
    return this.#change(async () => {
      if (this.#wanted.size > 0) await this.#install(await this.#findObstacle());
    });
  }

  #change(work: () => Promise<void>): Promise<void> {
    return this.#lock.run("ports", async () => {
      try {
        await work();
      } catch (error) {
        this.#obstacle = undefined;
        const { message } = faultOf(error);
        this.#options.log.warn("published ports go through their proxies", { reason: message });
      }
    });
  }

  async #findObstacle(): Promise<string> {
    const { filter, dropsForeign } = this.#options;
    return await foreignFirewall(filter, { dropsForeign: dropsForeign() });
  }

  /** When others have flushed the rules, everything is made anew. */
  async #commit(write: (batch: NftBatch) => void): Promise<void> {
    const batch = new NftBatch();
    write(batch);
    try {
      await this.#options.filter.commit(batch);
    } catch (error) {
      if (!isFault(error, "not_found") && !isFault(error, "exists")) throw error;
      await this.#install(this.#obstacle ?? "");
    }
  }

  /** All rules and elements, whatever was there. */
  async #install(obstacle: string): Promise<void> {
    const { filter, table, log } = this.#options;
    const batch = new NftBatch().addTable(table);
    for (const protocol of protocols)
      batch.addPortMap(table, mapOf(protocol)).flushSet(table, mapOf(protocol));
    for (const [name, hook] of [
      [PREROUTING, "prerouting"],
      [OUTPUT, "output"],
    ] as const) {
      batch.addBaseChain({ table, name, type: "nat", hook, priority: -100 });
      addLookups(batch.flushChain(table, name), table, name);
    }
    if (obstacle === "") this.#put(batch, [...this.#wanted.values()]);
    await filter.commit(batch);
    if (obstacle !== "" && obstacle !== this.#obstacle)
      log.info(
        "published ports go through their proxies, so that the host's firewall holds for them",
        {
          reason: obstacle,
        },
      );
    this.#obstacle = obstacle;
  }

  #put(batch: NftBatch, elements: readonly PortElement[]): void {
    for (const { protocol, from, to } of elements)
      batch.addPort(this.#options.table, mapOf(protocol), from, to);
  }
}

function mapOf(protocol: PortProtocol): string {
  return `ports-${protocol}`;
}

function keyOf({ protocol, from }: PortElement): string {
  return `${protocol} ${from.address}:${from.port}`;
}

/** What goes to loopback could not be answered from elsewhere, and what goes to others is not ours. */
function addLookups(batch: NftBatch, table: string, chain: string): void {
  const place = { table, chain };
  batch
    .addRule({ ...place, expressions: [nft.ipDestination(loopback), nft.return()] })
    .addRule({ ...place, expressions: [nft.notToThisHost(), nft.return()] });
  for (const protocol of protocols)
    for (const address of ["own", "any"] as const)
      batch.addRule({
        ...place,
        expressions: [nft.protocol(protocol), nft.dnatByMap(mapOf(protocol), address)],
      });
}
