import { setTimeout as delay } from "node:timers/promises";
import { faultOf, type Log } from "#base";
import { type Link, type Route, type RouteNotices, RouteTable, watchRoutes } from "#kernel";
import {
  overlapText,
  type RoutedNetwork,
  type RouteOverlap,
  routedSubnet,
  routeOverlaps,
} from "./route-overlap.ts";
import { overlaps, type Subnet } from "./subnet.ts";

/** What changes a bridge or a route comes in several notices. */
const courtesyMs = 20;
/** So that a routing daemon cannot fill the log. */
const MAX_TOLD = 100;
const FEW_LINKS = 16;

export interface WatchedNetwork extends RoutedNetwork {
  /** The bridge's address. */
  readonly gateway: string;
  /** Makes the bridge again. */
  repair(): Promise<void>;
}

export interface NetworkWatchOptions {
  /** Those that have a bridge; another list when any of them changed. */
  readonly networks: () => readonly WatchedNetwork[];
  readonly log: Log;
}

interface KnownNetworks {
  readonly networks: readonly WatchedNetwork[];
  readonly gateways: ReadonlySet<string>;
  readonly isTaken: (route: Route) => boolean;
}

/**
 * Watches what other programs do to the addresses and routes of the host: a bridge that is deleted,
 * or loses its address, is repaired, and a route that overlaps with a network is told, once.
 */
export class NetworkWatch implements AsyncDisposable {
  readonly #options: NetworkWatchOptions;
  readonly #told = new Set<string>();
  #known: KnownNetworks | undefined;
  #watch: Disposable | undefined;
  #work: Promise<void> = Promise.resolve();
  #robbed = new Set<string>();
  #routes: Route[] = [];
  #isDue = false;
  #isClosed = false;

  constructor(options: NetworkWatchOptions) {
    this.#options = options;
    this.#start();
  }

  /** Resolves when the last repair has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#watch?.[Symbol.dispose]();
    await this.#work;
  }

  /** The routes that overlap with networks now. */
  async overlaps(): Promise<readonly RouteOverlap[]> {
    const host = new RouteTable();
    const [ipv4, ipv6] = await Promise.all([host.unicastRoutes(4), host.unicastRoutes(6)]);
    return await this.#overlapsOf([...ipv4, ...ipv6]);
  }

  #start(): void {
    this.#watch = watchRoutes(
      (notices) => this.#notice(notices),
      () => {
        this.#watch?.[Symbol.dispose]();
        if (!this.#isClosed) this.#start();
      },
    );
  }

  #notice({ lostAddresses, newRoutes }: RouteNotices): void {
    // Every bridge comes with addresses and routes of these, and goes with them.
    const addresses = lostAddresses.filter(({ address }) => !isOfEveryLink(address));
    const routes = newRoutes.filter(({ destination }) => !isOfEveryLink(destination));
    if (addresses.length + routes.length === 0) return;
    const { gateways, isTaken } = this.#knownNetworks();
    for (const { address } of addresses) if (gateways.has(address)) this.#robbed.add(address);
    // The kernel adds the route of a bridge that has got its address.
    const isOwn = ({ source }: Route) => source !== undefined && gateways.has(source);
    this.#routes.push(...routes.filter((route) => isTaken(route) && !isOwn(route)));
    if (this.#robbed.size + this.#routes.length > 0) this.#schedule();
  }

  /** With a thousand networks this is much to do for each notice. */
  #knownNetworks(): KnownNetworks {
    const networks = this.#options.networks();
    if (this.#known?.networks !== networks)
      this.#known = {
        networks,
        gateways: new Set(networks.map(({ gateway }) => gateway)),
        isTaken: overlapping(networks.map(({ subnet }) => subnet)),
      };
    return this.#known;
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#work = this.#work.then(() => delay(courtesyMs)).then(() => this.#review());
  }

  async #review(): Promise<void> {
    const [robbed, routes] = [this.#robbed, this.#routes];
    this.#robbed = new Set();
    this.#routes = [];
    this.#isDue = false;
    if (this.#isClosed) return;
    const lost = this.#options.networks().filter(({ gateway }) => robbed.has(gateway));
    // One bridge may have lost an address of each version.
    for (const network of new Map(lost.map((each) => [each.bridge, each])).values())
      await this.#repair(network);
    try {
      if (routes.length > 0) await this.#tell(routes);
    } catch (error) {
      const reason = faultOf(error).message;
      this.#options.log.warn("the routes of the host could not be read", { reason });
    }
  }

  async #repair({ name, bridge, repair }: WatchedNetwork): Promise<void> {
    const { log } = this.#options;
    try {
      await repair();
      log.warn("another program deleted the bridge of a network, or its address; it is back", {
        network: name,
        bridge,
      });
    } catch (error) {
      log.error("the bridge of a network, which another program deleted, could not be made again", {
        network: name,
        bridge,
        error: faultOf(error).message,
      });
    }
  }

  async #overlapsOf(routes: readonly Route[]): Promise<readonly RouteOverlap[]> {
    const { networks, isTaken } = this.#knownNetworks();
    const taken = routes.filter(isTaken);
    return routeOverlaps(taken, networks, await linksOf(taken));
  }

  async #tell(routes: readonly Route[]): Promise<void> {
    const { log } = this.#options;
    for (const overlap of await this.#overlapsOf(routes)) {
      const text = overlapText(overlap);
      if (this.#told.has(text) || this.#told.size >= MAX_TOLD) continue;
      this.#told.add(text);
      log.warn("a route of the host overlaps with a network", { reason: text });
    }
  }
}

/** The interfaces of routes; one by one where they are few, since a host may have thousands. */
async function linksOf(routes: readonly Route[]): Promise<readonly Link[]> {
  const host = new RouteTable();
  // A route by several interfaces names none.
  const indexes = [...new Set(routes.map(({ index }) => index))].filter((index) => index > 0);
  if (indexes.length > FEW_LINKS) return await host.links();
  return (await Promise.all(indexes.map((index) => host.link(index)))).flatMap(
    (link) => link ?? [],
  );
}

/** Whether a route leads to addresses of any of the subnets, which do not overlap with each other; by halves, since there may be thousands of each. */
function overlapping(subnets: readonly Subnet[]): (route: Route) => boolean {
  const sorted = subnets.toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
  return (route) => {
    const wanted = routedSubnet(route);
    if (wanted === undefined) return false;
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = sorted[middle];
      if (other && isBefore(wanted, other)) high = middle;
      else low = middle + 1;
    }
    return [sorted[low - 1], sorted[low]].some((each) => each && overlaps(each, wanted));
  };
}

/** Whether an address of IPv6 is link-local, or of a group (RFC 4291). */
function isOfEveryLink(address: string): boolean {
  return /^f(e[89ab]|f)[0-9a-f]{0,2}:/.test(address);
}

function isBefore(a: Subnet, b: Subnet): boolean {
  return a.version === b.version ? a.base < b.base : a.version < b.version;
}
