import { defined, Fault, isFault, type Log, ReadyPool } from "#base";
import { type Fd, type Link, RouteTable, type StackedKind } from "#kernel";
import { AddressPool } from "./address-pool.ts";
import { type Bridge, isThere } from "./bridge.ts";
import {
  type Addresses,
  type EndpointWish,
  firstWish,
  guardedPort,
  joinPlace,
  makePlace,
  type Place,
  type PlaceOptions,
  type PlaceWithNamespace,
  portName,
  rejoinBridge,
  removeInterface,
  removePort,
} from "./endpoint.ts";
import type { GuardedPort, SpoofGuard } from "./spoof-guard.ts";
import { containsAddress, formatSubnet, type Subnet } from "./subnet.ts";
import type { AddressPlan } from "./subnet-request.ts";

export interface BridgeNetworkOptions {
  /** Makes the bridge, or what stands in its place; `mac` is that of the one before. */
  readonly ensure: (mac?: string) => Promise<Bridge>;
  /** The kind of its containers' interfaces where they are no ports of a bridge. */
  readonly stacked?: StackedKind;
  /** Of the ports of its bridge; absent: its containers may send under any address. */
  readonly guard?: SpoofGuard;
  /** The addresses of a network that the bridge got. */
  readonly plan: (subnet: Subnet) => AddressPlan;
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

/** The addresses of one version. */
interface AddressBook {
  readonly plan: AddressPlan;
  readonly pool: AddressPool;
}

interface Ground {
  readonly bridge: Bridge;
  readonly books: readonly AddressBook[];
}

/** An endpoint by what it is known by while others may have its addresses. */
export type KnownPlace = Pick<Place, "address" | "address6" | "endpointId" | "mac"> &
  Pick<EndpointWish, "isTrusted"> &
  Pick<GuardedPort, "others">;

/** One bridge, or an interface in its place, and its address books. */
export class BridgeNetwork {
  readonly #options: BridgeNetworkOptions;
  readonly #adopted = new Set<string>();
  /** By the endpoint's id. */
  readonly #inUse = new Map<string, KnownPlace>();
  readonly #pool: ReadyPool<PlaceWithNamespace>;
  #joining = 0;
  /** Of those that join, the ones that may have taken addresses. */
  #placing = 0;
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

  /** Whether containers are in it, or on their way into it. */
  get isUsed(): boolean {
    return this.#inUse.size + this.#joining > 0;
  }

  /** Whether containers have addresses of it. One that is on its way in takes those that the network has then. */
  get hasMembers(): boolean {
    return this.#inUse.size + this.#placing > 0;
  }

  /** The index of the bridge, or of what stands in its place, once it was made. */
  get link(): number | undefined {
    return this.#last?.bridge.index;
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
    return [...this.#inUse.keys(), ...this.#pool.items.map(({ endpointId }) => endpointId)];
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
      await this.ready();
      return await this.#settle(make);
    } finally {
      this.#joining--;
    }
  }

  async #settle<T extends Place>(make: () => Promise<T>): Promise<T> {
    this.#placing++;
    try {
      const place = await make();
      this.#inUse.set(place.endpointId, place);
      return place;
    } finally {
      this.#placing--;
    }
  }

  /** Takes the interface out of a namespace that goes on, and gives the addresses back. */
  async leave(netns: Fd, place: KnownPlace & Pick<Place, "link">): Promise<void> {
    const isPort = this.#options.stacked === undefined && !this.#isAdopted(place);
    await (isPort ? removePort(place) : removeInterface(netns, place));
    this.release(place);
  }

  release(place: KnownPlace): void {
    for (const address of addressesOf(place)) this.#adopted.delete(address);
    this.#inUse.delete(place.endpointId);
    this.#forget(place);
  }

