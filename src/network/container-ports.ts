import { rmSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { defined, Fault, faultOf, isFault, KeyedLock, type Log, Patience } from "#base";
import type { Helper, PortProxy } from "#helper";
import { hasEnded, listenUnix, openProcess, startTime } from "#kernel";
import { crashPoint } from "./crash-point.ts";
import type { ForeignFirewall } from "./foreign-firewall.ts";
import { addressBytes } from "./port-address.ts";
import type {
  AddRequest,
  PortTarget,
  ProcessName,
  Publication,
  PublishedPort,
} from "./port-contract.ts";
import { explainPort, type PortExplanation } from "./port-explanation.ts";
import { listeningPort, type PortListening } from "./port-listening.ts";
import { elementsOf, type PortElement } from "./port-rules.ts";
import type { PortStore, StoredPublication } from "./port-store.ts";
import type { PortTranslation } from "./port-translation.ts";

/** A proxy whose container has ended lets go of its ports at once; one that does not is ended. */
const patienceMs = 1000;
/** While another program has a port of ours: until the container ends, or it is free again. */
const revival = { attempts: Number.POSITIVE_INFINITY, base: 100, max: 30_000 };

/** What the publications of an engine share. */
export interface PortSharing {
  readonly store: PortStore;
  readonly rules: PortTranslation;
  readonly listening: PortListening;
  readonly helper: Helper;
  readonly log: Log;
  /** Of the sockets by which a later life of the engine finds its proxies. */
  readonly directory: string;
  /** The engine closes. */
  readonly closing: AbortSignal;
  readonly forget: (publication: ContainerPorts) => void;
  /** Ends a proxy that holds nothing any more, in a moment. */
  readonly retire: (proxy: PortProxy) => void;
}

/** The socket of a container's proxy: its path has to be short. */
export function controlPath(directory: string, container: string): string {
  return join(directory, container.slice(0, 32));
}

/**
 * The ports of one container. Its row says what they are; a proxy that is gone is replaced by one
 * that holds the same ports, for as long as the container's process lives.
 */
export class ContainerPorts implements Publication {
  readonly #shared: PortSharing;
  readonly #changes = new KeyedLock();
  #row: StoredPublication;
  #proxy: PortProxy | undefined;
  #process: ProcessName | undefined;
  #withdrawn: Promise<void> | undefined;

  constructor(shared: PortSharing, row: StoredPublication, proxy?: PortProxy) {
    this.#shared = shared;
    this.#row = row;
    this.#proxy = proxy;
  }

  get container(): string {
    return this.#row.container;
  }

  get address(): string {
    return this.#row.address;
  }

  get address6(): string {
    return this.#row.address6;
  }

  get ports(): readonly PublishedPort[] {
    return this.#row.ports;
  }

  get elements(): readonly PortElement[] {
    return elementsOf(this.#row);
  }

  /** Whether a proxy holds the ports; else it is gone, and `adopt` replaces it. */
  get isServed(): boolean {
    return this.#proxy !== undefined;
  }

  hold(process: ProcessName): void {
    this.#process = process;
    if (this.#proxy) this.#bind(this.#proxy, process);
    crashPoint("ports:bound-to-process");
  }

  record(also?: () => void): void {
    this.#shared.store.put(this.#row, also);
  }

  /** The container runs on from an earlier life of the engine: its proxy does what the row says, or is replaced. */
  adopt(process: ProcessName): void {
    this.#process = process;
    const proxy = this.#proxy;
    if (proxy === undefined) void this.#change(() => this.#revive(process));
    else {
      this.#watch(proxy, process);
      void this.#change(() => this.#align(proxy));
    }
  }

  async move({ address, address6 }: PortTarget): Promise<void> {
    await this.#change(async () => {
      const before = this.elements;
      this.#row = { ...this.#row, address, address6 };
      this.record();
      crashPoint("ports:move-recorded");
      await this.#whileServed((proxy) => proxy.retarget(addressBytes(address)));
      crashPoint("ports:retargeted");
      await this.#shared.rules.replace(before, this.elements);
    });
  }

  async add({ ports: wanted, nameOf, also }: AddRequest): Promise<readonly PublishedPort[]> {
    return await this.#change(async () => {
      const { listening, rules } = this.#shared;
      const proxy = this.#requireProxy();
      const { address } = this;
      const added = await listening.all(proxy, { address, nameOf }, wanted);
      crashPoint("ports:added");
      const before = this.#row;
      try {
        this.#recordWith({ ...before, ports: [...before.ports, ...added] }, also);
      } catch (error) {
        await listening.release(proxy, added);
        throw error;
      }
      crashPoint("ports:added-recorded");
      await this.#whileServed(() => proxy.confirm());
      await rules.add(elementsOf({ ...this.#row, ports: added }));
      return added;
    });
  }

  async remove(ports: readonly PublishedPort[], also: () => void): Promise<void> {
    await this.#change(async () => {
      const { listening, rules } = this.#shared;
      const gone = elementsOf({ ...this.#row, ports });
      const left = this.ports.filter((port) => !ports.includes(port));
      await rules.remove(gone);
      await this.#whileServed((proxy) => listening.release(proxy, ports));
      crashPoint("ports:removed");
      try {
        this.#recordWith({ ...this.#row, ports: left }, also);
      } catch (error) {
        // All is as it was.
        await this.#whileServed((proxy) => listening.again(proxy, this.#place, ports));
        await this.#whileServed((proxy) => proxy.confirm());
        await rules.add(gone);
        throw error;
      }
    });
  }

  /** Each port with its path; `firewalls` by the version of IP. */
  async explain(
    firewalls: Readonly<Record<4 | 6, ForeignFirewall>>,
  ): Promise<readonly PortExplanation[]> {
    return await this.#change(async () => {
      const all: PortExplanation[] = [];
      for (const port of this.ports) {
        const explained = explainPort(this.#row, port, firewalls[isIPv6(port.hostIp) ? 6 : 4]);
        const traffic = await this.#proxy?.count(listeningPort(port)).catch(() => undefined);
        const [element] = elementsOf({ ...this.#row, ports: [port] });
        const translated = element && (await this.#shared.rules.traffic(element));
        all.push({ ...explained, ...defined({ traffic, translated }) });
      }
      return all;
    });
  }

  withdraw({ endsProxy } = { endsProxy: false }): Promise<void> {
    this.#withdrawn ??= this.#withdraw(endsProxy || this.#process === undefined);
    return this.#withdrawn;
  }

  async #withdraw(endsProxy: boolean): Promise<void> {
    const { rules, store, forget, log } = this.#shared;
    const untranslated = rules.remove(this.elements);
    await this.#letGo(endsProxy);
    await untranslated;
    crashPoint("ports:untranslated");
    forget(this);
    rmSync(this.#socket, { force: true });
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

  /** A proxy is told to let go of its ports, because it is not gone at once when it is ended. */
  async #letGo(endsProxy: boolean): Promise<void> {
    const proxy = this.#proxy;
    if (!proxy) return;
    if (!endsProxy) return await released(proxy);
    try {
      await this.#shared.listening.release(proxy, this.ports);
      this.#shared.retire(proxy);
    } catch {
      await proxy.kill();
    }
  }

  #recordWith(row: StoredPublication, also: () => void): void {
    this.#shared.store.put(row, also);
    this.#row = row;
  }

  #requireProxy(): PortProxy {
    if (this.#proxy) return this.#proxy;
    throw new Fault(
      "unavailable",
      "the proxy of the container's ports has ended and is about to be replaced: try again",
    );
  }

  get #socket(): string {
    return controlPath(this.#shared.directory, this.container);
  }

  #bind(proxy: PortProxy, process: ProcessName): void {
    using pidfd = openProcess(process.pid, process.startTime);
    using control = listenUnix(this.#socket);
    proxy.hold(pidfd, control);
    this.#watch(proxy, process);
  }

  /** One that ends before its container was ended by someone else. */
  #watch(proxy: PortProxy, process: ProcessName): void {
    void proxy.released.then(async () => {
      if (this.#proxy !== proxy || this.#isOver(process)) return;
      this.#proxy = undefined;
      await this.#change(() => this.#revive(process));
    });
  }

  #isOver({ pid, startTime: start }: ProcessName): boolean {
    const { closing } = this.#shared;
    return this.#withdrawn !== undefined || closing.aborted || hasEnded(pid, start);
  }

  async #revive(process: ProcessName): Promise<void> {
    const { log, closing } = this.#shared;
    const { container } = this;
    const patience = new Patience(revival, closing);
    while (!this.#isOver(process)) {
      try {
        await this.#replaceProxy(process);
        log.warn("the proxy of a container's ports had ended; another one holds them", {
          container,
        });
        return;
      } catch (error) {
        const reason = faultOf(error).message;
        log.error("the ports of a container are not held; the engine tries again", {
          container,
          reason,
        });
        patience.bears();
        await patience.pause();
      }
    }
  }

  /** It is recorded before it outlives the engine, so that none is ever unknown. */
  async #replaceProxy(process: ProcessName): Promise<void> {
    const { helper, listening, rules } = this.#shared;
    const proxy = helper.proxy();
    try {
      await listening.again(proxy, this.#place, this.ports);
      const started = startTime(proxy.pid) ?? 0n;
      this.#row = { ...this.#row, proxy: { pid: proxy.pid, startTime: started } };
      this.record();
      crashPoint("ports:replaced");
      this.#bind(proxy, process);
    } catch (error) {
      await proxy.kill();
      throw error;
    }
    this.#proxy = proxy;
    await rules.add(this.elements);
  }

  /** What a crash has left between the row and the proxy. One that does not do as it is told is replaced. */
  async #align(proxy: PortProxy): Promise<void> {
    try {
      await this.#shared.listening.again(proxy, this.#place, this.ports);
      await proxy.retarget(addressBytes(this.address));
      await proxy.confirm();
    } catch (error) {
      const reason = faultOf(error).message;
      this.#shared.log.warn("a proxy does not hold its ports", {
        container: this.container,
        reason,
      });
      await proxy.kill();
    }
  }

  get #place() {
    return { address: this.address, nameOf: (container: string) => container };
  }

  /** A proxy that ends meanwhile is replaced by one that does what the row says. */
  async #whileServed(work: (proxy: PortProxy) => Promise<void>): Promise<void> {
    try {
      if (this.#proxy) await work(this.#proxy);
    } catch (error) {
      if (!isFault(error, "unavailable") || error.errno !== undefined) throw error;
    }
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    return this.#changes.run("ports", work);
  }
}

async function released(proxy: PortProxy): Promise<void> {
  const enough = new AbortController();
  const patience = delay(patienceMs, undefined, { signal: enough.signal }).then(
    () => proxy.kill(),
    () => undefined,
  );
  await Promise.race([proxy.released, patience.then(() => proxy.released)]);
  enough.abort();
}
