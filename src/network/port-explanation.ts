import { isIPv6 } from "node:net";
import type { PortTraffic } from "#helper";
import { type ForeignFirewall, reasonForProxy } from "./foreign-firewall.ts";
import { isLoopback } from "./port-address.ts";
import type { PublishedPort } from "./port-contract.ts";
import { elementsOf, isTranslated } from "./port-rules.ts";
import type { StoredPublication } from "./port-store.ts";
import type { TranslatedTraffic } from "./port-traffic.ts";

/** Who reaches a published port, and how. */
export interface PortExplanation extends PublishedPort {
  /** Of those who come from other machines, and from the host by an address of its own; all others come by the proxy. */
  readonly path: "translated" | "proxy";
  /** Why it is that path. */
  readonly reason: string;
  /** As a phrase: "this host alone", "whoever reaches 192.0.2.5". */
  readonly reachedBy: string;
  /** What has come through the proxy; absent where it does not hold the port now. */
  readonly traffic?: PortTraffic;
  /** What was translated; absent where nothing is. */
  readonly translated?: TranslatedTraffic;
}

/** The path of a port's clients, from what the row and the host's firewall say. */
export function explainPort(
  row: Pick<StoredPublication, "address" | "address6" | "ports" | "passesInput">,
  port: PublishedPort,
  firewall: ForeignFirewall,
): Omit<PortExplanation, "traffic" | "translated"> {
  const { hostIp } = port;
  if (isLoopback(hostIp)) {
    const reason = "what is published on loopback is not translated";
    return { ...port, path: "proxy", reason, reachedBy: "this host alone" };
  }
  const isAny = hostIp === "0.0.0.0" || hostIp === "::";
  const all = isAny ? "other machines, this host and its containers" : `whoever reaches ${hostIp}`;
  const isFiltered = firewall.input !== undefined;
  const [element] = elementsOf({ ...row, ports: [port] });
  if (element === undefined)
    return {
      ...port,
      path: "proxy",
      reason: `the container has no address of IPv${isIPv6(hostIp) ? 6 : 4}`,
      reachedBy: isFiltered ? `${all}, as far as the host's firewall lets them in` : all,
    };
  if (isTranslated(element, firewall))
    return {
      ...port,
      path: "translated",
      reason: isFiltered
        ? `PublishThrough passes by: ${firewall.input}`
        : "no firewall of the host filters",
      reachedBy: all,
    };
  return {
    ...port,
    path: "proxy",
    reason: reasonForProxy(firewall) ?? "",
    reachedBy: isFiltered ? `${all}, as far as the host's firewall lets them in` : all,
  };
}
