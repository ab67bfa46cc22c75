import type { Log } from "#base";
import type { Fd, PacketCount } from "#kernel";
import type { State } from "#state";
import type { KnownPlace } from "./bridge-network.ts";
import type { NetworkDefaults } from "./default-bridge.ts";
import type { EndpointWish, Place } from "./endpoint.ts";
import type { NetworkSettings } from "./network-store.ts";
import type { VlanDriver } from "./vlan-options.ts";

/** The engine whose networks these are. */
export interface NetworksOptions {
  readonly state: State;
  /** The ids of the networks that always exist are made from it. */
  readonly instanceId: string;
  /** The names of bridges and of the nftables table are made from it. */
  readonly runRoot: string;
  /**
   * The default bridge's network, as "172.20.0.0/16". Absent: the one that it had, or else one that
   * overlaps with no route of the host.
   */
  readonly subnet?: string;
  readonly defaults?: NetworkDefaults;
  readonly log?: Log;
}

/** A network to make; what is absent is asked for by nobody. */
export interface NetworkRequest extends Partial<NetworkSettings> {
  readonly name: string;
}

/** A network as it is listed. */
export interface NetworkDescription extends Omit<NetworkSettings, "driver"> {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly driver: "bridge" | VlanDriver | "host" | "null";
  /** Nanoseconds since the epoch; 0n of a network without a bridge. */
  readonly createdAt: bigint;
  /** Whether it always exists and cannot be removed. */
  readonly isPredefined: boolean;
  /** The interface of the host; "" where the driver is not "bridge". */
  readonly bridge: string;
  /** "172.20.0.0/16"; "" until the bridge is made, without IPv4 and for other drivers, as is `gateway`. */
  readonly subnet: string;
  readonly gateway: string;
  /** "fd00::/64"; the same of IPv6. */
  readonly subnet6: string;
  readonly gateway6: string;
  /** The address of the host that ports of its containers are published at; "" where none are. */
  readonly hostBinding: string;
  /** Of its interfaces in containers: "eth" for eth0, eth1 ... */
  readonly linkPrefix: string;
}

/** Why other machines are not reached from a network. */
export interface BlockedEgress {
  /** As a phrase: "the chain FORWARD of the table ip filter drops what is forwarded". */
  readonly reason: string;
  readonly fix: readonly string[];
}

/** A container's place in a network. */
export interface Endpoint extends Place {
  readonly networkId: string;
  /** The namespace that it is in; the owner may close it before `release`. */
  readonly netns: Fd;
}

/** An endpoint as it is remembered: `netns` is gone when the engine was restarted meanwhile. */
export type KnownEndpoint = Pick<Endpoint, "networkId"> &
  KnownPlace & {
    readonly netns?: Fd;
  };

/**
 * The networks of an engine, each with a name and an id; a REF is either, or the beginning of an id. "bridge", the default, is
 * a bridge network as others are, but cannot be removed; "host" and "none" are listed, and nothing
 * can be attached to them.
 *
 * A bridge network is a bridge, an address book, and rules that keep it apart from others. Its row
 * makes it exist: it is written last and deleted first, and when the engine opens again it removes
 * bridges and rules that a crash left without a row. The bridge itself is made when it is needed,
 * also after a reboot or when it was deleted.
 *
 * An endpoint lives until `release`, its namespace until the last process and descriptor of it is
 * gone. The namespaces of `attach` to the default network and of `isolated` were made ahead, so
 * that a container's start does not wait for them, and are never given twice. After a crash bridges
 * keep their networks, the namespaces of running containers stay, and `adopt` says which addresses
 * those have.
 *
 * Faults: `not_found` for a REF that names nothing; `invalid` for attaching to "host" or "none";
 * `exhausted` when no address or network is left.
 */
export interface Networks {
  /** In the order in which they were made, after those that always exist. */
  list(): readonly NetworkDescription[];
  /** `not_found` for a REF that names nothing, `invalid` for the beginning of several ids. */
  find(ref: string): NetworkDescription;
  /**
   * A new bridge network. `exists` for a name that is taken; `invalid` for settings that are wrong
   * by themselves; `denied` for a subnet or an address that is not free; `conflict` for a bridge
   * that exists and is not of this network; `unsupported` for IPv6 where this kernel has none. What
   * fails leaves nothing.
   */
  create(request: NetworkRequest): Promise<NetworkDescription>;
  /**
   * Removes a bridge network without endpoints; `denied` for one that has any, and for the
   * networks that always exist.
   */
  remove(ref: string): Promise<void>;
  /** What drops all that containers of the network send to other machines, and the commands that would change it. */
  blockedEgress(ref: string): readonly BlockedEgress[];
  /** Makes the bridge if it is missing; subnet and gateway are known from then on. */
  ready(ref: string): Promise<NetworkDescription>;
  /**
   * An endpoint in a new namespace, as eth0 unless something else is wished for. `denied` for an
   * address that is taken, `invalid` for an address of another network.
   */
  attach(ref: string, wish?: EndpointWish): Promise<Endpoint>;
  /** An endpoint in a namespace that exists already. */
  join(ref: string, netns: Fd, wish: EndpointWish): Promise<Endpoint>;
  /** Takes the interface of an endpoint out of a namespace that goes on, and gives the addresses back. */
  leave(netns: Fd, endpoint: KnownEndpoint & Pick<Place, "mac" | "link">): Promise<void>;
  /** A namespace with no interface but `lo`. */
  isolated(): Promise<Fd>;
  /** Closes the namespace's descriptor and gives the addresses back; once per endpoint. */
  release(endpoint: KnownEndpoint): void;
  /**
   * Marks the addresses of a container that runs on from an earlier life of the engine.
   * To be called before `prepare` and the first `attach`: an endpoint that was made ahead with one
   * has announced it to its neighbours, which then send to the wrong place for a while.
   */
  adopt(endpoint: KnownEndpoint): void;
  /** The endpoints of one container, which may send under the addresses of all by each. */
  shareAddresses(endpoints: readonly KnownEndpoint[]): Promise<void>;
  /** How many frames of an endpoint were dropped since they were not under its own addresses; undefined where none are. */
  refusedFrames(endpoint: Pick<KnownEndpoint, "endpointId">): Promise<PacketCount | undefined>;
  /** Makes ready in the background what starts will need, once all endpoints are adopted. */
  prepare(): void;
  /**
   * Removes the interfaces that a crash left in namespaces without being remembered: those of no
   * endpoint that was adopted or made in this life of the engine. Gives their number.
   */
  sweep(): Promise<number>;
  /**
   * The same of the interfaces of macvlan and ipvlan networks, which no port of a bridge tells: those
   * in the namespace of a container.
   */
  sweepInside(netns: Fd): Promise<number>;
  /** What of the host stands in the way of networks now, as sentences: routes that overlap with them. */
  warnings(): Promise<readonly string[]>;
  /**
   * Closes what was made ahead. With `removeBridges` nothing is left in the kernel, and running
   * containers lose their network.
   */
  close(options: { readonly removeBridges: boolean }): Promise<void>;
}
