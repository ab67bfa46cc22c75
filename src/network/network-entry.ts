import type { Bridge } from "./bridge.ts";
import type { BridgeNetwork } from "./bridge-network.ts";
import { defaultBridgeOptions } from "./bridge-options.ts";
import type { NetworkDescription } from "./contract.ts";
import type { FilteredBridge } from "./firewall.ts";
import { plansOf } from "./network-addresses.ts";
import type { NetworkDriver } from "./network-driver.ts";
import type { StoredNetwork } from "./network-store.ts";
import { formatSubnet } from "./subnet.ts";

/** The network of a container that names none. */
export const DEFAULT = "bridge";

/** A network that containers can be in: its row, and what it is in the kernel. */
export interface Entry {
  row: StoredNetwork;
  readonly driver: NetworkDriver;
  readonly network: BridgeNetwork;
}

/** The default network first, then in the order they were made. */
export function byAge(a: NetworkDescription, b: NetworkDescription): number {
  const rank = ({ name, createdAt }: NetworkDescription) => (name === DEFAULT ? 0n : createdAt);
  return Number(rank(a) - rank(b));
}

/** The bridge as the packet filter has it; none of a network whose containers it does not see. */
export function filtered(
  { row, driver }: Entry,
  { name, subnets }: Pick<Bridge, "name" | "subnets">,
): FilteredBridge[] {
  const { isInternal } = row.settings;
  return driver.filter ? [{ name, subnets, isInternal, ...driver.filter }] : [];
}

/** The network as it is listed. */
export function describe({ row, driver }: Entry): NetworkDescription {
  const { id, name, createdAt, settings } = row;
  const isPredefined = name === DEFAULT;
  const [ipv4, ipv6] = ([4, 6] as const).map((version) => {
    const plan = plansOf(row).find(({ subnet }) => subnet.version === version);
    return plan ? { subnet: formatSubnet(plan.subnet), gateway: plan.gateway } : undefined;
  });
  return {
    ...settings,
    ...driver.described,
    id,
    name,
    createdAt,
    isPredefined,
    subnet: ipv4?.subnet ?? "",
    gateway: ipv4?.gateway ?? "",
    subnet6: ipv6?.subnet ?? "",
    gateway6: ipv6?.gateway ?? "",
    options: isPredefined ? defaultBridgeOptions(driver.link) : settings.options,
  };
}
