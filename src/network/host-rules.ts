import { faultOf, type IpVersion, KeyedLock, type Log } from "#base";
import { Nftables } from "#kernel";
import { bridgeNames, deleteBridge, namedBridges } from "./bridge.ts";
import { crashPoint } from "./crash-point.ts";
import { FilterWatch } from "./filter-watch.ts";
import {
  type FilteredBridge,
  filteredBridges,
  installRules,
  removeRules,
  removeTable,
} from "./firewall.ts";
import type { ForwardPolicy } from "./foreign-firewall.ts";
import { ForwardWarning } from "./forward-warning.ts";
import { ensureForwarding, keepForeignOut, passForward, removePass } from "./forwarding.ts";
import type { NetworkStore } from "./network-store.ts";
import { SpoofGuard } from "./spoof-guard.ts";
import { formatSubnet } from "./subnet.ts";

const BATCH = 50;

export interface HostRulesOptions {
  readonly runRoot: string;
  readonly store: NetworkStore;
  /** The bridges that have been made. */
  readonly bridges: () => readonly FilteredBridge[];
  readonly log: Log;
}

/**
 * The rules of one instance in the host's packet filter, for all its bridges; one change after the
 * other. What another program takes away, as a firewall does that is loaded anew, is put back at once.
 */
export class HostRules {
  readonly #options: HostRulesOptions;
  readonly #table: string;
  readonly #filters: readonly (readonly [IpVersion, Nftables])[] = [
    [4, new Nftables({ keepsSocket: true })],
    [6, new Nftables({ family: "ip6", keepsSocket: true })],
  ];
  readonly #lock = new KeyedLock();
  /** By the bridge's name. */
  readonly #installed = new Map<string, string>();
  /** Where the rules stand that are the same for all bridges. */
  readonly #withBase = new Set<IpVersion>();
  readonly #watch: FilterWatch;
  /** Of the ports of all bridges. */
  readonly guard: SpoofGuard;
  readonly #forward: Readonly<Record<IpVersion, ForwardWarning>>;
  #isSwept = false;

  constructor(options: HostRulesOptions) {
    this.#options = options;
    this.#table = bridgeNames(options.runRoot).table;
    const { log } = options;
    this.guard = new SpoofGuard({ table: this.#table, log });
    this.#forward = { 4: new ForwardWarning(log), 6: new ForwardWarning(log) };
    this.#watch = new FilterWatch(this.#table, (isRobbed) => this.#review(isRobbed));
  }

  /**
   * Rules for a bridge, then forwarding, so that nothing is forwarded before the rules stand. The
   * first time everything goes that is of no bridge in `known`, and all get their rules anew.
   */
  establish(bridge: FilteredBridge, known: readonly string[]): Promise<void> {
    const { store, bridges, log } = this.#options;
    return this.#change(async () => {
      this.#watch.start();
      if (!this.#isSwept) await Promise.all([this.#sweep(known), this.guard.install()]);
      const areNew = this.#isSwept && !this.#installed.has(bridge.name);
      const all = this.#isSwept ? [bridge] : [...bridges(), bridge];
      this.#isSwept = true;
      const changed = all.filter((each) => this.#installed.get(each.name) !== keyOf(each));
      for (const [version, filter] of this.#filters) {
        await this.#install(version, filter, changed);
        const own = concerned(version, [...changed, bridge]);
        if (own.length > 0 && (await ensureForwarding(filter))) {
          store.rememberForwarding(version);
          log.warn(
            `IPv${version} forwarding is on now; packets that do not belong to containers are dropped (the policy of FORWARD)`,
          );
        }
        if (changed.length > 0) await passForward(filter, concerned(version, changed), { areNew });
        // Later changes come by the watch.
        if (own.length > 0 && !this.#forward[version].hasLooked)
          await this.#warnOfForward(version, filter, bridge.name);
      }
      for (const each of changed) this.#installed.set(each.name, keyOf(each));
    });
  }

  async #warnOfForward(version: IpVersion, filter: Nftables, bridge: string): Promise<void> {
    const dropsForeign = this.#options.store.turnedForwardingOn(version);
    await this.#forward[version].look(filter, bridge, { dropsForeign });
  }

  async #install(
    version: IpVersion,
    filter: Nftables,
    all: readonly FilteredBridge[],
  ): Promise<void> {
    const names = concerned(version, all);
    const bridges = all.filter(({ name }) => names.includes(name));
    // A datagram has room for some hundreds.
    for (let at = 0; at < bridges.length; at += BATCH) {
      const hasBase = this.#withBase.has(version);
      await installRules(filter, this.#table, bridges.slice(at, at + BATCH), { hasBase });
      this.#withBase.add(version);
    }
  }

  /** Others have changed the packet filter: a firewall was loaded anew, or a Docker came. */
  async #review(isRobbed: boolean): Promise<void> {
    const { bridges, log } = this.#options;
    try {
      await this.#change(async () => {
        const all = bridges();
        if (isRobbed) this.#withBase.clear();
        for (const [version, filter] of this.#filters) {
          const own = concerned(version, all);
          if (own.length === 0) continue;
          await this.#keepForeignOut(version, filter);
          if (isRobbed) await this.#install(version, filter, all);
          await passForward(filter, own);
          if (own[0]) await this.#warnOfForward(version, filter, own[0]);
        }
        if (isRobbed) await this.guard.install();
        if (isRobbed)
          log.warn("another program removed packet filter rules of this engine; they are back");
      });
    } catch (error) {
      log.error("packet filter rules that another program removed could not be put back", {
        error: faultOf(error).message,
      });
    }
  }

  /** What of others drops all that is forwarded, as it is known since the last change of it. */
  forwardPolicy(version: IpVersion): ForwardPolicy | undefined {
    return this.#forward[version].policy;
  }

  /** Stops watching; the rules stay. */
  async close(): Promise<void> {
    await this.#watch[Symbol.asyncDispose]();
    await this.guard.close();
    await this.#change(async () => this.#letGo());
  }

  /** Removes a bridge of a network by its name, with its rules; does nothing when it is missing. */
  removeBridge(bridge: string): Promise<void> {
    return this.#change(() => this.#removeBridge(bridge));
  }

  /** Removes all that the instance has, its default bridge and those of no row too. */
  removeAll(): Promise<void> {
    const { runRoot } = this.#options;
    return this.#change(async () => {
      const bridges = [bridgeNames(runRoot).bridge, ...(await namedBridges(runRoot))];
      for (const [, filter] of this.#filters) {
        await removePass(filter, this.#table, ...bridges);
        await removeTable(filter, this.#table);
      }
      await this.guard.removeAll();
      for (const bridge of bridges) await deleteBridge(bridge, this.#options.runRoot);
      this.#letGo();
    });
  }

  #letGo(): void {
    for (const [, filter] of this.#filters) filter[Symbol.dispose]();
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.run("rules", work);
  }

  /** Removes what a crash left of networks that have no row. */
  async #sweep(known: readonly string[]): Promise<void> {
    const left = new Set(await namedBridges(this.#options.runRoot));
    for (const [version, filter] of this.#filters) {
      // Rules from when there was one bridge alone.
      await removePass(filter, this.#table);
      for (const name of await filteredBridges(filter, this.#table)) left.add(name);
      await this.#keepForeignOut(version, filter);
    }
    for (const name of left) if (!known.includes(name)) await this.#removeBridge(name);
  }

  async #keepForeignOut(version: IpVersion, filter: Nftables): Promise<void> {
    if (this.#options.store.turnedForwardingOn(version)) await keepForeignOut(filter);
  }

  async #removeBridge(bridge: string): Promise<void> {
    this.#installed.delete(bridge);
    for (const [, filter] of this.#filters) {
      await removePass(filter, bridge);
      await removeRules(filter, this.#table, bridge);
    }
    crashPoint("network:rules-removed");
    await deleteBridge(bridge, this.#options.runRoot);
  }
}

/** The names of the bridges that have rules for a version: of IPv4 all, so that without it nothing passes. */
function concerned(version: IpVersion, bridges: readonly FilteredBridge[]): readonly string[] {
  const own = bridges.filter(
    ({ subnets }) => version === 4 || subnets.some((subnet) => subnet.version === version),
  );
  return [...new Set(own.map(({ name }) => name))];
}

/** What the rules of a bridge depend on. */
function keyOf(bridge: FilteredBridge): string {
  const subnets = bridge.subnets.map(formatSubnet);
  return JSON.stringify(Object.entries({ ...bridge, subnets }).sort());
}
