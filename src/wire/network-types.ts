/** The engine's answers about networks, named and spelled as in Docker's API. */

/** One pool of addresses of a network; a field that was not asked for is absent. */
export interface IpamConfig {
  readonly Subnet?: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}

/** A member of GET /networks, and GET /networks/ID. */
export interface NetworkInspect {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: string;
  readonly Driver: string;
  readonly EnableIPv4: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Config: readonly IpamConfig[] | null;
  };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  /** Those that run, by id; empty in a list. */
  readonly Containers: Readonly<Record<string, NetworkContainer>>;
  readonly Options: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
}

/** A running container in a network. */
export interface NetworkContainer {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  /** "172.20.0.2/16"; "" without one. */
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

/** 201 of POST /networks/create. */
export interface NetworkCreateResponse {
  readonly Id: string;
  readonly Warning: string;
}

/** 200 of POST /networks/prune: names; `null` when nothing was removed. */
export interface NetworksPruneResponse {
  readonly NetworksDeleted: readonly string[] | null;
}

/** A container of GET /thimble/v1/networks/explain. */
export interface NetworkExplanation {
  readonly Id: string;
  readonly Name: string;
  readonly Ports: readonly {
    /** "80/tcp" */
    readonly Port: string;
    readonly HostIp: string;
    readonly HostPort: number;
    readonly ReachedBy: string;
    /** Of those who come from other machines, and from the host by an address of its own. */
    readonly Path: "translated" | "proxy";
    /** Whether the container sees the addresses of those. */
    readonly KeepsAddress: boolean;
    readonly Reason: string;
    /** What has come through the proxy; null where it is not there now. */
    readonly Proxy: {
      readonly ClientsNow: number;
      readonly Clients: number;
      readonly BytesIn: number;
      readonly BytesOut: number;
    } | null;
    /** What was translated since the rules were made, with headers; null where nothing is. */
    readonly Translated: {
      readonly PacketsIn: number;
      readonly BytesIn: number;
      readonly PacketsOut: number;
      readonly BytesOut: number;
    } | null;
  }[];
  /** Networks from which other machines are not reached. */
  readonly Egress: readonly {
    readonly Network: string;
    readonly Reason: string;
    /** Commands for a shell. */
    readonly Fix: readonly string[];
  }[];
  /** Networks that look at what addresses the container sends under, with the frames that were dropped. */
  readonly Refused: readonly {
    readonly Network: string;
    readonly Packets: number;
    readonly Bytes: number;
  }[];
}
