import type { ContainerId } from "#base";
import type { EndpointBody, NetworkFaultBody } from "#container";
import type { PacketCount } from "#kernel";
import type { NetworkDescription, NetworkRequest, PortExplanation } from "#network";
import type { Filters, NetworkAttachment } from "../contract.ts";

export type { NetworkDescription, NetworkRequest, SubnetRequest } from "#network";

/** A running container in a network, with its place there. */
export interface NetworkMember extends NetworkAttachment {
  readonly container: ContainerId;
  /** The container's. */
  readonly name: string;
}

/** A network as it is inspected; a copy that later changes do not reach. */
export interface EngineNetwork extends NetworkDescription {
  readonly members: readonly NetworkMember[];
}

/** A network to make. */
export interface NetworkCreateRequest extends Omit<NetworkRequest, "driver"> {
  /** "bridge", "macvlan", "ipvlan", or "" for "bridge". */
  readonly driver: string;
}

/** A network that was made, and what its containers will not reach, as sentences. */
export interface CreatedNetwork extends NetworkDescription {
  readonly warnings: readonly string[];
}

/**
 * The networks of one engine. A REF is a name, an id, or the beginning of an id; `not_found` when
 * it names nothing. Faults are in Docker's words.
 */
export interface EngineNetworks {
  /** Those that always exist first, then in the order in which they were made. */
  list(filters: Filters): readonly EngineNetwork[];
  /** The network as it is now. */
  get(ref: string): EngineNetwork;
  /**
   * Makes a network. `exists` for a name that is taken, `denied` for one that Docker keeps
   * for itself, for a subnet that is not free and for another driver of Docker's, `not_found` for a
   * driver that nobody knows, `invalid` for settings that are wrong, `conflict` for a bridge of
   * another program.
   */
  create(request: NetworkCreateRequest): Promise<CreatedNetwork>;
  /** Removes a network; `denied` while a running container is in it, and for those that always exist. */
  remove(ref: string): Promise<void>;
  /** Removes all networks that no running container is in and that match; gives their names. */
  prune(filters: Filters): Promise<readonly string[]>;
  /**
   * Adds a container to a network: at once when it runs, else from its next start on. A crash leaves
   * it in the network or not, and never half. `denied` when it is in it already or an address is
   * taken, `invalid` for settings that do not fit the network, and for a container that shares
   * another's network.
   */
  connect(ref: string, container: string, settings: EndpointBody): Promise<void>;
  /**
   * Takes a container out of a network. `internal` when it is not in it; with `force` the network
   * may be gone already.
   */
  disconnect(ref: string, container: string, options: { readonly force: boolean }): Promise<void>;
  /** The addresses in a network by every name that they have there: the container's, its id's first digits, aliases. */
  names(ref: string): ReadonlyMap<string, readonly string[]>;
  /** The address of the host as containers of the default bridge see it; makes the bridge where it is missing. */
  hostGateway(): Promise<string>;
  /**
   * Makes the network of a running container go wrong, instead of how it did before, until `mend` or
   * the container's end. `invalid` for a fault that cannot be, `conflict` for a container that does
   * not run or has no network of its own, `unsupported` for what the kernel lacks.
   */
  fault(container: string, fault: NetworkFaultBody): Promise<void>;
  /** Takes that back. */
  mend(container: string): Promise<void>;
  /**
   * Who reaches the published ports of running containers and how, and what drops what they send: of
   * all (""), of one, or of those at a port of the host. `not_found` for a port that none publishes,
   * `conflict` for a container that does not run.
   */
  explain(ref: string): Promise<readonly NetworkExplanation[]>;
}

/** The ways into a container, and what is in the way out. */
export interface NetworkExplanation {
  readonly container: ContainerId;
  readonly name: string;
  readonly ports: readonly PortExplanation[];
  /** Networks from which other machines are not reached, with the commands that would change it. */
  readonly egress: readonly {
    readonly network: string;
    readonly reason: string;
    readonly fix: readonly string[];
  }[];
  /** Networks that look at what addresses the container sends under, with what was dropped since the container is in them. */
  readonly refused: readonly (PacketCount & { readonly network: string })[];
}
