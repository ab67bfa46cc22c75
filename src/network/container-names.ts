import { faultOf, isFault, type Log, silentLog } from "#base";
import type { Resolver, ResolverClient, ResolverEndpoint, ResolverPorts } from "#helper";
import { type Fd, Nftables, NftBatch, nft } from "#kernel";
import { nameServers, resolverAddress } from "./resolv-conf.ts";

const DNS_PORT = 53;
const TABLE = "thimble-dns";

/** A running container in networks that have names. */
export interface NamedContainer {
  readonly id: string;
  /** Its own endpoints there; its names are for all others of the same networks. */
  readonly endpoints: readonly ResolverEndpoint[];
  /** False for one that is in internal networks alone: names outside do not exist for it. */
  readonly asksOutside: boolean;
  /** The name servers of `--dns`; empty: those of the host. */
  readonly dns: readonly string[];
  /** Names that it alone has for others. */
  readonly links: readonly (readonly [alias: string, name: string])[];
}

export interface ContainerNamesOptions {
  /** Starts the resolver of this engine, or finds the one that an earlier engine has started. */
  readonly open: () => Promise<Resolver>;
  /** The one that an earlier engine has started, if it is there. */
  readonly find: () => Promise<Resolver | undefined>;
  /** The network namespace of a container that was added; undefined when it has ended. The caller closes it. */
  readonly openNamespace: (id: string) => Fd | undefined;
  /** The text of the host's resolv.conf. */
  readonly hostResolvConf: () => string;
  readonly log?: Log;
  /** Milliseconds until a container that could not be served is tried again, twice as many each time; 1000 by default. */
  readonly retryMs?: number;
}

const longestRetryMs = 60_000;

/**
 * The names by which containers of user-defined networks find each other, over a resolver that
 * outlives the engine. A container is served from `add` to `remove`, also while no engine runs;
 * a resolver that was killed is replaced, and told everything again.
 */
export class ContainerNames {
  readonly #options: ContainerNamesOptions;
  readonly #log: Log;
  readonly #containers = new Map<string, NamedContainer>();
  /** Those that a resolver could not serve when it was told of all. */
  readonly #left = new Set<string>();
  #retry: NodeJS.Timeout | undefined;
  #resolver: Promise<Resolver> | undefined;
  #isClosed = false;

  constructor(options: ContainerNamesOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
  }

