import { createHash } from "node:crypto";
import {
  defined,
  Fault,
  faultOf,
  type IpVersion,
  type Log,
  ReadyPool,
  silentLog,
  systemClock,
} from "#base";
import { type Fd, RouteTable } from "#kernel";
import { defaultCandidates, ipv6Candidates, smallCandidates } from "./address-pool.ts";
import { type Bridge, bridgeNames, type WantedBridge, type WantedSubnet } from "./bridge.ts";
import { bridgeDriver } from "./bridge-driver.ts";
import { BridgeNetwork } from "./bridge-network.ts";
import { settleVersions } from "./bridge-options.ts";
import { ConfigurationNetworks, newNetworkId } from "./configuration-networks.ts";
import type {
  BlockedEgress,
  Endpoint,
  KnownEndpoint,
  NetworkDescription,
  NetworkRequest,
  Networks,
  NetworksOptions,
} from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import {
  checkNetworkDefaults,
  defaultSubnet,
  poolCandidates,
  withNetworkDefaults,
} from "./default-bridge.ts";
import {
  type EndpointWish,
  guardedPort,
  makeIsolated,
  portName,
  sweepPorts,
  sweepStacked,
} from "./endpoint.ts";
import type { FilteredBridge } from "./firewall.ts";
import { HostRules } from "./host-rules.ts";
import { checkIpv6, planOf, plansOf, versionsOf } from "./network-addresses.ts";
import type { NetworkDriver } from "./network-driver.ts";
import { byAge, DEFAULT, describe, type Entry, filtered } from "./network-entry.ts";
import {
  type NetworkSettings,
  NetworkStore,
  plainSettings,
  type StoredNetwork,
} from "./network-store.ts";
import { NetworkWatch, type WatchedNetwork } from "./network-watch.ts";
import { overlapText } from "./route-overlap.ts";
import { formatSubnet, parseSubnet, type Subnet } from "./subnet.ts";
import { checkSubnets, planAddresses, requestOf } from "./subnet-request.ts";
import { vlanDriver } from "./vlan-driver.ts";

const ENDPOINTS_READY = 4;
const ISOLATED_READY = 2;
/** Docker's networks without a bridge, and their drivers. */
const plain = { host: "host", none: "null" } as const;

class BridgeNetworks implements Networks {
  readonly #options: NetworksOptions;
  readonly #log: Log;
  readonly #store: NetworkStore;
  readonly #rules: HostRules;
  readonly #watch: NetworkWatch;
  readonly #entries = new Map<string, Entry>();
  readonly #configurations: ConfigurationNetworks;
  readonly #making = new Set<string>();
  readonly #isolated: ReadyPool<Fd>;
  /** Until a network comes, goes or gets its subnets. */
  #watchedNow: readonly WatchedNetwork[] | undefined;
  #filling: Promise<void> | undefined;

