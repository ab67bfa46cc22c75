import { Fault, isFault, type Log, ReadyPool } from "#base";
import { type Fd, type Link, RouteTable } from "#kernel";
import { AddressPool } from "./address-pool.ts";
import {
  type Bridge,
  type BridgeNames,
  ensureBridge,
  isThere,
  type WantedBridge,
} from "./bridge.ts";
import {
  type EndpointWish,
  firstWish,
  joinPlace,
  makePlace,
  type Place,
  type PlaceOptions,
  type PlaceWithNamespace,
  rejoinBridge,
  removeInterface,
} from "./endpoint.ts";
import { formatIpv4, formatSubnet, parseIpv4, type Subnet } from "./ipv4.ts";
import type { AddressPlan } from "./subnet-request.ts";

export interface BridgeNetworkOptions {
  readonly names: BridgeNames;
  /** The form that its bridge has or should have; asked whenever the bridge is made. */
  readonly wanted: () => WantedBridge;
  /** The addresses of the network that the bridge got. */
  readonly plan: (subnet: Subnet) => AddressPlan;
  /** Nothing leaves the network. */
  readonly isInternal: boolean;
  /** Its containers are kept from each other. */
  readonly isIsolated: boolean;
  /** For messages: "front (ID)". */
  readonly what: () => string;
  /** The bridge has its network: rules and rows are to follow. What fails here fails the endpoint that needed it. */
  readonly onReady: (bridge: Bridge) => Promise<void>;
  /** A new namespace with `lo`. */
  readonly namespace: () => Promise<Fd>;
  /** How many namespaces with an endpoint to make ahead. */
  readonly endpointsReady: number;
  readonly log: Log;
}

interface Ground {
  readonly bridge: Bridge;
  readonly addresses: AddressPool;
}

/** One bridge and its address book. */
export class BridgeNetwork {
  readonly #options: BridgeNetworkOptions;
  readonly #adopted = new Set<number>();
  /** By address, the endpoint's id. */
  readonly #inUse = new Map<number, string>();
  readonly #pool: ReadyPool<PlaceWithNamespace>;
  #joining = 0;
  #ground: Promise<Ground> | undefined;
  #last: Ground | undefined;

