import type { StackedKind } from "#kernel";
import type { Bridge, WantedBridge } from "./bridge.ts";
import type { NetworkDescription } from "./contract.ts";
import type { FilteredBridge } from "./firewall.ts";

/** A network beside the one that a driver is of. */
interface Neighbour {
  readonly row: { readonly id: string; readonly name: string };
  readonly driver: NetworkDriver;
}

/** What a network's containers are on: a bridge of its own, or an interface that the host has anyway. */
export interface NetworkDriver {
  /** The name of that interface, which may not be there yet. */
  readonly link: string;
  /** The kind of its containers' interfaces; absent: they are ports of the bridge. */
  readonly stacked?: StackedKind;
  /** What the packet filter lets pass; absent: it has no rules for the network. */
  readonly filter?: Pick<FilteredBridge, "connectsContainers" | "masquerades">;
  /** Whether its containers send under their own addresses alone. */
  readonly checksSources: boolean;
  /** Whether the interface has the gateway's address of IPv4. */
  readonly hasAddress: boolean;
  readonly described: Pick<NetworkDescription, "bridge" | "hostBinding" | "linkPrefix">;
  /** Makes the interface, or takes over the one that is there; idempotent. */
  ensure(wanted: WantedBridge): Promise<Bridge>;
  /** A fault when another network has what this one is to be on. */
  refuseBeside(others: readonly Neighbour[]): void;
}
