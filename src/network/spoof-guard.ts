import { Fault, faultOf, isFault, KeyedLock, type Log } from "#base";
import { type FrameSource, Nftables, NftBatch, nft, type PacketCount } from "#kernel";

const PREROUTING = "frames-from-containers";
/** A map from the ports that are guarded to the chain that does it. */
const PORTS = "guarded-ports";
const SOURCES = { ip: "ipv4-sources", ip6: "ipv6-sources" } as const;
const OWN = "own-sources";
const OWN_NEIGHBOUR = "own-neighbour-messages";
/** Frames that are dropped pass it. */
const REFUSED = "refused-frames";
/** A set that counts them by the port that they came in by. */
const COUNTS = "refused-by-port";
/** Before all other chains at the hook, those of br_netfilter too. */
const PRIORITY = -300;
/** Ports whose elements a datagram has room for, with much to spare. */
const BATCH = 20;

/** The host's end of a container's interface, and what it may call itself. */
export interface GuardedPort {
  readonly name: string;
  readonly mac: string;
  /** "" where it has none of the version. */
  readonly address: string;
  readonly address6: string;
  /** Those of the container's other interfaces. */
  readonly others?: readonly string[];
}

export interface SpoofGuardOptions {
  readonly table: string;
  readonly log: Log;
}

/**
 * Containers send under their own addresses alone: a frame that comes in by a guarded port of a
 * bridge has its MAC address, and as source an address that the engine gave it, or is dropped before
 * the bridge learns from it. The same holds for what ARP and neighbour discovery say about addresses, and
 * advertisements of routers are dropped. Each port has a counter of what was. In a table of family `bridge`, by sets with elements for each
 * port, so that their number costs a frame nothing.
 *
 * A kernel without that family guards nothing; the log says so once.
 */
export class SpoofGuard {
  readonly #options: SpoofGuardOptions;
  readonly #filter = new Nftables({ keepsSocket: true });
  readonly #lock = new KeyedLock();
  /** By name. */
  readonly #ports = new Map<string, GuardedPort>();
  #isLacking = false;

  constructor(options: SpoofGuardOptions) {
    this.#options = options;
  }

  /** One that is guarded from an earlier life of the engine on; to be called before `install`. */
  adopt(port: GuardedPort): void {
    this.#ports.set(port.name, port);
  }

  /** From now on nothing else comes from the port. */
  guard(port: GuardedPort): Promise<void> {
    this.#ports.set(port.name, port);
    return this.#add(add(this.#batch(), this.#table, port));
  }

