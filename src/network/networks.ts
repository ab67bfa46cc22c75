import { createHash } from "node:crypto";
import { Fault, faultOf, type Log, ReadyPool, silentLog, systemClock } from "#base";
import type { Fd } from "#kernel";
import { type Bridge, type BridgeNames, bridgeNames, type WantedSubnet } from "./bridge.ts";
import { BridgeNetwork } from "./bridge-network.ts";
import type {
  Endpoint,
  KnownEndpoint,
  NetworkDescription,
  Networks,
  NetworksOptions,
} from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import { makeIsolated } from "./endpoint.ts";
import { HostRules } from "./host-rules.ts";
import { formatIpv4, formatSubnet, parseSubnet } from "./ipv4.ts";
import { NetworkStore, type StoredNetwork } from "./network-store.ts";

const ENDPOINTS_READY = 4;
const ISOLATED_READY = 2;
/** The network of a container that names none. */
const DEFAULT = "bridge";
/** Docker's networks without a bridge, and their drivers. */
const plain = { host: "host", none: "null" } as const;

interface Entry {
  row: StoredNetwork;
  readonly names: BridgeNames;
  readonly network: BridgeNetwork;
}

class BridgeNetworks implements Networks {
  readonly #options: NetworksOptions;
  readonly #log: Log;
  readonly #store: NetworkStore;
  readonly #rules: HostRules;
  readonly #entries = new Map<string, Entry>();
  readonly #making = new Set<string>();
  readonly #isolated: ReadyPool<Fd>;
  #filling: Promise<void> | undefined;

