import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { defined, Fault, faultOf, isFault, type Log, silentLog } from "#base";
import { type Helper, ListenFault, type PortProxy } from "#helper";
import { type Fd, KnownProcess, Nftables, openProcess, startTime } from "#kernel";
import type { State } from "#state";
import { bridgeNames, namedPrefix } from "./bridge.ts";
import { crashPoint } from "./crash-point.ts";
import { NetworkStore } from "./network-store.ts";
import { addressBytes } from "./port-address.ts";
import type {
  PortProtocol,
  Ports,
  Publication,
  PublishedPort,
  PublishRequest,
  WantedPort,
} from "./port-contract.ts";
import { portHolder } from "./port-holder.ts";
import { elementsOf, PortRules } from "./port-rules.ts";
import { PortStore, type StoredPublication } from "./port-store.ts";

/** linux/in.h */
const protocolNumbers: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };
const LOCAL_PORTS = "/proc/sys/net/ipv4/ip_local_port_range";
const SIGKILL = 9;
/** A proxy whose container has ended lets go of its ports at once; one that does not is ended. */
const patienceMs = 1000;

/** The engine whose ports these are. */
export interface PortsOptions {
  readonly state: State;
  readonly helper: Helper;
  /** The name of the nftables table is made from it. */
  readonly runRoot: string;
  readonly log?: Log;
}

/** A proxy of this life of the engine or of an earlier one. */
interface Holder {
  readonly pid: number;
  readonly startTime: bigint;
  readonly released: Promise<unknown>;
  kill(): void;
}

class NetworkPorts implements Ports {
  readonly #options: PortsOptions;
  readonly #store: PortStore;
  readonly #rules: PortRules;
  readonly #publications = new Map<string, ContainerPorts>();
  readonly #watched: KnownProcess[] = [];
  #next = 0;