  constructor(options: BridgeNetworkOptions) {
    this.#options = options;
    this.#pool = new ReadyPool({
      size: options.endpointsReady,
      make: () => this.#make(),
      discard: (place) => this.#discard(place),
      log: options.log,
      what: "container networks",
    });
  }

  /** Whether containers have addresses of it. */
  get isUsed(): boolean {
    return this.#inUse.size + this.#joining > 0;
  }

  fill(): Promise<void> {
    return this.#pool.fill();
  }

  /** The bridge and its rules, made on first need; a failure is not kept, the next one tries again. */
  ready(): Promise<Ground> {
    this.#ground ??= this.#prepare().catch((error) => {
      this.#ground = undefined;
      throw error;
    });
    return this.#ground;
  }

  /** The ids of the endpoints that containers have, and of those made ahead. */
  get ports(): readonly string[] {
    return [...this.#inUse.values(), ...this.#pool.items.map(({ endpointId }) => endpointId)];
  }

  /** In a new namespace, or in one made ahead when nothing special is wished for. */
  attach(wish: EndpointWish = firstWish): Promise<PlaceWithNamespace> {
    return this.#use(() => (wish === firstWish ? this.#pool.take() : this.#place(wish)));
  }

  /** Another interface for a namespace that may have some. */
  join(netns: Fd, wish: EndpointWish): Promise<Place> {
    return this.#use(() => this.#build((options) => joinPlace(options, netns), wish));
  }

  /** The network is in use from the beginning, so that it is not removed meanwhile. */
  async #use<T extends Place>(make: () => Promise<T>): Promise<T> {
    this.#joining++;
    try {
      const place = await make();
      this.#inUse.set(numberOf(place), place.endpointId);
      return place;
    } finally {
      this.#joining--;
    }
  }

  /** Takes the interface out of a namespace that goes on, and gives the address back. */
  async leave(netns: Fd, place: Pick<Place, "address" | "mac">): Promise<void> {
    await removeInterface(netns, place.mac);
    this.release(place);
  }

  release(place: Pick<Place, "address">): void {
    const address = numberOf(place);
    this.#adopted.delete(address);
    this.#inUse.delete(address);
    this.#last?.addresses.release(address);
  }

  adopt(place: Pick<Place, "address" | "endpointId">): void {
    const address = numberOf(place);
    this.#adopted.add(address);
    this.#inUse.set(address, place.endpointId);
    this.#last?.addresses.adopt(address);
    this.#pool.evict((ready) => ready.address === place.address);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Makes a bridge again that another program deleted or whose address it took; nothing is done for one that nobody has needed yet. */
  async repair(): Promise<void> {
    if (this.#last === undefined) return;
    this.#ground = undefined;
    await this.ready();
  }

  /** Puts the interfaces of containers that are among `links`, and not on the bridge, back on it. */
  async rejoin(bridge: Pick<Bridge, "index">, links: readonly Link[]): Promise<void> {
    await rejoinBridge({ bridge, isIsolated: this.#options.isIsolated }, this.ports, links);
  }

  async #prepare(): Promise<Ground> {
    const { names, wanted, plan, onReady } = this.#options;
    const before = this.#last;
    // With the same MAC address its containers find it at once.
    const mac = before && { mac: before.bridge.mac };
    const bridge = await ensureBridge(names, { ...wanted(), ...mac });
    await onReady(bridge);
    const isSame = before && formatSubnet(before.bridge.subnet) === formatSubnet(bridge.subnet);
    const addresses = isSame ? before.addresses : this.#newAddresses(plan(bridge.subnet));
    this.#last = { bridge, addresses };
    const isNew = before !== undefined && before.bridge.index !== bridge.index;
    if (isNew) await this.rejoin(bridge, await new RouteTable().links());
    return this.#last;
  }

  #newAddresses(plan: AddressPlan): AddressPool {
    const addresses = new AddressPool(plan);
    this.#pool.evict(() => true);
    for (const address of [...this.#adopted, ...this.#inUse.keys()]) addresses.adopt(address);
    return addresses;
  }

  /** Without giving back an address that turned out to have an owner. */
  #discard(place: PlaceWithNamespace): void {
    place.netns.close();
    const address = numberOf(place);
    if (!this.#adopted.has(address)) this.#last?.addresses.release(address);
  }

  async #make(): Promise<PlaceWithNamespace> {
    for (;;) {
      const place = await this.#place(firstWish);
      if (!this.#adopted.has(numberOf(place))) return place;
      // The address was adopted in the meantime.
      place.netns.close();
    }
  }

  #place(wish: EndpointWish): Promise<PlaceWithNamespace> {
    const { namespace } = this.#options;
    return this.#build(async (options) => makePlace(options, await namespace()), wish);
  }

  async #build<T>(
    make: (options: PlaceOptions) => Promise<T>,
    wish: EndpointWish,
    mayTryAgain = true,
  ): Promise<T> {
    const { plan, isInternal, isIsolated } = this.#options;
    const { bridge, addresses } = await this.ready();
    const address = this.#take(addresses, wish.address);
    const gateway = isInternal ? "" : formatIpv4(plan(bridge.subnet).gateway);
    try {
      return await make({ bridge, address, gateway, isIsolated, wish });
    } catch (error) {
      if (!this.#adopted.has(address)) addresses.release(address);
      if (!mayTryAgain || (await isThere(bridge))) throw error;
    }
    // Another program deleted the bridge under us.
    await this.repair();
    return await this.#build(make, wish, false);
  }

  #take(addresses: AddressPool, asked: string | undefined): number {
    if (asked !== undefined) {
      const address = numberOf({ address: asked });
      addresses.takeExactly(address);
      return address;
    }
    try {
      return addresses.take();
    } catch (error) {
      if (!isFault(error, "exhausted")) throw error;
      throw new Fault("exhausted", `${error.message}: ${this.#options.what()}`, { cause: error });
    }
  }
}

/** An address of a place; one that is not IPv4 belongs to no pool. */
function numberOf({ address }: Pick<Place, "address">): number {
  return parseIpv4(address) ?? 0;
}