  constructor(options: NetworksOptions) {
    const { state, instanceId, runRoot, log = silentLog } = options;
    this.#options = options;
    this.#log = log;
    this.#store = new NetworkStore(state);
    this.#rules = new HostRules({ runRoot, store: this.#store, log });
    this.#isolated = new ReadyPool({
      size: ISOLATED_READY,
      make: makeIsolated,
      discard: (netns) => netns.close(),
      log,
      what: "isolated networks",
    });
    const rows = this.#store.all();
    if (!rows.some((row) => row.name === DEFAULT)) {
      const id = fixedId("network", instanceId);
      const row = { id, name: DEFAULT, createdAt: systemClock.now(), subnet: "" };
      this.#store.insert(row);
      rows.push(row);
    }
    for (const row of rows) this.#add(row);
  }

  /**
   * Makes ready in the background what a start will need. A failure is not told here: the same step
   * fails again, with its reason, when it is needed.
   */
  fill(): Promise<void> {
    this.#filling ??= this.#fill();
    return this.#filling;
  }

  async #fill(): Promise<void> {
    const others = [...this.#entries.values()].filter(({ row }) => row.name !== DEFAULT);
    await Promise.all([this.#bridge(DEFAULT).network.fill(), this.#isolated.fill()]);
    for (const { row, network } of others) {
      try {
        await network.ready();
      } catch (error) {
        const { message } = faultOf(error);
        this.#log.warn(`cannot prepare the network ${row.name}`, { error: message });
      }
    }
  }

  list(): readonly NetworkDescription[] {
    const bridges = [...this.#entries.values()].sort(byAge).map(describe);
    const fixed = Object.entries(plain).map(([name, driver]) => ({
      id: fixedId(`network ${name}`, this.#options.instanceId),
      name,
      driver,
      bridge: "",
      subnet: "",
      gateway: "",
    }));
    return [...bridges.slice(0, 1), ...fixed, ...bridges.slice(1)];
  }

  find(ref: string): NetworkDescription {
    const all = this.list();
    const found = all.find(({ name }) => name === ref) ?? all.find(({ id }) => id === ref);
    if (found === undefined)
      throw new Fault("not_found", `network ${ref} not found`, { about: ref });
    return found;
  }

  async create(request: { name: string; subnet?: string }): Promise<NetworkDescription> {
    const { name } = request;
    const subnet = request.subnet === undefined ? "" : formatSubnet(parseSubnet(request.subnet));
    if (this.#making.has(name) || this.list().some((each) => each.name === name))
      throw new Fault("exists", `network with name ${name} already exists`, { about: name });
    this.#making.add(name);
    const id = createHash("sha256").update(crypto.randomUUID()).digest("hex");
    const entry = this.#add({ id, name, createdAt: systemClock.now(), subnet });
    try {
      await entry.network.ready();
      this.#store.insert(entry.row);
    } catch (error) {
      this.#entries.delete(id);
      await this.#dismantle(entry);
      throw error;
    } finally {
      this.#making.delete(name);
    }
    crashPoint("network:recorded");
    return describe(entry);
  }

  async remove(ref: string): Promise<void> {
    const { id, name } = this.find(ref);
    const entry = this.#entries.get(id);
    if (entry === undefined || name === DEFAULT)
      throw new Fault("conflict", `${name} is a pre-defined network and cannot be removed`, {
        about: name,
      });
    if (entry.network.isUsed)
      throw new Fault("conflict", `network ${name} has active endpoints`, { about: name });
    this.#store.delete(id);
    this.#entries.delete(id);
    crashPoint("network:row-deleted");
    await this.#dismantle(entry);
  }

  async ready(ref: string): Promise<NetworkDescription> {
    const entry = this.#bridge(ref);
    await entry.network.ready();
    return describe(entry);
  }

  async attach(ref: string): Promise<Endpoint> {
    const { row, network } = this.#bridge(ref);
    return { networkId: row.id, ...(await network.attach()) };
  }

  async join(ref: string, netns: Fd, link: string): Promise<Endpoint> {
    const { row, network } = this.#bridge(ref);
    return { networkId: row.id, netns, ...(await network.join(netns, link)) };
  }

  isolated(): Promise<Fd> {
    return this.#isolated.take();
  }

  release(endpoint: KnownEndpoint): void {
    endpoint.netns?.close();
    this.#entries.get(endpoint.networkId)?.network.release(endpoint);
  }

  adopt(endpoint: KnownEndpoint): void {
    this.#entries.get(endpoint.networkId)?.network.adopt(endpoint);
  }

  async close({ removeBridges }: { readonly removeBridges: boolean }): Promise<void> {
    const entries = [...this.#entries.values()];
    await Promise.all([this.#isolated.close(), ...entries.map(({ network }) => network.close())]);
    await this.#filling;
    if (removeBridges) await this.#rules.removeAll(entries.map(({ names }) => names.bridge));
  }

  #add(row: StoredNetwork): Entry {
    const { runRoot } = this.#options;
    const isDefault = row.name === DEFAULT;
    const names = isDefault ? bridgeNames(runRoot) : bridgeNames(runRoot, row.id);
    const entry: Entry = {
      row,
      names,
      network: new BridgeNetwork({
        names,
        wanted: () => this.#wanted(entry),
        onReady: (bridge) => this.#establish(entry, bridge),
        keep: () => this.#rules.keep(() => this.#bridges()),
        endpointsReady: isDefault ? ENDPOINTS_READY : 0,
        log: this.#log,
      }),
    };
    this.#entries.set(row.id, entry);
    return entry;
  }

  /** A bridge network by name or id. */
  #bridge(ref: string): Entry {
    const { id, name } = this.find(ref);
    const entry = this.#entries.get(id);
    if (entry === undefined)
      throw new Fault("invalid", `the network ${name} has no bridge to attach to`, { about: name });
    return entry;
  }

  /**
   * The default network moves when the host took its addresses meanwhile; others keep those that
   * they were made with.
   */
  #wanted({ row }: Entry): WantedSubnet | undefined {
    const asked = row.name === DEFAULT ? this.#options.subnet : undefined;
    if (asked !== undefined) return { subnet: parseSubnet(asked), isFixed: true };
    if (row.subnet === "") return undefined;
    return { subnet: parseSubnet(row.subnet), isFixed: row.name !== DEFAULT };
  }

  async #establish(entry: Entry, bridge: Bridge): Promise<void> {
    const isNew = this.#making.has(entry.row.name);
    if (isNew) crashPoint("network:bridge-made");
    const known = [...this.#entries.values()].map(({ names }) => names.bridge);
    await this.#rules.establish(bridge, known);
    if (isNew) crashPoint("network:rules-made");
    const subnet = formatSubnet(bridge.subnet);
    if (entry.row.subnet === subnet) return;
    entry.row = { ...entry.row, subnet };
    this.#store.setSubnet(entry.row.id, subnet);
  }

  /** The bridges that have been made. */
  #bridges(): { readonly name: string; readonly subnet: Bridge["subnet"] }[] {
    return [...this.#entries.values()]
      .filter(({ row }) => row.subnet !== "")
      .map(({ row, names }) => ({ name: names.bridge, subnet: parseSubnet(row.subnet) }));
  }

  async #dismantle({ names, network }: Entry): Promise<void> {
    await network.close();
    await this.#rules.removeBridge(names.bridge);
  }
}

/** The id of a network that always exists: the same in every life of an instance. */
function fixedId(what: string, instanceId: string): string {
  return createHash("sha256").update(`${what} ${instanceId}`).digest("hex");
}

/** The default network first, then in the order they were made. */
function byAge(a: Entry, b: Entry): number {
  const rank = (entry: Entry) => (entry.row.name === DEFAULT ? 0n : entry.row.createdAt);
  return Number(rank(a) - rank(b));
}

function describe({ row, names }: Entry): NetworkDescription {
  const { id, name, subnet } = row;
  return {
    id,
    name,
    driver: "bridge",
    bridge: names.bridge,
    subnet,
    gateway: subnet === "" ? "" : formatIpv4(parseSubnet(subnet).base + 1),
  };
}

/**
 * Opens the networks of an instance. Bridges and the first namespaces are made in the
 * background; where that fails, `attach` says why, and `isolated` works all the same.
 */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  const networks = new BridgeNetworks(options);
  void networks.fill();
  return networks;
}