  /**
   * Of one container: it may send under the addresses of all by each that is guarded, since what it
   * answers goes by the interface that is nearest to the client.
   */
  async share(ports: readonly GuardedPort[]): Promise<void> {
    const batch = this.#batch();
    let isChanged = false;
    for (const { name } of ports) {
      const port = this.#ports.get(name);
      const others = ports.filter((each) => each.name !== name).flatMap(addressesOf);
      if (port === undefined || others.length === 0) continue;
      this.#ports.set(name, { ...port, others });
      addSources(batch, this.#table, { ...port, others });
      isChanged = true;
    }
    if (isChanged) await this.#add(batch);
  }

  #add(batch: NftBatch): Promise<void> {
    return this.#change(async () => {
      try {
        await this.#filter.commit(batch);
      } catch (error) {
        if (!isFault(error, "not_found")) throw error;
        // Another program has flushed the rules.
        await this.#install();
      }
    });
  }

  /** The port goes. Does nothing for one that is not guarded; a failure is in the log. */
  async forget(name: string): Promise<void> {
    const port = this.#ports.get(name);
    if (port === undefined) return;
    this.#ports.delete(name);
    const batch = remove(this.#batch(), this.#table, port);
    this.#withdraw(batch, port);
    try {
      await this.#change(async () => {
        await this.#filter.commit(batch);
      });
    } catch (error) {
      if (isFault(error, "not_found")) return;
      this.#options.log.warn(
        "the rules of a port that is gone stay until the engine starts again",
        {
          port: name,
          reason: faultOf(error).message,
        },
      );
    }
  }

  /** What the container's other interfaces had of one that goes. */
  #withdraw(batch: NftBatch, gone: GuardedPort): void {
    const addresses = addressesOf(gone);
    if (gone.others === undefined) return;
    for (const port of this.#ports.values()) {
      const { others = [] } = port;
      const lost = others.filter((address) => addresses.includes(address));
      if (lost.length === 0) continue;
      for (const [set, source] of otherSources({ ...port, others: lost }))
        batch.deleteSource(this.#table, set, source);
      const kept = others.filter((address) => !addresses.includes(address));
      this.#ports.set(port.name, { ...port, others: kept });
    }
  }

  /** How many frames from the port were dropped since it is guarded; undefined for one that is not. */
  async refused(name: string): Promise<PacketCount | undefined> {
    if (!this.#ports.has(name) || this.#isLacking) return undefined;
    return await this.#filter.linkCount(this.#table, COUNTS, name);
  }

  /** Makes the rules anew, for the ports that there are and no others, whatever was there. */
  install(): Promise<void> {
    return this.#change(() => this.#install());
  }

  /** Removes them, and lets go of the packet filter; does nothing when they are missing. */
  async removeAll(): Promise<void> {
    await this.#change(async () => {
      try {
        await this.#filter.commit(this.#batch().deleteTable(this.#table));
      } catch (error) {
        if (!isFault(error, "not_found")) throw error;
      }
    });
    await this.close();
  }

  /** Lets go of the packet filter; the rules stay. */
  close(): Promise<void> {
    return this.#change(async () => this.#filter[Symbol.dispose]());
  }

  get #table(): string {
    return this.#options.table;
  }

  #batch(): NftBatch {
    return new NftBatch("bridge");
  }

  async #install(): Promise<void> {
    await this.#filter.commit(addRules(this.#batch(), this.#table));
    const ports = [...this.#ports.values()];
    for (let at = 0; at < ports.length; at += BATCH) {
      const batch = this.#batch();
      for (const port of ports.slice(at, at + BATCH)) add(batch, this.#table, port);
      await this.#filter.commit(batch);
    }
  }

  #change(work: () => Promise<void>): Promise<void> {
    return this.#lock.run("guard", async () => {
      if (this.#isLacking) return;
      try {
        await work();
      } catch (error) {
        if (!isLacking(error)) throw error;
        this.#isLacking = true;
        this.#options.log.warn(
          "containers of a network are not kept from using each other's addresses: this kernel has no nf_tables for bridges (CONFIG_NF_TABLES_BRIDGE)",
          { reason: faultOf(error).message },
        );
      }
    });
  }
}

function isLacking(error: unknown): boolean {
  return (
    error instanceof Fault &&
    ["EOPNOTSUPP", "EAFNOSUPPORT", "EPROTONOSUPPORT"].includes(error.errno ?? "")
  );
}

/** The rules, without any port. */
function addRules(batch: NftBatch, table: string): NftBatch {
  const base = { table, type: "filter", priority: PRIORITY } as const;
  batch
    .addTable(table)
    .addVerdictMap(table, PORTS)
    .addSourceSet(table, SOURCES.ip, "ip")
    .addSourceSet(table, SOURCES.ip6, "ip6")
    .addLinkCounters(table, COUNTS)
    .addBaseChain({ ...base, name: PREROUTING, hook: "prerouting" })
    .addChain(table, OWN)
    .addChain(table, OWN_NEIGHBOUR)
    .addChain(table, REFUSED);
  for (const chain of [PREROUTING, OWN, OWN_NEIGHBOUR, REFUSED]) batch.flushChain(table, chain);
  for (const set of [PORTS, SOURCES.ip, SOURCES.ip6, COUNTS]) batch.flushSet(table, set);
  for (const [chain, ...expressions] of rules()) batch.addRule({ table, chain, expressions });
  return batch;
}

