import { isFault, type Log, ReadyPool } from "#base";
import type { Fd } from "#kernel";
import { AddressPool } from "./address-pool.ts";
import { type Bridge, type BridgeNames, ensureBridge, type WantedSubnet } from "./bridge.ts";
import { joinPlace, makePlace, type Place, type PlaceWithNamespace } from "./endpoint.ts";
import { parseIpv4 } from "./ipv4.ts";

export interface BridgeNetworkOptions {
  readonly names: BridgeNames;
  /** The network its bridge has or should have; asked whenever the bridge is made. */
  readonly wanted: () => WantedSubnet | undefined;
  /** The bridge has its network: rules and rows are to follow. What fails here fails the endpoint that needed it. */
  readonly onReady: (bridge: Bridge) => Promise<void>;
  /** Called before an endpoint is made: puts back rules that other programs took away. */
  readonly keep: () => Promise<void>;
  /** How many namespaces to make ahead. */
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
  readonly #inUse = new Set<number>();
  readonly #pool: ReadyPool<PlaceWithNamespace>;
  #ground: Promise<Ground> | undefined;
  #addresses: AddressPool | undefined;

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
    return this.#inUse.size > 0;
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

  async attach(): Promise<PlaceWithNamespace> {
    const place = await this.#pool.take();
    this.#inUse.add(numberOf(place));
    return place;
  }

  /** Another interface for a namespace that has one. */
  async join(netns: Fd, link: string): Promise<Place> {
    const place = await this.#build((options) =>
      joinPlace(options, { netns, link, isFirst: false }),
    );
    this.#inUse.add(numberOf(place));
    return place;
  }

  release(place: Pick<Place, "address">): void {
    const address = numberOf(place);
    this.#adopted.delete(address);
    this.#inUse.delete(address);
    this.#addresses?.release(address);
  }

  adopt(place: Pick<Place, "address">): void {
    const address = numberOf(place);
    this.#adopted.add(address);
    this.#inUse.add(address);
    this.#addresses?.adopt(address);
    this.#pool.evict((ready) => ready.address === place.address);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #prepare(): Promise<Ground> {
    const { names, wanted, onReady } = this.#options;
    const bridge = await ensureBridge(names, wanted());
    await onReady(bridge);
    const addresses = new AddressPool(bridge.subnet);
    for (const address of this.#adopted) addresses.adopt(address);
    this.#addresses = addresses;
    return { bridge, addresses };
  }

  /** Without giving back an address that turned out to have an owner. */
  #discard(place: PlaceWithNamespace): void {
    place.netns.close();
    const address = numberOf(place);
    if (!this.#adopted.has(address)) this.#addresses?.release(address);
  }

  async #make(): Promise<PlaceWithNamespace> {
    for (;;) {
      const place = await this.#build(makePlace);
      if (!this.#adopted.has(numberOf(place))) return place;
      // The address was adopted in the meantime.
      place.netns.close();
    }
  }

  async #build<T>(
    make: (options: { bridge: Bridge; address: number; gateway: string }) => Promise<T>,
  ): Promise<T> {
    const { bridge, addresses } = await this.ready();
    await this.#options.keep();
    const address = addresses.take();
    try {
      return await make({ bridge, address, gateway: addresses.gateway });
    } catch (error) {
      if (!this.#adopted.has(address)) addresses.release(address);
      // Someone deleted the bridge under us: make it again next time.
      if (isFault(error, "not_found") || isFault(error, "invalid")) this.#ground = undefined;
      throw error;
    }
  }
}

/** An address of a place; one that is not IPv4 belongs to no pool. */
function numberOf({ address }: Pick<Place, "address">): number {
  return parseIpv4(address) ?? 0;
}
