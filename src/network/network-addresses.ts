import { Fault, type IpVersion } from "#base";
import { parseBridgeOptions } from "./bridge-options.ts";
import type { NetworkSettings, StoredNetwork } from "./network-store.ts";
import type { Subnet } from "./subnet.ts";
import { type AddressPlan, planAddresses, requestOf } from "./subnet-request.ts";
import { readSysctl } from "./sysctl.ts";

/** The versions of a network, IPv4 first. */
export function versionsOf({
  hasIpv4,
  hasIpv6,
}: Pick<NetworkSettings, "hasIpv4" | "hasIpv6">): readonly IpVersion[] {
  return [...(hasIpv4 ? [4 as const] : []), ...(hasIpv6 ? [6 as const] : [])];
}

/** The addresses of a network of which the bridge has `subnet`. */
export function planOf({ settings }: Pick<StoredNetwork, "settings">, subnet: Subnet): AddressPlan {
  const plan = planAddresses(subnet, requestOf(settings.subnets, subnet.version));
  if (settings.driver === "bridge") return settings.isInternal ? { ...plan, way: "" } : plan;
  // The gateway of a network without a bridge would be a machine outside.
  const gateway = settings.isInternal ? "" : plan.gateway;
  return { ...plan, gateway, way: gateway };
}

/** By row, which is replaced and never changed: with a thousand networks they are asked for all the time. */
const plans = new WeakMap<StoredNetwork, readonly AddressPlan[]>();

/** The addresses of a network in the subnets that it has. */
export function plansOf(row: StoredNetwork): readonly AddressPlan[] {
  const known = plans.get(row) ?? row.subnets.map((subnet) => planOf(row, subnet));
  plans.set(row, known);
  return known;
}

/** RFC 8200, 5: links of IPv6 carry packets of that size. */
const MIN_MTU_IPV6 = 1280;

/**
 * Whether a network can have IPv6, before anything is made: `invalid` for an MTU that is too small,
 * `unsupported` where the kernel lacks it.
 */
export function checkIpv6({ options }: NetworkSettings): void {
  const { mtu = MIN_MTU_IPV6 } = parseBridgeOptions(options);
  if (mtu < MIN_MTU_IPV6)
    throw new Fault(
      "invalid",
      `invalid MTU number: ${mtu}; that of a network with IPv6 is at least ${MIN_MTU_IPV6}`,
    );
  if (readSysctl("net/ipv6/conf/all/forwarding") === "")
    throw new Fault("unsupported", "this kernel runs without IPv6: the network cannot have it");
}
