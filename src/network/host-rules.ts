import { faultOf, KeyedLock, type Log } from "#base";
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
import { ensureForwarding, keepForeignOut, passForward, removePass } from "./forwarding.ts";
import type { NetworkStore } from "./network-store.ts";

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
  readonly #filter = new Nftables();
  readonly #lock = new KeyedLock();
  /** By the bridge's name. */
  readonly #installed = new Map<string, string>();
  readonly #watch: FilterWatch;
  #isSwept = false;

  constructor(options: HostRulesOptions) {
    this.#options = options;
    this.#table = bridgeNames(options.runRoot).table;
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
      if (!this.#isSwept) await this.#sweep(known);
      const all = this.#isSwept ? [bridge] : [...bridges(), bridge];
      this.#isSwept = true;
      const changed = all.filter((each) => this.#installed.get(each.name) !== keyOf(each));
      await this.#install(changed);
      if (await ensureForwarding(this.#filter)) {
        store.rememberForwarding();
        log.warn(
          "IPv4 forwarding is on now; packets that do not belong to containers are dropped (the policy of FORWARD)",
        );
      }
      await passForward(
        this.#filter,
        changed.map(({ name }) => name),
      );
    });
  }

  async #install(bridges: readonly FilteredBridge[]): Promise<void> {
    // A datagram has room for some hundreds.
    for (let at = 0; at < bridges.length; at += BATCH)
      await installRules(this.#filter, this.#table, bridges.slice(at, at + BATCH));
    for (const each of bridges) this.#installed.set(each.name, keyOf(each));
  }

  /** Others have changed the packet filter: a firewall was loaded anew, or a Docker came. */
  async #review(isRobbed: boolean): Promise<void> {
    const { bridges, log } = this.#options;
    try {
      await this.#change(async () => {
        const all = bridges();
        await this.#keepForeignOut();
        if (isRobbed) await this.#install(all);
        await passForward(
          this.#filter,
          all.map(({ name }) => name),
        );
        if (isRobbed)
          log.warn("another program removed packet filter rules of this engine; they are back");
      });
    } catch (error) {
      log.error("packet filter rules that another program removed could not be put back", {
        error: faultOf(error).message,
      });
    }
  }

  /** Stops watching; the rules stay. */
  close(): Promise<void> {
    return this.#watch[Symbol.asyncDispose]();
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
      await removePass(this.#filter, this.#table, ...bridges);
      await removeTable(this.#filter, this.#table);
      for (const bridge of bridges) await deleteBridge(bridge, this.#options.runRoot);
    });
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.run("rules", work);
  }

  /** Removes what a crash left of networks that have no row. */
  async #sweep(known: readonly string[]): Promise<void> {
    // Rules from when there was one bridge alone.
    await removePass(this.#filter, this.#table);
    const left = [
      ...(await filteredBridges(this.#filter, this.#table)),
      ...(await namedBridges(this.#options.runRoot)),
    ].filter((name) => !known.includes(name));
    for (const name of new Set(left)) await this.#removeBridge(name);
    await this.#keepForeignOut();
  }

  async #keepForeignOut(): Promise<void> {
    if (this.#options.store.turnedForwardingOn) await keepForeignOut(this.#filter);
  }

  async #removeBridge(bridge: string): Promise<void> {
    this.#installed.delete(bridge);
    await removePass(this.#filter, bridge);
    await removeRules(this.#filter, this.#table, bridge);
    crashPoint("network:rules-removed");
    await deleteBridge(bridge, this.#options.runRoot);
  }
}

/** What the rules of a bridge depend on. */
function keyOf(bridge: FilteredBridge): string {
  return JSON.stringify(Object.entries(bridge).sort());
}