  adopt(place: KnownPlace): void {
    const addresses = addressesOf(place);
    for (const address of addresses) this.#adopted.add(address);
    this.#inUse.set(place.endpointId, place);
    if (!place.isTrusted) this.#options.guard?.adopt(guardedPort(place));
    for (const { pool } of this.#books) for (const address of addresses) pool.adopt(address);
    this.#pool.evict((ready) => addressesOf(ready).some((address) => addresses.includes(address)));
  }

  /** Whether any of its addresses belongs to a container of an earlier life of the engine. */
  #isAdopted(place: Pick<Addresses, "address" | "address6">): boolean {
    return addressesOf(place).some((address) => this.#adopted.has(address));
  }

  get #books(): readonly AddressBook[] {
    return this.#last?.books ?? [];
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
    const { ensure, plan, onReady } = this.#options;
    const before = this.#last;
    // With the same MAC address its containers find it at once.
    const bridge = await ensure(before?.bridge.mac);
    await onReady(bridge);
    const networks = (each: Bridge) => each.subnets.map(formatSubnet).join(" ");
    const isSame = before && networks(before.bridge) === networks(bridge);
    const books = isSame ? before.books : this.#newBooks(bridge.subnets.map(plan));
    this.#last = { bridge, books };
    const isNew = before !== undefined && before.bridge.index !== bridge.index;
    if (isNew) await this.rejoin(bridge, await new RouteTable().links());
    return this.#last;
  }

  #newBooks(plans: readonly AddressPlan[]): readonly AddressBook[] {
    const books = plans.map((plan) => ({ plan, pool: new AddressPool(plan) }));
    this.#pool.evict(() => true);
    const taken = [...this.#adopted, ...[...this.#inUse.values()].flatMap(addressesOf)];
    for (const { pool } of books) for (const address of taken) pool.adopt(address);
    return books;
  }

  /** But those that turned out to have an owner. */
  #giveBack(place: Pick<Addresses, "address" | "address6">): void {
    const free = addressesOf(place).filter((address) => !this.#adopted.has(address));
    for (const { pool } of this.#books) for (const address of free) pool.release(address);
  }

  #discard(place: PlaceWithNamespace): void {
    place.netns.close();
    this.#forget(place);
  }

  #forget(place: KnownPlace): void {
    void this.#options.guard?.forget(portName(place.endpointId));
    this.#giveBack(place);
  }

  async #make(): Promise<PlaceWithNamespace> {
    for (;;) {
      const place = await this.#place(firstWish);
      if (addressesOf(place).every((address) => this.#isGivable(address))) return place;
      this.#discard(place);
    }
  }

  /** Whether an address was not adopted, and the network not moved away from it, in the meantime. */
  #isGivable(address: string): boolean {
    const isOurs = this.#books.some(({ plan }) =>
      containsAddress(formatSubnet(plan.subnet), address),
    );
    return isOurs && !this.#adopted.has(address);
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
    const { isIsolated, stacked, guard: each } = this.#options;
    const guard = wish.isTrusted ? undefined : each;
    const { bridge, books } = await this.ready();
    const addresses = this.#takeAll(books, wish);
    try {
      return await make({ bridge, addresses, isIsolated, ...defined({ stacked, guard }), wish });
    } catch (error) {
      this.#giveBack(addresses);
      if (!mayTryAgain || (await isThere(bridge))) throw error;
    }
    // Another program deleted the bridge under us.
    await this.repair();
    return await this.#build(make, wish, false);
  }

  /** An address of each version, or of none. */
  #takeAll(books: readonly AddressBook[], wish: EndpointWish): Addresses {
    let addresses = noAddresses;
    try {
      for (const book of books) addresses = { ...addresses, ...this.#take(book, wish) };
      return addresses;
    } catch (error) {
      this.#giveBack(addresses);
      throw error;
    }
  }

  #take({ plan, pool }: AddressBook, wish: EndpointWish): Partial<Addresses> {
    const { version, prefixLength } = plan.subnet;
    const gateway = plan.way;
    if (version === 4)
      return { address: this.#takeFrom(pool, wish.address), prefixLength, gateway };
    const address6 = this.#takeFrom(pool, wish.address6);
    return { address6, prefixLength6: prefixLength, gateway6: gateway };
  }

  #takeFrom(pool: AddressPool, asked: string | undefined): string {
    if (asked !== undefined) return pool.takeExactly(asked);
    try {
      return pool.take();
    } catch (error) {
      if (!isFault(error, "exhausted")) throw error;
      throw new Fault("exhausted", `${error.message}: ${this.#options.what()}`, { cause: error });
    }
  }
}

const noAddresses: Addresses = {
  address: "",
  prefixLength: 0,
  gateway: "",
  address6: "",
  prefixLength6: 0,
  gateway6: "",
};

function addressesOf(place: Pick<Addresses, "address" | "address6">): readonly string[] {
  return [place.address, place.address6].filter((each) => each !== "");
}
