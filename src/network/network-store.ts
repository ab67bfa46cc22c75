import type { IpVersion } from "#base";
import type { State } from "#state";
import { formatSubnet, parseSubnet, type Subnet } from "./subnet.ts";
import type { SubnetRequest } from "./subnet-request.ts";
import type { VlanDriver } from "./vlan-options.ts";

/** What was asked of a network beyond its name. */
export interface NetworkSettings {
  readonly driver: "bridge" | VlanDriver;
  /** Empty: the network chooses one. */
  readonly subnets: readonly SubnetRequest[];
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
  readonly isInternal: boolean;
  readonly isAttachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the driver, as they were sent. */
  readonly options: Readonly<Record<string, string>>;
  /** Of the address management, which knows none; as they were sent. */
  readonly ipamOptions?: Readonly<Record<string, string>>;
  /** The name of the configuration-only network that subnets, labels and options were taken from. */
  readonly configFrom?: string;
  /** Whether it is a configuration for other networks, and nothing in the kernel. */
  readonly isConfigOnly?: boolean;
  /** What a configuration has for the driver of the address management; "default" when absent. */
  readonly ipamDriver?: string;
}

export const plainSettings: NetworkSettings = {
  driver: "bridge",
  subnets: [],
  hasIpv4: true,
  hasIpv6: false,
  isInternal: false,
  isAttachable: false,
  labels: {},
  options: {},
};

/** The row of a bridge network; its names in the kernel are made from the run root and the id. */
export interface StoredNetwork {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  /** One of each version that it has, IPv4 first; none until the bridge was made, unless it was asked for. */
  readonly subnets: readonly Subnet[];
  readonly settings: NetworkSettings;
}

const steps = [
  `CREATE TABLE network (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     created_at TEXT NOT NULL,
     subnet TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE network_forwarding (turned_on INTEGER PRIMARY KEY) STRICT`,
  "ALTER TABLE network ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'",
  "ALTER TABLE network ADD COLUMN subnet6 TEXT NOT NULL DEFAULT ''",
];

interface Row {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly subnet: string;
  readonly subnet6: string;
  readonly settings: string;
}

/** The bridge networks of one engine, in its database. */
export class NetworkStore {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("network", steps);
  }

  /** In no particular order. */
  all(): StoredNetwork[] {
    return this.#state
      .query<Row>("SELECT * FROM network")
      .map(({ created_at, settings, subnet, subnet6, ...row }) => ({
        ...row,
        subnets: [subnet, subnet6].filter((each) => each !== "").map(parseSubnet),
        createdAt: BigInt(created_at),
        settings: { ...plainSettings, ...JSON.parse(settings) },
      }));
  }

  /** On the disk when it returns; a name that is taken is an `exists` fault. */
  insert({ id, name, createdAt, subnets, settings }: StoredNetwork): void {
    this.#state.durably(() =>
      this.#state.run(
        "INSERT INTO network (id, name, created_at, subnet, subnet6, settings) VALUES (?, ?, ?, ?, ?, ?)",
        id,
        name,
        createdAt.toString(),
        ...columnsOf(subnets),
        JSON.stringify(settings),
      ),
    );
  }

  setSubnets({ id, subnets }: StoredNetwork): void {
    const columns = columnsOf(subnets);
    this.#state.run("UPDATE network SET subnet = ?, subnet6 = ? WHERE id = ?", ...columns, id);
  }

  delete(id: string): void {
    this.#state.durably(() => this.#state.run("DELETE FROM network WHERE id = ?", id));
  }

  /** Whether this engine was ever the one that turned forwarding on. */
  turnedForwardingOn(version: IpVersion): boolean {
    const known = "SELECT 1 FROM network_forwarding WHERE turned_on = ?";
    return this.#state.first(known, forwardingRow[version]) !== undefined;
  }

  rememberForwarding(version: IpVersion): void {
    this.#state.run(
      "INSERT OR IGNORE INTO network_forwarding (turned_on) VALUES (?)",
      forwardingRow[version],
    );
  }
}

/** "172.20.0.0/16", or "", of each version. */
function columnsOf(subnets: readonly Subnet[]): readonly [string, string] {
  const [ipv4 = "", ipv6 = ""] = [4, 6].map((version) => {
    const found = subnets.find((each) => each.version === version);
    return found && formatSubnet(found);
  });
  return [ipv4, ipv6];
}

/** From before there was more than IPv4. */
const forwardingRow = { 4: 1, 6: 6 } as const;