type Rule = readonly [chain: string, ...Parameters<NftBatch["addRule"]>[0]["expressions"]];

function rules(): readonly Rule[] {
  const refuse = [...nft.counter(), ...nft.jump(REFUSED)];
  const isNoTarget = nft.isNotSource(SOURCES.ip6, "neighbour");
  const none = nft.ipSource({ address: "::", prefixLength: 128 });
  return [
    [PREROUTING, nft.iifnameVerdict(PORTS)],
    [OWN, nft.etherType(4), nft.isSource(SOURCES.ip, "ip"), nft.accept()],
    [OWN, nft.etherType("arp"), nft.isNotSource(SOURCES.ip, "frame of arp"), refuse],
    [OWN, nft.etherType("arp"), nft.isSource(SOURCES.ip, "arp"), nft.accept()],
    [OWN, nft.etherType(6), nft.protocol("ipv6-icmp"), nft.jump(OWN_NEIGHBOUR)],
    [OWN, nft.etherType(6), nft.isSource(SOURCES.ip6, "ip6"), nft.accept()],
    [OWN, refuse],
    [OWN_NEIGHBOUR, nft.icmpType("nd-router-advert"), refuse],
    [OWN_NEIGHBOUR, nft.icmpType("nd-redirect"), refuse],
    [OWN_NEIGHBOUR, nft.icmpType("nd-neighbor-advert"), isNoTarget, refuse],
    // Who asks so whether an address is taken makes others believe that it is.
    [
      OWN_NEIGHBOUR,
      nft.icmpType("nd-neighbor-solicit"),
      nft.etherType(6),
      none,
      isNoTarget,
      refuse,
    ],
    [REFUSED, nft.countIncoming(COUNTS)],
    [REFUSED, nft.drop()],
  ];
}

function add(batch: NftBatch, table: string, port: GuardedPort): NftBatch {
  return addSources(batch, table, port)
    .addLink(table, COUNTS, port.name)
    .addVerdict(table, PORTS, port.name, { jump: OWN });
}

function addSources(batch: NftBatch, table: string, port: GuardedPort): NftBatch {
  for (const [set, source] of sourcesOf(port)) batch.addSource(table, set, source);
  return batch;
}

function remove(batch: NftBatch, table: string, port: GuardedPort): NftBatch {
  batch.deleteVerdict(table, PORTS, port.name).deleteLink(table, COUNTS, port.name);
  for (const [set, source] of sourcesOf(port)) batch.deleteSource(table, set, source);
  return batch;
}

/** Its addresses, and those of a host that has none yet, which asks whether one is free. */
function sourcesOf(port: GuardedPort) {
  const { name: link, mac, address, address6 } = port;
  const ipv4 = address === "" ? [] : [address, "0.0.0.0"];
  const ipv6 = address6 === "" ? [] : [address6, linkLocalOf(mac), "::"];
  return [
    ...ipv4.map((each) => [SOURCES.ip, { link, mac, address: each }] as const),
    ...ipv6.map((each) => [SOURCES.ip6, { link, mac, address: each }] as const),
    ...otherSources(port),
  ] satisfies readonly (readonly [string, FrameSource])[];
}

function otherSources({ name: link, mac, others = [] }: GuardedPort) {
  return others.map(
    (address) =>
      [address.includes(":") ? SOURCES.ip6 : SOURCES.ip, { link, mac, address }] as const,
  );
}

function addressesOf({ address, address6 }: GuardedPort): readonly string[] {
  return [address, address6].filter((each) => each !== "");
}

/** The address that an interface has on its link by its MAC address (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
  const [first = 0, ...octets] = mac.split(":").map((octet) => Number.parseInt(octet, 16));
  const id = [first ^ 2, ...octets.slice(0, 2), 0xff, 0xfe, ...octets.slice(2)];
  const words = [0, 2, 4, 6].map((at) => (((id[at] ?? 0) << 8) | (id[at + 1] ?? 0)).toString(16));
  return `fe80::${words.join(":")}`;
}