  /** Before the container's program runs: it can ask, and be asked for. The namespace stays the caller's. */
  async add(container: NamedContainer, netns: Fd): Promise<void> {
    await this.#tell(async (resolver) => {
      const ports = await resolver.serve(this.#clientOf(container), netns);
      await Promise.all([
        leadQuestions(netns, ports),
        ...container.endpoints.map((endpoint) => resolver.setEndpoint(endpoint)),
      ]);
    });
    this.#containers.set(container.id, container);
  }

  /** The container was connected to a network, or disconnected from one. */
  async change(container: NamedContainer): Promise<void> {
    const before = this.#containers.get(container.id)?.endpoints;
    // It has ended meanwhile.
    if (!before) return;
    const kept = new Set(container.endpoints.map(({ id }) => id));
    this.#containers.set(container.id, container);
    const gone = before.filter(({ id }) => !kept.has(id));
    await this.#tell(async (resolver) => {
      await Promise.all([
        this.#serve(resolver, container),
        ...gone.map(({ id }) => resolver.dropEndpoint(id)),
      ]);
      this.#left.delete(container.id);
    });
  }

  /** The container has ended; does nothing for one that was not added. */
  async remove(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (!container) return;
    this.#containers.delete(id);
    this.#left.delete(id);
    await this.#tell(async (resolver) => {
      await Promise.all([
        resolver.drop(id),
        ...container.endpoints.map((endpoint) => resolver.dropEndpoint(endpoint.id)),
      ]);
    });
  }

  /**
   * After a restart of the engine: exactly these containers are served; those that were served
   * already notice nothing.
   */
  async restore(containers: readonly NamedContainer[]): Promise<void> {
    for (const container of containers) this.#containers.set(container.id, container);
    if (this.#containers.size > 0) await this.#openOrRetry();
    else await (await this.#options.find())?.quit();
  }

  /** Whether a container was added. */
  has(id: string): boolean {
    return this.#containers.has(id);
  }

  /** Lets go of the resolver, or ends it when it has no clients any more. */
  async close({ quit }: { readonly quit: boolean }): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const resolver = await this.#resolver?.catch(() => undefined);
    if (quit) await resolver?.quit().catch(() => undefined);
    resolver?.close();
  }

  /** Where the resolver ends meanwhile, the one that takes its place is told instead. */
  async #tell(work: (resolver: Resolver) => Promise<void>): Promise<void> {
    const resolver = await this.#open();
    try {
      await work(resolver);
    } catch (error) {
      if (resolver.isOpen || this.#isClosed) throw error;
      await work(await this.#open());
    }
  }

  /** A failure is not kept: the next caller tries again. */
  #open(): Promise<Resolver> {
    this.#resolver ??= this.#start().catch((error) => {
      this.#resolver = undefined;
      throw error;
    });
    return this.#resolver;
  }

  async #start(): Promise<Resolver> {
    const resolver = await this.#options.open();
    await this.#tellAll(resolver);
    void resolver.closed.then(() => this.#replace());
    return resolver;
  }

  /** One container that cannot be served, such as one that has taken all ports for itself, is no reason to leave out the others. */
  async #tellAll(resolver: Resolver): Promise<void> {
    this.#left.clear();
    await resolver.begin();
    for (const container of this.#containers.values()) {
      try {
        await this.#serve(resolver, container);
      } catch (error) {
        if (!resolver.isOpen) throw error;
        this.#left.add(container.id);
        this.#log.error("a container is left without the names of others until it is tried again", {
          id: container.id,
          error: faultOf(error).message,
        });
      }
    }
    await resolver.commit();
    this.#serveLeftIn(this.#options.retryMs ?? 1000);
  }

  #serveLeftIn(pauseMs: number): void {
    clearTimeout(this.#retry);
    if (this.#left.size === 0 || this.#isClosed) return;
    this.#retry = setTimeout(async () => {
      for (const id of this.#left) await this.#serveLeft(id);
      this.#serveLeftIn(Math.min(2 * pauseMs, longestRetryMs));
    }, pauseMs).unref();
  }

  async #serveLeft(id: string): Promise<void> {
    const container = this.#containers.get(id);
    try {
      if (container) await this.#serve(await this.#open(), container);
      this.#left.delete(id);
      if (container) this.#log.info("a container has the names of others again", { id });
    } catch {
      // It was said when it was left; the next turn comes.
    }
  }

  /** A container that the resolver serves already keeps its sockets. */
  async #serve(resolver: Resolver, container: NamedContainer): Promise<void> {
    const client = this.#clientOf(container);
    try {
      await Promise.all([
        ...container.endpoints.map((endpoint) => resolver.setEndpoint(endpoint)),
        resolver.update(client),
      ]);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
      using netns = this.#options.openNamespace(container.id);
      if (netns) await leadQuestions(netns, await resolver.serve(client, netns));
    }
  }

  #replace(): void {
    this.#resolver = undefined;
    if (this.#isClosed || this.#containers.size === 0) return;
    this.#log.warn("the resolver of containers has ended: another one takes its place");
    void this.#openOrRetry();
  }

  async #openOrRetry(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      this.#log.error("the resolver of containers cannot be started; it is tried again", {
        error: faultOf(error).message,
      });
      for (const id of this.#containers.keys()) this.#left.add(id);
      this.#serveLeftIn(this.#options.retryMs ?? 1000);
    }
  }

  #clientOf({ id, endpoints, asksOutside, dns, links }: NamedContainer): ResolverClient {
    const servers = dns.length > 0 ? dns : nameServers(this.#options.hostResolvConf());
    return {
      id,
      networks: [...new Set(endpoints.map(({ network }) => network))],
      forwards: asksOutside,
      // A zone ("%eth0") is the host's own affair.
      upstreams: servers
        .filter((server) => !server.includes("%"))
        .slice(0, 8)
        .map((address) => ({ address, port: DNS_PORT })),
      links,
    };
  }
}

/**
 * Inside the namespace, port 53 of the resolver's address leads to where it listens. A table that is
 * replaced costs some 10 ms, in which the kernel waits for the old one to be gone.
 */
async function leadQuestions(netns: Fd, ports: ResolverPorts): Promise<void> {
  const filter = new Nftables({ netns });
  try {
    await filter.commit(questionRules(new NftBatch().createTable(TABLE), ports));
  } catch (error) {
    if (!isFault(error, "exists")) throw error;
    await filter.commit(questionRules(new NftBatch().replaceTable(TABLE), ports));
  }
}

function questionRules(batch: NftBatch, { udp, tcp }: ResolverPorts): NftBatch {
  batch.addBaseChain({ table: TABLE, name: "output", type: "nat", hook: "output", priority: -100 });
  const asked = { address: resolverAddress, port: DNS_PORT };
  for (const [protocol, port] of [["udp", udp] as const, ["tcp", tcp] as const]) {
    batch
      .addPortMap(TABLE, protocol)
      .addPort(TABLE, protocol, asked, { address: resolverAddress, port })
      .addRule({
        table: TABLE,
        chain: "output",
        expressions: [
          nft.ipDestination({ address: resolverAddress, prefixLength: 32 }),
          nft.protocol(protocol),
          nft.dnatByMap(protocol, "own"),
        ],
      });
  }
  return batch;
}