  constructor(options: NetworksOptions) {
    const { state, instanceId, runRoot, log = silentLog } = options;
    this.#options = options;
    this.#log = log;
    this.#store = new NetworkStore(state);
    this.#configurations = new ConfigurationNetworks(this.#store);
    this.#rules = new HostRules({
      ...{ runRoot, store: this.#store, log },
      bridges: () => this.#bridges(),
    });
    this.#watch = new NetworkWatch({ networks: () => this.#watched(), log });
    this.#isolated = new ReadyPool({
      size: ISOLATED_READY,
      make: makeIsolated,
      discard: (netns) => netns.close(),
      log,
      what: "isolated networks",
    });
    const rows = this.#configurations.take(this.#store.all());
    if (!rows.some((row) => row.name === DEFAULT)) {
      const id = fixedId("network", instanceId);
      const createdAt = systemClock.now();
      const row = { id, name: DEFAULT, createdAt, subnets: [], settings: plainSettings };
      this.#store.insert(row);
      rows.push(row);
    }
    const { defaults = {} } = options;
    checkNetworkDefaults(defaults);
    for (const stored of rows) {
      const row = stored.name === DEFAULT ? withNetworkDefaults(stored, defaults) : stored;
      if (row.name === DEFAULT && row.settings.hasIpv6) checkIpv6(row.settings);
      this.#add(row);
    }
  }

  /** A failure is not told here: the same step fails again, with its reason, when it is needed. */
  prepare(): void {
    this.#filling ??= this.#fill();
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
    const made = [...this.#made().map(describe), ...this.#configurations.list()].sort(byAge);
    const fixed = Object.keys(plain).map((name) => this.#describePlain(name));
    return [...made.slice(0, 1), ...fixed, ...made.slice(1)];
  }

  /** Without those that are being made, which may yet fail. */
  #made(): Entry[] {
    return [...this.#entries.values()].filter(({ row }) => !this.#making.has(row.name));
  }

  #describePlain(name: string): NetworkDescription {
    return {
      ...plainSettings,
      id: this.#plainId(name),
      name,
      driver: plain[name as keyof typeof plain],
      createdAt: this.#default.row.createdAt,
      isPredefined: true,
      bridge: "",
      subnet: "",
      gateway: "",
      subnet6: "",
      gateway6: "",
      hostBinding: "",
      linkPrefix: "eth",
    };
  }

  #plainId(name: string): string {
    return fixedId(`network ${name}`, this.#options.instanceId);
  }

  find(ref: string): NetworkDescription {
    // By the id, as the engine itself names them, the many others are not looked at.
    const exact = this.#entries.get(ref);
    if (exact && !this.#making.has(exact.row.name)) return describe(exact);
    const all = [
      ...this.#made().map((entry) => ({ ...entry.row, describe: () => describe(entry) })),
      ...this.#configurations.list().map((each) => ({ ...each, describe: () => each })),
      ...Object.keys(plain).map((name) => ({
        ...{ id: this.#plainId(name), name },
        describe: () => this.#describePlain(name),
      })),
    ];
    const found = all.find(({ id }) => id === ref) ?? all.find(({ name }) => name === ref);
    const begun = found || ref === "" ? [] : all.filter(({ id }) => id.startsWith(ref));
    if (begun.length > 1)
      throw new Fault(
        "invalid",
        `network ${ref} is ambiguous (${begun.length} matches found based on ID prefix)`,
        { about: ref },
      );
    const one = found ?? begun[0];
    if (one === undefined) throw new Fault("not_found", `network ${ref} not found`, { about: ref });
    return one.describe();
  }

  async create({ name, ...request }: NetworkRequest): Promise<NetworkDescription> {
    const asked = this.#configurations.applied(request);
    const settings: NetworkSettings = {
      ...plainSettings,
      ...settleVersions({ options: {}, ...asked }),
    };
    const versions = versionsOf(settings);
    checkSubnets(settings.subnets, versions);
    this.#requireFree(name);
    if (settings.isConfigOnly) return this.#configurations.create(name, settings);
    if (settings.hasIpv6) checkIpv6(settings);
    const subnets = versions.flatMap((version) => {
      const request = requestOf(settings.subnets, version);
      return request ? [planAddresses(parseSubnet(request.subnet), request).subnet] : [];
    });
    const id = newNetworkId();
    const row = { id, name, createdAt: systemClock.now(), subnets, settings };
    const driver = this.#driverOf(row);
    driver.refuseBeside([...this.#entries.values()]);
    this.#making.add(name);
    const entry = this.#add(row, driver);
    try {
      await entry.network.ready();
      this.#store.insert(entry.row);
    } catch (error) {
      this.#forget(id);
      await this.#dismantle(entry);
      throw error;
    } finally {
      this.#making.delete(name);
    }
    crashPoint("network:recorded");
    return describe(entry);
  }

  #requireFree(name: string): void {
    const isTaken =
      name in plain ||
      this.#configurations.has(name) ||
      [...this.#entries.values()].some(({ row }) => row.name === name);
    if (isTaken)
      throw new Fault("exists", `network with name ${name} already exists`, { about: name });
  }

  async remove(ref: string): Promise<void> {
    const { id, name, isConfigOnly } = this.find(ref);
    if (isConfigOnly) {
      const users = [...this.#entries.values()].map(({ row }) => row.settings.configFrom);
      return this.#configurations.remove(id, users);
    }
    const entry = this.#entries.get(id);
    if (entry === undefined || name === DEFAULT)
      throw new Fault("denied", `${name} is a pre-defined network and cannot be removed`, {
        about: name,
      });
    if (entry.network.isUsed)
      throw new Fault(
        "denied",
        `error while removing network: network ${name} has active endpoints`,
        { about: name },
      );
    this.#store.delete(id);
    this.#forget(id);
    crashPoint("network:row-deleted");
    await this.#dismantle(entry);
  }

  blockedEgress(ref: string): readonly BlockedEgress[] {
    const { bridge, isInternal, ...settings } = this.find(ref);
    if (bridge === "" || isInternal) return [];
    return versionsOf(settings).flatMap(
      (version) => this.#rules.forwardPolicy(version)?.blocking(bridge) ?? [],
    );
  }

  async ready(ref: string): Promise<NetworkDescription> {
    const entry = this.#bridge(ref);
    await entry.network.ready();
    return describe(entry);
  }

  async attach(ref: string, wish?: EndpointWish): Promise<Endpoint> {
    const { row, network } = this.#bridge(ref);
    return { networkId: row.id, ...(await network.attach(wish)) };
  }

  async join(ref: string, netns: Fd, wish: EndpointWish): Promise<Endpoint> {
    const { row, network } = this.#bridge(ref);
    return { networkId: row.id, netns, ...(await network.join(netns, wish)) };
  }

  async leave(netns: Fd, endpoint: Parameters<Networks["leave"]>[1]): Promise<void> {
    await this.#entries.get(endpoint.networkId)?.network.leave(netns, endpoint);
  }

  isolated(): Promise<Fd> {
    return this.#isolated.take();
  }

  release(endpoint: KnownEndpoint): void {
    endpoint.netns?.close();
    this.#entries.get(endpoint.networkId)?.network.release(endpoint);
  }

  async shareAddresses(endpoints: readonly KnownEndpoint[]): Promise<void> {
    if (endpoints.length > 1) await this.#rules.guard.share(endpoints.map(guardedPort));
  }

  refusedFrames({ endpointId }: Pick<KnownEndpoint, "endpointId">) {
    return this.#rules.guard.refused(portName(endpointId));
  }

  adopt(endpoint: KnownEndpoint): void {
    this.#entries.get(endpoint.networkId)?.network.adopt(endpoint);
  }

  async sweep(): Promise<number> {
    const entries = [...this.#entries.values()];
    const bridged = entries.filter(({ driver }) => driver.stacked === undefined);
    const bridges = new Set(bridged.map(({ driver }) => driver.link));
    // What is being made ahead must have its name in the list of those that are known.
    await this.#filling;
    const links = await new RouteTable().links();
    for (const { driver, network } of bridged) {
      const index = links.find(({ name }) => name === driver.link)?.index;
      if (index !== undefined) await network.rejoin({ index }, links);
    }
    const masters = links.filter(({ name }) => bridges.has(name)).map(({ index }) => index);
    const known = entries.flatMap(({ network }) => network.ports.map(portName));
    return await sweepPorts(new Set(masters), new Set(known));
  }

  async sweepInside(netns: Fd): Promise<number> {
    const stacked = [...this.#entries.values()].filter(({ driver }) => driver.stacked);
    if (stacked.length === 0) return 0;
    return await sweepStacked(netns, new Set(stacked.flatMap(({ network }) => network.ports)));
  }

  async warnings(): Promise<readonly string[]> {
    return (await this.#watch.overlaps()).map(overlapText);
  }

  async close({ removeBridges }: { readonly removeBridges: boolean }): Promise<void> {
    const entries = [...this.#entries.values()];
    await Promise.all([this.#isolated.close(), ...entries.map(({ network }) => network.close())]);
    await this.#filling;
    await this.#watch[Symbol.asyncDispose]();
    await this.#rules.close();
    if (removeBridges) await this.#rules.removeAll();
  }

  #driverOf({ id, name, settings }: StoredNetwork): NetworkDriver {
    const { runRoot } = this.#options;
    const namesOf = (link?: string) =>
      name === DEFAULT ? bridgeNames(runRoot) : bridgeNames(runRoot, id, link);
    return settings.driver === "bridge"
      ? bridgeDriver(settings.options, namesOf)
      : vlanDriver({ id, kind: settings.driver }, settings.options, namesOf);
  }

  #add(row: StoredNetwork, driver = this.#driverOf(row)): Entry {
    const isDefault = row.name === DEFAULT;
    const entry: Entry = {
      row,
      driver,
      network: new BridgeNetwork({
        ensure: (mac) => driver.ensure({ ...this.#wanted(entry), ...defined({ mac }) }),
        ...defined({ stacked: driver.stacked }),
        ...(driver.checksSources && { guard: this.#rules.guard }),
        plan: (subnet) => planOf(row, subnet),
        isIsolated: driver.filter?.connectsContainers === false,
        what: () => `${row.name} (${row.id})`,
        onReady: (bridge) => this.#establish(entry, bridge),
        // The default network makes its own ahead.
        namespace: isDefault ? makeIsolated : () => this.#isolated.take(),
        endpointsReady: isDefault ? ENDPOINTS_READY : 0,
        log: this.#log,
      }),
    };
    this.#entries.set(row.id, entry);
    this.#watchedNow = undefined;
    return entry;
  }

  #forget(id: string): void {
    this.#entries.delete(id);
    this.#watchedNow = undefined;
  }

  get #default(): Entry {
    const found = [...this.#entries.values()].find(({ row }) => row.name === DEFAULT);
    if (found === undefined) throw new Fault("internal", "the default network has no row");
    return found;
  }

  /** A bridge network by name or id. */
  #bridge(ref: string): Entry {
    if (ref === DEFAULT) return this.#default;
    const { id, name, isConfigOnly } = this.find(ref);
    if (isConfigOnly)
      throw new Fault("denied", "cannot create endpoint on configuration-only network", {
        about: name,
      });
    const entry = this.#entries.get(id);
    if (entry === undefined)
      throw new Fault("invalid", `the network ${name} has no bridge to attach to`, { about: name });
    return entry;
  }

  /**
   * The default network moves when the host took its addresses meanwhile; others keep those that
   * they were made with.
   */
  #wanted(entry: Entry): WantedBridge {
    const { row } = entry;
    const others = [...this.#entries.values()].filter(
      (other) => other !== entry && other.driver.stacked === undefined,
    );
    return {
      subnets: versionsOf(row.settings).map((version) => this.#wantedSubnet(entry, version)),
      others: new Set(others.flatMap(({ network }) => network.link ?? [])),
      ...(!this.#making.has(row.name) && { owner: `the network ${row.name}` }),
    };
  }

  #wantedSubnet({ row, driver, network }: Entry, version: IpVersion): WantedSubnet {
    const isDefault = row.name === DEFAULT;
    const { subnet: wanted, defaults = {} } = this.#options;
    const chosen = (version === 4 ? wanted : undefined) ?? defaultSubnet(defaults, version);
    const asked = isDefault ? chosen : undefined;
    const ofVersion = (each: Subnet) => each.version === version;
    const known = asked === undefined ? row.subnets.find(ofVersion) : parseSubnet(asked);
    const others = [...this.#entries.values()].filter((other) => other.row.id !== row.id);
    const candidates = isDefault ? defaultCandidates : smallCandidates;
    return {
      version,
      ...defined({ subnet: known }),
      isFixed: asked !== undefined || (known !== undefined && (!isDefault || network.hasMembers)),
      candidates: () =>
        poolCandidates(defaults, version) ??
        (version === 4 ? candidates : ipv6Candidates(this.#options.instanceId)),
      taken: others.flatMap((other) => other.row.subnets.filter(ofVersion)),
      gatewayIn: (subnet: Subnet) => planOf(row, subnet).gateway,
      hasAddress: version === 6 || driver.hasAddress,
    };
  }

  async #establish(entry: Entry, bridge: Bridge): Promise<void> {
    const isNew = this.#making.has(entry.row.name);
    if (isNew) crashPoint("network:bridge-made");
    const known = [...this.#entries.values()].map(({ driver }) => driver.link);
    for (const own of filtered(entry, bridge)) await this.#rules.establish(own, known);
    if (isNew) crashPoint("network:rules-made");
    const { row } = entry;
    const texts = (subnets: readonly Subnet[]) => subnets.map(formatSubnet).join(" ");
    if (texts(row.subnets) === texts(bridge.subnets)) return;
    entry.row = { ...row, subnets: bridge.subnets };
    this.#watchedNow = undefined;
    this.#store.setSubnets(entry.row);
  }

  /** Those whose bridges have been made, or whose networks are known. */
  #established(): Entry[] {
    return [...this.#entries.values()].filter(
      ({ row, driver }) => driver.filter && row.subnets.length === versionsOf(row.settings).length,
    );
  }

  #bridges(): FilteredBridge[] {
    return this.#established().flatMap((entry) =>
      filtered(entry, { name: entry.driver.link, subnets: entry.row.subnets }),
    );
  }

  #watched(): readonly WatchedNetwork[] {
    this.#watchedNow ??= this.#established().flatMap(({ row, driver, network }) => {
      const repair = () => network.repair();
      return plansOf(row).map(({ subnet, gateway }) => {
        return { name: row.name, bridge: driver.link, subnet, gateway, repair };
      });
    });
    return this.#watchedNow;
  }

  async #dismantle({ driver: { link }, network }: Entry): Promise<void> {
    await network.close();
    // Networks can share a parent.
    const isShared = [...this.#entries.values()].some(({ driver }) => driver.link === link);
    if (!isShared) await this.#rules.removeBridge(link);
  }
}

/** The id of a network that always exists: the same in every life of an instance. */
function fixedId(what: string, instanceId: string): string {
  return createHash("sha256").update(`${what} ${instanceId}`).digest("hex");
}

/**
 * Opens the networks of an instance. Bridges and the first namespaces are made in the
 * background; where that fails, `attach` says why, and `isolated` works all the same.
 */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  return new BridgeNetworks(options);
}
