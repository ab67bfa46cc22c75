import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isFault, type Log, silentLog } from "#base";
import { connectProxy, type Helper, type PortProxy } from "#helper";
import { KnownProcess, makePrivateDirectory, openProcess, startTime } from "#kernel";
import type { State } from "#state";
import { bridgeNames } from "./bridge.ts";
import { ContainerPorts, controlPath, type PortSharing } from "./container-ports.ts";
import { crashPoint } from "./crash-point.ts";
import type { ForwardPolicy } from "./foreign-firewall.ts";
import { NetworkStore } from "./network-store.ts";
import type {
  PortProtocol,
  Ports,
  ProcessName,
  Publication,
  PublishedPort,
  PublishRequest,
} from "./port-contract.ts";
import type { PortExplanation } from "./port-explanation.ts";
import { PortListening } from "./port-listening.ts";
import { PortStore, type StoredPublication } from "./port-store.ts";
import { PortTranslation } from "./port-translation.ts";

const SIGKILL = 9;
/** The end of a process takes the processor from the answer that is under way. */
const courtesyMs = 20;

/** The engine whose ports these are. */
export interface PortsOptions {
  readonly state: State;
  readonly helper: Helper;
  /** The name of the nftables table is made from it. */
  readonly runRoot: string;
  readonly log?: Log;
}

class NetworkPorts implements Ports {
  readonly #shared: PortSharing;
  readonly #publications = new Map<string, ContainerPorts>();
  readonly #watched: KnownProcess[] = [];
  readonly #closing = new AbortController();
  /** Proxies without ports that are about to be ended. */
  readonly #retired = new Set<PortProxy>();

  constructor(options: PortsOptions) {
    const { state, helper, runRoot, log = silentLog } = options;
    const networks = new NetworkStore(state);
    const rules = new PortTranslation({
      table: bridgeNames(runRoot).table,
      dropsForeign: (version) => networks.turnedForwardingOn(version),
      log,
    });
    this.#shared = {
      ...{ store: new PortStore(state), rules, helper, log },
      directory: join(runRoot, "ports"),
      listening: new PortListening({ holderOf: (...port) => this.#holderOf(...port) }),
      closing: this.#closing.signal,
      forget: (publication) => {
        if (this.#publications.get(publication.container) === publication)
          this.#publications.delete(publication.container);
      },
      retire: (proxy) => this.#retire(proxy),
    };
  }

  /** What an earlier life of the engine has left: proxies that live are taken over; `adopt` replaces those that do not. */
  async open(): Promise<void> {
    const { store, directory, rules } = this.#shared;
    makePrivateDirectory(directory);
    const rows = store.all();
    const sockets = new Set(rows.map(({ container }) => controlPath(directory, container)));
    for (const name of readdirSync(directory))
      if (!sockets.has(join(directory, name))) rmSync(join(directory, name), { force: true });
    for (const row of rows) this.#keep(row, await this.#findProxy(row));
    const served = [...this.#publications.values()].filter(({ isServed }) => isServed);
    await rules.reset(served.flatMap(({ elements }) => elements));
  }

  async publish(request: PublishRequest): Promise<Publication> {
    const { helper, listening, rules } = this.#shared;
    const proxy = helper.proxy();
    const { container, address, address6, passesInput } = request;
    try {
      const ports = await listening.all(proxy, request, request.ports);
      crashPoint("ports:held");
      const started = startTime(proxy.pid) ?? 0n;
      const held = { ports, passesInput, proxy: { pid: proxy.pid, startTime: started } };
      const row = { container, address, address6, ...held };
      const publication = this.#keep(row, proxy);
      await rules.add(publication.elements);
      crashPoint("ports:translated");
      return publication;
    } catch (error) {
      await proxy.kill();
      throw error;
    }
  }

  of(container: string): readonly PublishedPort[] {
    return this.#publications.get(container)?.ports ?? [];
  }

  adopt(container: string, process: ProcessName): Publication | undefined {
    const publication = this.#publications.get(container);
    publication?.adopt(process);
    return publication;
  }

  async explain(container: string): Promise<readonly PortExplanation[]> {
    const publication = this.#publications.get(container);
    if (!publication) return [];
    const { rules } = this.#shared;
    const [four, six] = await Promise.all([rules.firewall(4), rules.firewall(6)]);
    return await publication.explain({ 4: four, 6: six });
  }

  async forwardPolicy(version: 4 | 6): Promise<ForwardPolicy | undefined> {
    return (await this.#shared.rules.firewall(version)).forward;
  }

  async retain(running: ReadonlySet<string>): Promise<void> {
    const others = [...this.#publications.entries()].filter(([id]) => !running.has(id));
    await Promise.all(others.map(([, publication]) => publication.withdraw()));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#retired].map((proxy) => proxy.kill()));
    await this.#shared.rules.close();
    for (const process of this.#watched) process[Symbol.dispose]();
  }

  #retire(proxy: PortProxy): void {
    this.#retired.add(proxy);
    setTimeout(() => {
      this.#retired.delete(proxy);
      void proxy.kill();
    }, courtesyMs).unref();
  }

  #keep(row: StoredPublication, proxy?: PortProxy): ContainerPorts {
    const publication = new ContainerPorts(this.#shared, row, proxy);
    this.#publications.set(row.container, publication);
    return publication;
  }

  /** One that lives and does not answer holds the ports for nobody: it is ended. */
  async #findProxy({ container, proxy }: StoredPublication): Promise<PortProxy | undefined> {
    let known: KnownProcess;
    try {
      known = new KnownProcess(openProcess(proxy.pid, proxy.startTime));
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
    this.#watched.push(known);
    const kill = () => {
      known.kill(SIGKILL);
      return known.ended;
    };
    try {
      return connectProxy(controlPath(this.#shared.directory, container), { ...proxy, kill });
    } catch {
      await kill();
      return undefined;
    }
  }

  /** The container of this engine that has a port. */
  #holderOf(protocol: PortProtocol, port: number) {
    for (const { container, ports } of this.#publications.values()) {
      const found = ports.find((each) => each.protocol === protocol && each.hostPort === port);
      if (found) return { ...found, container };
    }
    return undefined;
  }
}

/** Opens the ports of an instance; those of containers that run on are served on, all others are free. */
export async function openPorts(options: PortsOptions): Promise<Ports> {
  const ports = new NetworkPorts(options);
  await ports.open();
  return ports;
}
