import type { Link, Route } from "#kernel";
import { formatSubnet, overlaps, parseAddress, type Subnet, subnetOf } from "./subnet.ts";

/** Shorter prefixes stand for "everywhere", as the halves 0.0.0.0/1 and 128.0.0.0/1 of a VPN. */
const SHORTEST_PREFIX = 8;

/** A network of this engine, and the interface of the host that its addresses are routed to. */
export interface RoutedNetwork {
  readonly name: string;
  readonly subnet: Subnet;
  readonly bridge: string;
}

/** A route of another program, and a network that has some of the addresses that it leads to. */
export interface RouteOverlap {
  readonly network: RoutedNetwork;
  readonly route: Subnet;
  /** The name of the interface that the route leaves by. */
  readonly link: string;
}

/** Whether a route is about some network, and not about everything that has no better route. */
export function hasDestination({ prefixLength }: Route): boolean {
  return prefixLength >= SHORTEST_PREFIX;
}

/** The addresses that a route leads to; undefined for one to everywhere, or to the host's own addresses. */
export function routedSubnet(route: Route): Subnet | undefined {
  if (!hasDestination(route) || route.isUnicast === false) return undefined;
  const address = parseAddress(route.destination);
  return address && subnetOf(address, route.prefixLength);
}

/** The overlaps of routes with networks, but for the networks' own routes, in the order of the routes. */
export function routeOverlaps(
  routes: readonly Route[],
  networks: readonly RoutedNetwork[],
  links: readonly Pick<Link, "index" | "name">[],
): readonly RouteOverlap[] {
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const own = new Set(networks.map(({ bridge }) => bridge));
  return routes.flatMap((route) => {
    const subnet = routedSubnet(route);
    const link = names.get(route.index) ?? "several interfaces";
    if (subnet === undefined || own.has(link)) return [];
    return networks
      .filter((network) => overlaps(network.subnet, subnet))
      .map((network) => ({ network, route: subnet, link }));
  });
}

/** What an overlap breaks and how to mend it, as a sentence. */
export function overlapText({ network, route, link }: RouteOverlap): string {
  const effect =
    route.prefixLength > network.subnet.prefixLength
      ? `the host sends what is for containers with these addresses to ${link}`
      : route.prefixLength < network.subnet.prefixLength
        ? `machines behind ${link} with the network's addresses cannot be reached`
        : `the host reaches either its containers or what is behind ${link}`;
  return `the route to ${formatSubnet(route)} by ${link} overlaps with the network ${network.name} (${formatSubnet(network.subnet)}): ${effect}; remove the route, or make the network anew with another --subnet`;
}
