import { createHash } from "node:crypto";
import { Fault, systemClock } from "#base";
import type { NetworkDescription, NetworkRequest } from "./contract.ts";
import type { NetworkSettings, NetworkStore, StoredNetwork } from "./network-store.ts";

type Asked = Omit<NetworkRequest, "name">;

/** 64 hexadecimal digits that no other network has. */
export function newNetworkId(): string {
  return createHash("sha256").update(crypto.randomUUID()).digest("hex");
}

/**
 * Networks that are a configuration for others (`--config-only`, `--config-from`): subnets, labels
 * and options of a driver under a name, in the database and nowhere else. Nothing is checked of them
 * that depends on the machine, and nothing can be attached to them. Faults are in Docker's words.
 */
export class ConfigurationNetworks {
  readonly #store: NetworkStore;
  readonly #rows = new Map<string, StoredNetwork>();

  constructor(store: NetworkStore) {
    this.#store = store;
  }

  /** Keeps the configurations of what is stored, and gives back the others. */
  take(rows: readonly StoredNetwork[]): StoredNetwork[] {
    for (const row of rows) if (row.settings.isConfigOnly) this.#rows.set(row.id, row);
    return rows.filter(({ id }) => !this.#rows.has(id));
  }

  list(): NetworkDescription[] {
    return [...this.#rows.values()].map(describe);
  }

  has(name: string): boolean {
    return this.#named(name) !== undefined;
  }

  #named(name: string): StoredNetwork | undefined {
    return [...this.#rows.values()].find((row) => row.name === name);
  }

  /**
   * What is asked for, with what its configuration says. `denied` for a request that says it too
   * or is a configuration itself; `not_found` for a configuration that does not exist.
   */
  applied(asked: Asked): Asked {
    if (asked.configFrom === undefined) return asked;
    if (asked.isConfigOnly)
      throw new Fault(
        "denied",
        "a configuration network cannot depend on another configuration network",
      );
    const found = this.#named(asked.configFrom);
    if (!found) {
      const why = `configuration network ${JSON.stringify(asked.configFrom)} does not exist`;
      throw new Fault("not_found", why, { about: asked.configFrom });
    }
    refuseOwnFields(asked);
    const { subnets, hasIpv4, hasIpv6, labels, options, ipamOptions } = found.settings;
    return {
      ...{ ...asked, subnets, hasIpv4, hasIpv6, labels, options },
      ...(ipamOptions && { ipamOptions }),
    };
  }

  create(name: string, settings: NetworkSettings): NetworkDescription {
    const row = { id: newNetworkId(), name, createdAt: systemClock.now(), subnets: [], settings };
    this.#store.insert(row);
    this.#rows.set(row.id, row);
    return describe(row);
  }

  /** `users` are the names of the configurations that networks have. */
  remove(id: string, users: readonly (string | undefined)[]): void {
    const name = this.#rows.get(id)?.name;
    if (name !== undefined && users.includes(name)) {
      const why = `configuration network ${JSON.stringify(name)} is in use`;
      throw new Fault("denied", `error while removing network: ${why}`, { about: name });
    }
    this.#store.delete(id);
    this.#rows.delete(id);
  }
}

function refuseOwnFields(asked: Asked): void {
  const { subnets = [], labels = {}, options = {}, ipamOptions = {} } = asked;
  const hasOwn =
    subnets.length > 0 ||
    Object.keys({ ...labels, ...ipamOptions }).length > 0 ||
    asked.hasIpv6 === true ||
    asked.hasIpv4 === false;
  if (hasOwn)
    throw new Fault(
      "denied",
      "user specified configurations are not supported if the network depends on a configuration network",
    );
  if (Object.keys(options).length > 0)
    throw new Fault(
      "denied",
      "network driver options are not supported if the network depends on a configuration network",
    );
}

function describe({ id, name, createdAt, settings }: StoredNetwork): NetworkDescription {
  return {
    ...settings,
    ...{ id, name, createdAt },
    driver: "null",
    isPredefined: false,
    bridge: "",
    subnet: "",
    gateway: "",
    subnet6: "",
    gateway6: "",
    hostBinding: "",
    linkPrefix: "eth",
  };
}
