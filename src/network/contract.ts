import type { Log } from "#base";
import type { Fd } from "#kernel";
import type { State } from "#state";
import type { Place } from "./endpoint.ts";

export interface NetworksOptions {
  readonly state: State;
  /** Gives the networks that are always there their ids. */
  readonly instanceId: string;
  /** Gives bridges and the nftables table their names. */
  readonly runRoot: string;
  /** The default bridge's network, e.g. "172.20.0.0/16"; else the one it had, else one that no route of the host overlaps. */
  readonly subnet?: string;
  readonly log?: Log;
}

export interface NetworkDescription {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly driver: "bridge" | "host" | "null";
  /** The interface of the host; "" where the driver is not "bridge". */
  readonly bridge: string;
  /** "172.20.0.0/16"; "" where there is no bridge or none was made yet; so is `gateway`. */
  readonly subnet: string;
  readonly gateway: string;
}

/** A container's place in a network. */
export interface Endpoint extends Place {
  readonly networkId: string;
  /** The namespace it is in; who has no more use for it may close it early. */
  readonly netns: Fd;
}

/** An endpoint as it is remembered: `netns` is gone when the engine was restarted meanwhile. */
export type KnownEndpoint = Pick<Endpoint, "networkId" | "address"> & { readonly netns?: Fd };

/**
 * The networks of an engine, each with a name and an id; a REF is either. "bridge",
 * the default, is a bridge network as others are, but cannot be removed; "host" and
 * "none" are listed and have nothing to attach to.
 *
 * A bridge network is a bridge, an address book, and rules that keep it apart from
 * others. Its row makes it exist: it is written last and deleted first, and what a
 * crash leaves in the kernel without a row is removed when the engine opens again.
 * The bridge itself is made on need, also after a reboot or when someone deleted it.
 *
 * An endpoint lives until `release`, its namespace until the last process and
 * descriptor of it is gone. What `attach` to the default network and `isolated` give
 * was made ahead, so that they cost nothing at a container's start, and is never given
 * twice. After a crash bridges keep their networks, namespaces of running containers
 * stay, and `adopt` tells which addresses those have.
 *
 * Faults: `not_found` for a REF that names nothing; `invalid` for attaching to
 * "host" or "none"; `exhausted` when no address or network is left.
 */
export interface Networks {
  /** In the order they were made, those that are always there first. */
  list(): readonly NetworkDescription[];
  find(ref: string): NetworkDescription;
  /** A new bridge network; a name that is taken is `exists`, a subnet that is not free `exhausted`. */
  create(request: { readonly name: string; readonly subnet?: string }): Promise<NetworkDescription>;
  /** Removes one that has no endpoints, else `conflict`; so are those that are always there. */
  remove(ref: string): Promise<void>;
  /** Makes the bridge if it is not there: with it come subnet and gateway. */
  ready(ref: string): Promise<NetworkDescription>;
  /** An endpoint in a new namespace, as eth0. */
  attach(ref: string): Promise<Endpoint>;
  /** An endpoint in a namespace that has one already, as the interface `link` ("eth1"). */
  join(ref: string, netns: Fd, link: string): Promise<Endpoint>;
  /** A namespace with nothing but `lo`. */
  isolated(): Promise<Fd>;
  /** Closes the namespace's descriptor and gives the address back; once per endpoint. */
  release(endpoint: KnownEndpoint): void;
  /**
   * Marks the address of a container that runs on from an earlier life of the engine.
   * To be done before the first `attach`; what was made ahead with it is given up.
   */
  adopt(endpoint: KnownEndpoint): void;
  /** With `removeBridges` nothing is left in the kernel; running containers then have no network any more. */
  close(options: { readonly removeBridges: boolean }): Promise<void>;
}