  constructor(options: PortsOptions) {
    const { state, runRoot, log = silentLog } = options;
    const networks = new NetworkStore(state);
    this.#options = options;
    this.#store = new PortStore(state);
    this.#rules = new PortRules({
      filter: new Nftables({ keepsSocket: true }),
      table: bridgeNames(runRoot).table,
      bridges: { first: bridgeNames(runRoot).bridge, prefix: namedPrefix(runRoot) },
      dropsForeign: () => networks.turnedForwardingOn,
      log,
    });
  }

  /** What an earlier life of the engine has left: proxies that live are taken over, of others nothing stays. */
  async open(): Promise<void> {
    for (const row of this.#store.all()) {
      const holder = this.#findProxy(row);
      if (holder) this.#keep(row, holder);
      else this.#store.delete(row.container);
    }
    const all = [...this.#publications.values()].flatMap(({ elements }) => elements);
    await this.#rules.reset(all);
  }

  async publish(request: PublishRequest): Promise<Publication> {
    const proxy = this.#options.helper.proxy();
    const { container, address } = request;
    try {
      const ports: PublishedPort[] = [];
      for (const wanted of request.ports)
        ports.push(...(await this.#listen(proxy, request, wanted)));
      crashPoint("ports:held");
      const started = startTime(proxy.pid) ?? 0n;
      const row = { container, address, ports, proxy: { pid: proxy.pid, startTime: started } };
      const publication = this.#keep(
        row,
        {
          pid: proxy.pid,
          startTime: started,
          released: proxy.released,
          kill: () => void proxy.kill(),
        },
        proxy,
      );
      await this.#rules.add(publication.elements);
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

  adopt(container: string): Publication | undefined {
    return this.#publications.get(container);
  }

  async retain(running: ReadonlySet<string>): Promise<void> {
    const others = [...this.#publications.entries()].filter(([id]) => !running.has(id));
    await Promise.all(others.map(([, publication]) => publication.withdraw()));
  }

  async close(): Promise<void> {
    await this.#rules.close();
    for (const process of this.#watched) process[Symbol.dispose]();
  }

  #keep(row: StoredPublication, holder: Holder, proxy?: PortProxy): ContainerPorts {
    const publication = new ContainerPorts({
      row,
      holder,
      ...(proxy && { proxy }),
      store: this.#store,
      rules: this.#rules,
      log: this.#options.log ?? silentLog,
      forget: () => {
        if (this.#publications.get(row.container) === publication)
          this.#publications.delete(row.container);
      },
    });
    this.#publications.set(row.container, publication);
    return publication;
  }

  #findProxy({ proxy }: StoredPublication): Holder | undefined {
    try {
      const known = new KnownProcess(openProcess(proxy.pid, proxy.startTime));
      this.#watched.push(known);
      return { ...proxy, released: known.ended, kill: () => known.kill(SIGKILL) };
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
  }

  async #listen(
    proxy: PortProxy,
    { address, nameOf }: PublishRequest,
    wanted: WantedPort,
  ): Promise<PublishedPort[]> {
    const { protocol, containerPort, hostIp } = wanted;
    const hosts = hostIp === "" ? anyAddresses() : [hostIp];
    const range = wanted.range ?? localPorts();
    const begin = wanted.range ? range.first : this.#beginIn(range);
    const target = { address: addressBytes(address), port: containerPort };
    const addresses = hosts.map(addressBytes);
    try {
      const number = protocolNumbers[protocol];
      const hostPort = await proxy.listen({ protocol: number, target, ...range, begin, addresses });
      if (!wanted.range) this.#next = hostPort + 1;
      return hosts.map((host) => ({ protocol, containerPort, hostIp: host, hostPort }));
    } catch (error) {
      if (!(error instanceof ListenFault)) throw error;
      const host = hosts[error.index] ?? hostIp;
      throw this.#refused(error, { ...wanted, hostIp: host, address, nameOf });
    }
  }

  /** As Docker: one after the other, so that a port that was just given back is not the next one's. */
  #beginIn({ first, last }: { readonly first: number; readonly last: number }): number {
    return this.#next >= first && this.#next <= last ? this.#next : first;
  }

  /** In Docker's words, and by whom a port is held. */
  #refused(fault: ListenFault, at: WantedPort & Pick<PublishRequest, "address" | "nameOf">): Fault {
    const { protocol, hostIp, containerPort, range, address } = at;
    const text =
      range && range.first !== range.last ? `${range.first}-${range.last}` : range?.first;
    const about = `${bracketed(hostIp)}:${text ?? 0}`;
    const detail = { about, cause: fault, ...defined({ errno: fault.errno }) };
    if (fault.errno === "EADDRINUSE" && range && range.first === range.last) {
      const other = this.#holderOf(protocol, range.first);
      if (other)
        return new Fault(
          "unavailable",
          `Bind for ${bracketed(other.hostIp)}:${text} failed: port is already allocated (held by container ${at.nameOf(other.container)})`,
          detail,
        );
    }
    if (fault.errno === "EADDRINUSE" && text !== range?.first)
      return new Fault("unavailable", "all ports are allocated", detail);
    if (fault.errno === "EPROTONOSUPPORT") {
      const message = `error starting userland proxy: failed to listen on ${about}: protocol not supported`;
      return new Fault("unavailable", message, detail);
    }
    const why = reasons[fault.errno ?? ""] ?? `the kernel refused it (${fault.errno})`;
    const holder = fault.errno === "EADDRINUSE" && range ? portHolder(protocol, range.first) : "";
    const held = holder === "" ? "" : ` (held by ${holder})`;
    return new Fault(
      "unavailable",
      `failed to bind host port for ${about}:${address}:${containerPort}/${protocol}: ${why}${held}`,
      detail,
    );
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

/** Go's words for them, which Docker shows. */
const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};

interface ContainerPortsOptions {
  readonly row: StoredPublication;
  readonly holder: Holder;
  readonly proxy?: PortProxy;
  readonly store: PortStore;
  readonly rules: PortRules;
  readonly forget: () => void;
  readonly log: Log;
}

class ContainerPorts implements Publication {
  readonly container: string;
  readonly address: string;
  readonly ports: readonly PublishedPort[];
  readonly elements: ReturnType<typeof elementsOf>;
  readonly #options: ContainerPortsOptions;
  #isHeld: boolean;
  #withdrawn: Promise<void> | undefined;

  constructor(options: ContainerPortsOptions) {
    const { container, address, ports } = options.row;
    this.container = container;
    this.address = address;
    this.ports = ports;
    this.elements = elementsOf(address, ports);
    this.#options = options;
    this.#isHeld = options.proxy === undefined;
  }

  hold(process: Fd): void {
    this.#options.proxy?.hold(process);
    this.#isHeld = true;
    crashPoint("ports:bound-to-process");
  }

  record(): void {
    this.#options.store.put(this.#options.row);
  }

  withdraw({ endsProxy } = { endsProxy: false }): Promise<void> {
    this.#withdrawn ??= this.#withdraw(endsProxy || !this.#isHeld);
    return this.#withdrawn;
  }

  async #withdraw(endsProxy: boolean): Promise<void> {
    const { holder, rules, store, forget, log } = this.#options;
    if (endsProxy) holder.kill();
    const untranslated = rules.remove(this.elements);
    const enough = new AbortController();
    const patience = delay(patienceMs, undefined, { signal: enough.signal }).then(
      () => holder.kill(),
      () => undefined,
    );
    await Promise.race([holder.released, patience.then(() => holder.released)]);
    enough.abort();
    await untranslated;
    crashPoint("ports:untranslated");
    forget();
    try {
      store.delete(this.container);
    } catch (error) {
      // The next life of the engine finds its proxy gone, and deletes it.
      const reason = faultOf(error).message;
      log.warn("the end of a publication could not be recorded", {
        container: this.container,
        reason,
      });
    }
  }
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function anyAddresses(): readonly string[] {
  return existsSync("/proc/net/if_inet6") ? ["0.0.0.0", "::"] : ["0.0.0.0"];
}

/** Where the kernel, and Docker, take ports from that nobody has chosen. */
function localPorts(): { readonly first: number; readonly last: number } {
  const [first = 32768, last = 60999] = readFileSync(LOCAL_PORTS, "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  return { first, last };
}

/** Opens the ports of an instance; those of containers that run on are served on, all others are free. */
export async function openPorts(options: PortsOptions): Promise<Ports> {
  const ports = new NetworkPorts(options);
  await ports.open();
  return ports;
}
